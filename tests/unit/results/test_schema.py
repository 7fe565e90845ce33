from __future__ import annotations

import json
import os
import sys
import tracemalloc
from pathlib import Path

import jsonschema
import pytest

from pytest_stbench.errors import ResultsError
from pytest_stbench.results import (
    CheckRecord,
    DatasetRecord,
    GateRecord,
    LockRecord,
    ModelRecord,
    Results,
    RunRecord,
    ScoreRecord,
    TaskRecord,
    VerdictRecord,
    load,
    results_schema,
    save,
)

PLACE = {"task": "t", "dataset": "d", "split": "lopo"}


def score(metric="r", value=0.5, **fields):
    return ScoreRecord(
        **PLACE,
        task_version=1,
        family="imputation",
        model="m",
        metric=metric,
        value=value,
        per_patient={"A": value, "B": None},
        n_patients=1,
        **fields,
    )


def full(**changes):
    parts = {
        "run": RunRecord(started="2025-01-01T10:00:00+00:00", versions={"python": "3.11"}),
        "models": (ModelRecord(name="m", revision="1"),),
        "tasks": (
            TaskRecord(
                name="t",
                version=1,
                family="imputation",
                claim="population",
                primary="r",
                fingerprint="f",
                fingerprint_parts={"preprocess.normalise": "log1p"},
            ),
        ),
        "datasets": (
            DatasetRecord(
                task="t",
                name="d",
                checksum="c",
                patients={"s1": "A", "s2": "B"},
                n_slides=2,
                n_units=9,
                n_genes=5,
            ),
        ),
        "checks": (
            CheckRecord(
                task="t", id="Q01", name="n", scope="task", status="warn", severity="warn", statistic=0.3
            ),
        ),
        "scores": (score(), score(fold="A")),
        "verdicts": (
            VerdictRecord(
                **PLACE,
                model="m",
                metric="r",
                verdict="fail",
                gates=(
                    GateRecord(kind="min", threshold=0.9, n=1, estimate=0.5, outcome="fail", message="r"),
                ),
            ),
        ),
        "lock": (LockRecord(**PLACE, fold="A", train=("s2",), test=("s1",), genes=("ERBB2", "KRT8")),),
    }
    return Results(**(parts | changes))


def test_round_trip(tmp_path):
    path = tmp_path / "runs" / "v1.json"
    assert save(path, full()) == full()
    assert load(path) == full()
    assert load(str(path)) == full()
    assert json.loads(path.read_text())["schema"] == "stbench-results/1"


def test_the_file_meets_its_json_schema(tmp_path):
    save(tmp_path / "v1.json", full())
    schema = results_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads((tmp_path / "v1.json").read_text())
    jsonschema.validate(data, schema)
    for breakage in ({"schema": "stbench-results/2"}, {"scores": [{"task": "t"}]}, {"extra": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data | breakage, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schema)


def test_every_field_is_described():
    schema = results_schema()
    for name, definition in [("Results", schema), *schema["$defs"].items()]:
        for field, described in definition["properties"].items():
            assert described.get("description"), f"{name}.{field}"


def test_the_documentation_page_says_what_the_schema_says():
    page = (Path(__file__).parents[3] / "docs" / "results.md").read_text()
    schema = results_schema()
    for name, definition in [("Results", schema), *schema["$defs"].items()]:
        section = page.partition(f"({name})\n")[2].partition("\n## ")[0]
        for field, described in definition["properties"].items():
            rows = [line for line in section.splitlines() if line.startswith(f"| `{field}` ")]
            assert len(rows) == 1, f"{name}.{field}"
            assert rows[0].endswith(f"| {described['description'].replace('|', ' or ')} |"), f"{name}.{field}"


def test_reading_takes_no_copies_of_the_file(tmp_path):
    path = tmp_path / "large.json"
    folds = tuple(score(fold=str(number), flags=("ties",)) for number in range(2000))
    save(path, full(scores=folds))
    load(path)
    tracemalloc.start()
    found = load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.scores) == 2000
    assert peak < 3 * path.stat().st_size  # 4.3 where its JSON was held as values of Python as well


