"""``stbench bin`` of several tables on workers: the same files, and none half written."""

from __future__ import annotations

import os
import signal

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("distributed", reason="dask.distributed is not installed (extra `dask`)")

from .conftest import CountingProxy, Machines, Watched, said, started, waited

NAMES = ["S1", "S2", "S3", "S4"]
SQUARES = ("--geometry", "square", "--size-um", "20")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    for seed, name in enumerate(NAMES):
        rng = np.random.default_rng(seed)
        x, y = rng.uniform(0, 300, (2, 20_000))
        table = pd.DataFrame({"x": x, "y": y, "gene": rng.choice(list("ABCD"), len(x))})
        table.to_parquet(folder / f"{name}.parquet")
    code, out = said(started(folder, "bin", *tables(), "alone", *SQUARES))
    assert code == 0, out
    return Watched(folder)


def tables():
    return [f"{name}.parquet" for name in NAMES]


@pytest.fixture(autouse=True)
def _afresh(watched):
    watched.afresh()


@pytest.fixture
def machines(watched):
    with Machines(watched.folder) as made:
        made.worker()
        made.worker()
        made.joined(2)
        yield made


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_workers_write_the_same_files_and_no_transcript_travels(watched, machines, tmp_path):
    proxy = CountingProxy(machines.address)
    code, out = said(
        started(watched.folder, "bin", *tables(), tmp_path / "units", *SQUARES, "--dask", proxy.address)
    )
    proxy.close()
    assert code == 0, out
    assert f"4 of 4 jobs done; 4 files written, 0 reused: {tmp_path / 'units'}" in out
    assert files(tmp_path / "units") == files(watched.folder / "alone")
    assert len({worker for _, worker, _ in watched.jobs()}) == 2
    assert sum((watched.folder / name).stat().st_size for name in tables()) > 1_000_000
    assert proxy.bytes < 60_000


@pytest.mark.parametrize("whole", [False, True], ids=["the worker", "the worker with the process of the job"])
def test_a_worker_killed_while_it_writes_leaves_nothing_half_written(watched, machines, tmp_path, whole):
    watched.hold("S2")
    units = tmp_path / "units"
    command = started(watched.folder, "bin", *tables(), units, *SQUARES, "--dask", machines.address)
    waited((watched.folder / "held").exists, "a table that is half written")
    ((_, worker, job),) = watched.jobs("S2")
    assert list(units.glob(".stbench-bin/.stbench-*/S2.h5ad"))
    for number in (job, worker) if whole else (worker,):
        os.kill(number, signal.SIGKILL)
    waited(lambda: len(watched.jobs("S2")) == 2, "the table in a second process")
    assert not (units / "S2.h5ad").exists()
    watched.go()
    code, out = said(command)
    assert code == 0, out
    assert "4 of 4 jobs done" in out
    assert files(units) == files(watched.folder / "alone")


def test_ctrl_c_and_the_same_command(watched, machines, tmp_path):
    watched.hold("S4")
    units = tmp_path / "units"
    command = started(watched.folder, "bin", *tables(), units, *SQUARES, "--dask", machines.address)
    waited((watched.folder / "held").exists, "a table that is half written")
    kept = units / ".stbench-bin/remember/binned"
    waited(lambda: len(list(kept.glob("*.json"))) == 3, "the others")
    command.send_signal(signal.SIGINT)
    code, out = said(command)
    assert code == 130
    assert f"and kept in {units}; the same command does the others" in out
    assert sorted(path.name for path in units.glob("*.h5ad")) == ["S1.h5ad", "S2.h5ad", "S3.h5ad"]
    watched.go()
    code, out = said(started(watched.folder, "bin", *tables(), units, *SQUARES, "--dask", machines.address))
    assert code == 0, out
    assert "4 of 4 jobs done; 1 files written, 3 reused" in out
    assert files(units) == files(watched.folder / "alone")


def test_one_table_on_a_worker_of_this_machine(watched, tmp_path):
    code, out = said(
        started(watched.folder, "bin", "S1.parquet", tmp_path / "o.h5ad", *SQUARES, "--dask", "local:1")
    )
    assert code == 0, out
    assert files(tmp_path) == {"o.h5ad": (watched.folder / "alone/S1.h5ad").read_bytes()}


def test_errors_of_tables_are_told_together(watched, machines, tmp_path):
    for name in ("bad1.csv", "bad2.csv"):
        (watched.folder / name).write_text("a,b\n1,2\n")
    command = (
        "bin",
        "bad1.csv",
        "S1.parquet",
        "bad2.csv",
        tmp_path / "units",
        *SQUARES,
        "--dask",
        machines.address,
    )
    code, out = said(started(watched.folder, *command))
    assert code == 1
    told = out.split("jobs done")[0].splitlines()[-6:]
    assert [line.split(":")[0] for line in told if "no column for the x" in line] == ["bad1", "bad2"]
    assert "1 of 3 jobs done, 2 failed; 1 files written, 0 reused" in out
