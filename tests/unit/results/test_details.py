"""What is kept beside a results file: complete before the file names it, and never half there."""

from __future__ import annotations

import hashlib
import os
import time

import pytest

from pytest_stbench.errors import ResultsError
from pytest_stbench.results import ModelRecord, Results, load, read_scores, save
from pytest_stbench.results.details import Staged, folder_of, stage
from pytest_stbench.results.single_scores import Encoder, Place, single, write_part

FILES = ["scores.parquet"]


def put(parts, fold, value):
    where = Place("t", "d", "", "lopo", "model", "m", fold)
    block = single("rmse", "slide", value, "", patient=fold, slide=fold)
    write_part(parts / "scores" / f"{fold}{value}.arrow", Encoder().part(where, [block]))


def run(path, parts, model="m", level="scores"):
    return save(
        path, Results(models=(ModelRecord(name=model),)), lambda known: stage(path, parts, level, known)
    )


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def parts(tmp_path):
    put(tmp_path / "parts", "A", 0.5)
    return tmp_path / "parts"


def test_the_results_file_names_what_is_kept(tmp_path, parts):
    kept = run(tmp_path / "v1.json", parts).kept
    content = (tmp_path / "v1.kept" / "scores.parquet").read_bytes()
    assert (kept.folder, kept.level, kept.scores.file) == ("v1.kept", "scores", "scores.parquet")
    assert kept.scores.sha256 == hashlib.sha256(content).hexdigest()
    assert kept.scores.rows == len(read_scores(tmp_path / "v1.kept" / "scores.parquet")) == 2
    assert load(tmp_path / "v1.json").kept == kept
    assert files(tmp_path / "v1.kept") == FILES


def test_a_later_run_is_joined(tmp_path, parts):
    run(tmp_path / "v1.json", parts)
    put(tmp_path / "later", "B", 0.7)
    kept = run(tmp_path / "v1.json", tmp_path / "later", level="maps").kept
    rows = read_scores(tmp_path / "v1.kept" / "scores.parquet")
    assert sorted(rows[rows.level == "slide"].value) == [0.5, 0.7]
    assert (kept.level, kept.left_out) == ("maps", ())
    assert run(tmp_path / "v1.json", tmp_path / "later").kept == kept


def test_a_run_that_keeps_nothing_leaves_what_is_there(tmp_path, parts):
    kept = run(tmp_path / "v1.json", parts).kept
    assert save(tmp_path / "v1.json", Results()).kept == kept


def test_nothing_scored_is_no_file(tmp_path):
    kept = run(tmp_path / "v1.json", tmp_path / "nowhere").kept
    assert (kept.scores, kept.maps) == (None, ())
    assert not (tmp_path / "v1.kept").exists()


@pytest.mark.parametrize("how", ["missing", "of another run"])
def test_scores_of_earlier_runs_that_are_not_there_are_listed(tmp_path, parts, how):
    run(tmp_path / "v1.json", parts)
    table = tmp_path / "v1.kept" / "scores.parquet"
    table.unlink() if how == "missing" else table.write_bytes(b"other")
    put(tmp_path / "later", "B", 0.7)
    kept = run(tmp_path / "v1.json", tmp_path / "later").kept
    assert kept.scores.rows == 2
    assert [record.why for record in kept.left_out] == [
        "single scores of earlier runs: scores.parquet is missing, or is not the file they wrote"
    ]


def test_a_refused_save_leaves_the_folder_as_it_was(tmp_path, parts):
    path = tmp_path / "v1.json"
    run(path, parts)
    before = (tmp_path / "v1.kept" / "scores.parquet").read_bytes()
    put(parts, "B", 0.7)
    other = Results(models=(ModelRecord(name="m", revision="2"),))
    with pytest.raises(ResultsError, match="one name would stand for two things"):
        save(path, other, lambda known: stage(path, parts, "scores", known))
    assert (tmp_path / "v1.kept" / "scores.parquet").read_bytes() == before
    assert files(tmp_path / "v1.kept") == FILES


def test_results_that_cannot_be_written_leave_the_folder_as_it_was(tmp_path, parts, monkeypatch):
    path = tmp_path / "v1.json"
    run(path, parts)
    before = (tmp_path / "v1.kept" / "scores.parquet").read_bytes()
    put(parts, "B", 0.7)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_stbench.data.atomic.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run(path, parts)
    monkeypatch.undo()
    assert (tmp_path / "v1.kept" / "scores.parquet").read_bytes() == before
    assert files(tmp_path / "v1.kept") == FILES
    assert load(path).kept.scores.rows == 2


def test_a_stage_that_fails_leaves_nothing(tmp_path, parts):
    (parts / "scores" / "bad.arrow").write_bytes(b"no arrow")
    with pytest.raises(OSError, match="a part of the scores is damaged"):
        stage(tmp_path / "v1.json", parts, "scores", None)
    assert not (tmp_path / "v1.kept").exists()


def test_what_killed_runs_left_is_removed_after_a_while(tmp_path):
    folder = folder_of(tmp_path / "v1.json")
    for name in (".new-old", ".new-young"):
        (folder / name).mkdir(parents=True)
    hour = time.time() - 3700
    os.utime(folder / ".new-old", (hour, hour))
    Staged(folder)
    assert files(folder) == [".new-young"]


@pytest.mark.parametrize(
    ("name", "folder"), [("v1.json", "v1.kept"), ("v1", "v1-kept"), ("a.kept", "a.kept-kept")]
)
def test_the_folder_has_the_name_of_the_file(tmp_path, name, folder):
    assert folder_of(tmp_path / name) == tmp_path / folder