def test_saving_merges_and_drops_nothing(tmp_path):
    path = tmp_path / "v1.json"
    save(path, full())
    later = Results(scores=(score(value=0.7), score(metric="rmse")), models=(ModelRecord(name="ridge"),))
    merged = save(path, later)
    assert load(path) == merged
    assert [(s.metric, s.fold, s.value) for s in merged.scores] == [
        ("r", None, 0.7),
        ("r", "A", 0.5),
        ("rmse", None, 0.5),
    ]
    assert [m.name for m in merged.models] == ["m", "ridge"]
    assert merged.verdicts == full().verdicts
    assert merged.lock == full().lock
    assert merged.run == full().run


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "this is not JSON"),
        ("{broken", "this is not JSON"),
        ("\xff\xfe", "names no schema|this is not JSON"),
        ("[1, 2]", "it names no schema"),
        ("{}", "it names no schema"),
        ('{"schema": "stbench-results/9"}', "its schema is 'stbench-results/9'"),
        (
            '{"schema": "stbench-results/1", "scores": [{"task": "t"}]}',
            "scores.0.task_version: Field required",
        ),
        ('{"schema": "stbench-results/1", "unknown": 1}', "unknown: Unexpected keyword argument"),
        ('{"schema": "stbench-results/1", "scores": NaN}', "scores: "),
        ("[" * 100_000, "this is not JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_left_alone(tmp_path, content, message):
    path = tmp_path / "v1.json"
    path.write_bytes(content.encode("latin-1"))
    for attempt in (lambda: load(path), lambda: save(path, full())):
        with pytest.raises(ResultsError, match=message) as error:
            attempt()
        assert str(error.value).startswith(str(path))
        assert "save to another path; nothing was overwritten" in str(error.value)
    assert path.read_bytes() == content.encode("latin-1")
    assert [file.name for file in tmp_path.iterdir()] == ["v1.json"]


def test_a_missing_file_says_how_to_write_one(tmp_path):
    with pytest.raises(ResultsError, match="there is no such results file; write one with --stbench-save="):
        load(tmp_path / "v1.json")


def test_a_folder_is_no_results_file(tmp_path):
    with pytest.raises(ResultsError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_while_writing_leaves_the_old_file(tmp_path, monkeypatch, step, failure):
    path = tmp_path / "v1.json"
    save(path, full())
    before = path.read_bytes()

    def fail(*_args):
        raise failure

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    expected = ResultsError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        save(path, Results(scores=(score(value=0.9),)))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["v1.json"]


def test_the_old_file_stands_until_the_new_one_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "v1.json"
    save(path, full())
    before = path.read_bytes()
    seen = []
    replace = Path.replace

    def spy(self, target):
        seen.append((self.parent, target.read_bytes(), json.loads(self.read_text())["scores"][0]["value"]))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    save(path, Results(scores=(score(value=0.9),)))
    assert seen == [(path.resolve().parent, before, 0.9)]


def test_a_mistake_in_a_record_is_not_written(tmp_path):
    path = tmp_path / "v1.json"
    with pytest.raises(ResultsError, match=r"scores\.0\.role: Input should be 'model'"):
        save(path, full(scores=(score(role="judge"),)))
    assert not path.exists()


@pytest.mark.parametrize(
    ("later", "named"),
    [
        ({"tasks": (TaskRecord(name="t", version=1, family="imputation", claim="population", primary="r",
                               fingerprint="g", fingerprint_parts={"preprocess.normalise": "raw"}),)},
         "task t: preprocess.normalise differs from that in the file"),
        ({"datasets": (DatasetRecord(task="t", name="d", checksum="x", patients={"s1": "A", "s2": "B"},
                                     n_slides=2, n_units=9, n_genes=5),)},
         "data set d of t: checksum x here, c in the file"),
        ({"models": (ModelRecord(name="m", revision="2"),)}, "model m: revision '2' here, '1' in the file"),
    ],
)  # fmt: skip
def test_one_name_never_stands_for_two_things(tmp_path, later, named):
    path = tmp_path / "v1.json"
    save(path, full())
    before = path.read_bytes()
    with pytest.raises(ResultsError) as error:
        save(path, Results(**later))
    assert named in str(error.value)
    assert "save to another file, or remove this one" in str(error.value)
    assert path.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_permissions_and_links_are_kept(tmp_path):
    target = tmp_path / "real.json"
    link = tmp_path / "link.json"
    link.symlink_to(target)
    mask = os.umask(0o022)
    try:
        save(link, full())
        assert target.stat().st_mode & 0o777 == 0o644
        target.chmod(0o640)
        save(link, full())
    finally:
        os.umask(mask)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640


def test_text_of_all_languages_is_kept(tmp_path):
    path = tmp_path / "v1.json"
    save(path, full(scores=(score(disease="Sjögren 病"),)))
    assert load(path).scores[0].disease == "Sjögren 病"
    assert "Sjögren 病" in path.read_text(encoding="utf-8")
