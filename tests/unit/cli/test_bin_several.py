"""``stbench bin`` of several tables: each a file, the same as by itself; what is there is not done again."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.cluster.binning import Binning

SQUARES = ("--geometry", "square", "--size-um", "20")


def write(path, seed=0):
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {
        "x": rng.uniform(0, 200, 3000),
        "y": rng.uniform(0, 200, 3000),
        "gene": rng.choice(list("ABC"), 3000),
    }
    pd.DataFrame(table).to_parquet(path) if path.suffix == ".parquet" else pd.DataFrame(table).to_csv(path)
    return path


@pytest.fixture
def tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return [
        write(tmp_path / name, seed) for seed, name in enumerate(["S1.parquet", "S2.csv.gz", "S3.v2.csv"])
    ]


def binned(*arguments):
    return CliRunner().invoke(main, ["bin", *map(str, arguments), *SQUARES])


def test_each_table_becomes_the_file_that_it_becomes_by_itself(tables, tmp_path):
    done = binned(*tables, "units")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("[1/3] S1: 100 units, 3,000 of 3,000 transcripts, ")
    assert lines[-1] == f"3 of 3 jobs done; 3 files written, 0 reused: {tmp_path / 'units'}"
    names = sorted(path.name for path in (tmp_path / "units").iterdir())
    assert names == ["S1.h5ad", "S2.h5ad", "S3.v2.h5ad"]
    for table, name in zip(tables, names, strict=True):
        assert binned(table, tmp_path / name).exit_code == 0
        assert (tmp_path / "units" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_one_table_goes_into_a_folder_that_is_there(tables, tmp_path):
    (tmp_path / "units").mkdir()
    assert binned(tables[0], "units").exit_code == 0
    assert [path.name for path in (tmp_path / "units").iterdir()] == ["S1.h5ad"]


@pytest.mark.parametrize("name", ["transcripts.parquet", "transcripts.csv.gz", "detected_transcripts.csv"])
def test_runs_of_an_instrument_one_after_the_other_overwrite_nothing(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "units").mkdir()
    for seed, run in enumerate("AB"):
        assert binned(write(tmp_path / run / name, seed), "units").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "units").iterdir()) == ["A.h5ad", "B.h5ad"]


def test_tables_of_one_name_are_called_by_their_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundles = [write(tmp_path / place / "transcripts.parquet") for place in ("run/A", "run/B", "old/B")]
    assert binned(*bundles[:2], "units").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "units").iterdir()) == ["A.h5ad", "B.h5ad"]
    done = binned(*bundles, "more")
    assert done.exit_code == 2
    assert f"{bundles[1]} and {bundles[2]} would both become B.h5ad" in done.output
    assert not (tmp_path / "more").exists()


def test_tables_that_share_no_name_keep_theirs_beside_some_that_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = ("A/transcripts.parquet", "B/transcripts.parquet", "old/S1.csv", "old/S2.csv")
    tables = [write(tmp_path / place) for place in places]
    assert binned(*tables, "units").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "units").iterdir())
    assert names == ["A.h5ad", "B.h5ad", "S1.h5ad", "S2.h5ad"]
    clash = binned(*tables[:2], write(tmp_path / "old/A.csv"), "more")
    assert clash.exit_code == 2
    assert f"{tables[0]} and {tmp_path / 'old/A.csv'} would both become A.h5ad" in clash.output


def test_a_folder_that_is_named_by_two_dots_has_its_own_name(tmp_path, monkeypatch):
    for place in ("run/A", "run/B"):
        write(tmp_path / place / "transcripts.parquet")
    (tmp_path / "run/A/units").mkdir()
    monkeypatch.chdir(tmp_path / "run/A/units")
    tables = "../transcripts.parquet", "../../A/transcripts.parquet", "../../B/transcripts.parquet"
    done = binned(*tables, ".")
    assert done.exit_code == 0, done.output
    assert "2 of 2 jobs done; 2 files written" in done.output
    assert sorted(path.name for path in (tmp_path / "run/A/units").iterdir()) == ["A.h5ad", "B.h5ad"]


def test_a_table_that_cannot_be_read_costs_no_other_and_is_told_at_the_end(tables, tmp_path):
    tables[1] = tmp_path / "broken.csv"
    tables[1].write_text("a,b\n1,2\n")
    done = binned(*tables, "units")
    assert done.exit_code == 1
    assert "[2/3] broken: failed: " in done.output
    assert "no column for the x of a transcript" in done.output.split("[3/3]")[1]
    assert "2 of 3 jobs done, 1 failed; 2 files written, 0 reused" in done.output
    files = {path.name: path.stat().st_ino for path in (tmp_path / "units").glob("*.h5ad")}
    assert sorted(files) == ["S1.h5ad", "S3.v2.h5ad"]
    write(tables[1])
    done = binned(*tables, "units")
    assert done.exit_code == 0
    assert "3 of 3 jobs done; 1 files written, 2 reused" in done.output
    assert {name: (tmp_path / "units" / name).stat().st_ino for name in files} == files
    assert not (tmp_path / "units/.stbench-bin").exists()


def test_an_interrupted_command_goes_on_with_what_is_still_true(tables, tmp_path, monkeypatch):
    real = Binning._done

    def done(self, job):
        if job.label == "S3.v2":
            raise KeyboardInterrupt
        return real(self, job)

    with monkeypatch.context() as patch:
        patch.setattr(Binning, "_done", done)
        first = binned(*tables, "units")
    assert first.exit_code == 130
    assert (
        f"interrupted: 2 of 3 jobs are done and kept in {tmp_path / 'units'}; the same command"
        in first.output
    )
    write(tables[0], seed=9)
    os.utime(tables[0], ns=(0, 0))
    again = binned(*tables, "units")
    assert "2 files written, 1 reused" in again.output
    binned(tables[0], "S1.h5ad")
    assert (tmp_path / "units/S1.h5ad").read_bytes() == (tmp_path / "S1.h5ad").read_bytes()
    # With all done nothing is remembered: the command is given anew.
    assert "3 files written, 0 reused" in binned(*tables, "units").output


@pytest.mark.parametrize("change", ["another lattice", "a file that somebody changed", "a file that is gone"])
def test_what_is_not_as_it_was_left_is_done_again(tables, tmp_path, monkeypatch, change):
    (tmp_path / "broken.csv").write_text("")
    binned(*tables, "broken.csv", "units")
    more = ()
    if change == "another lattice":
        more = ("--min-tissue", "0.1")
    elif change == "a file that is gone":
        (tmp_path / "units/S1.h5ad").unlink()
    else:
        (tmp_path / "units/S1.h5ad").write_bytes(b"mine")
    done = binned(*tables, "broken.csv", "units", *more)
    written = 3 if more else 1
    assert f"{written} files written, {3 - written} reused" in done.output


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("o.h5ad", "3 tables are written to a folder: name one that is no *.h5ad"),
        ("S1.parquet", "is a file: name a folder for 3 tables"),
        ("no/units", "there is no folder no"),
    ],
)
def test_what_is_no_folder_is_told_before_any_work(tables, tmp_path, out, said):
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = binned(*tables, out)
    assert done.exit_code == 2
    assert said in done.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_tables_that_are_not_there_are_all_named(tables, tmp_path):
    done = binned(*tables, "S4.csv", "S5.csv", "units")
    assert done.exit_code == 2
    assert "there is no S4.csv, S5.csv: nothing was counted" in done.output
    assert not (tmp_path / "units").exists()
