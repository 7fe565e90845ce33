"""``stbench check`` on workers: its output is the same to the byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

pytest.importorskip("distributed", reason="dask.distributed is not installed (extra `dask`)")

from .conftest import Machines, Watched, said, started, waited

SLIDES = 4
TASK = """
stbench: 1
name: four
version: 1
family: imputation
claim: exploratory
datasets:
  mine: {source: h5ad, path: "slides/*.h5ad", technology: Xenium, resolution: cell, keys: {patient: patient}}
splits: [lopo]
preprocess: {genes: {select: svg, n: 10}}
imputation: {hide: {folds: 4, fold: 0}}
"""
TEXT = ("check", "slides", "--set", "resolution=cell", "--set", "technology=Xenium", "--samples", "who.csv")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    (folder / "slides").mkdir()
    rng = np.random.default_rng(0)
    for number in range(SLIDES):
        places = rng.uniform(0, 400, (300, 2))
        rate = 0.3 + np.abs(np.sin(places[:, :1] / 90 + np.arange(40) / 5))
        obs = pd.DataFrame({"patient": f"P{number}"}, index=[f"c{unit}" for unit in range(300)])
        genes = pd.DataFrame(index=[f"GENE{gene}" for gene in range(40)])
        slide = anndata.AnnData(csr_matrix(rng.poisson(rate).astype(np.float32)), obs=obs, var=genes)
        slide.obsm["spatial"] = places
        slide.write_h5ad(folder / f"slides/S{number}.h5ad")
    rows = "".join(f"S{number},P{number // 2}\n" for number in range(SLIDES))
    (folder / "who.csv").write_text(f"slide,patient\n{rows}")
    (folder / "four.stbench.yaml").write_text(TASK)
    return Watched(folder)


@pytest.fixture(autouse=True)
def _afresh(watched):
    watched.afresh()


@pytest.fixture(scope="module")
def steady(watched):
    """Two workers that tests share."""
    with Machines(watched.folder) as made:
        made.worker()
        made.worker()
        made.joined(2)
        yield made


def checked(watched, *arguments):
    """Return exit code, output and standard error of a command."""
    process = started(watched.folder, *arguments, errors=subprocess.PIPE)
    out, err = process.communicate(timeout=600)
    assert "Traceback" not in out + err
    return process.returncode, out, err


@pytest.mark.parametrize("arguments", [TEXT, ("check", "four.stbench.yaml"), ("check", "slides/S0.h5ad")])
def test_text_and_exit_code_are_the_same(watched, steady, tmp_path, arguments):
    alone = checked(watched, *arguments)
    code, out, err = checked(watched, *arguments, "--dask", steady.address, "--stbench-store", tmp_path / "s")
    assert (code, out) == alone[:2]
    assert "FAIL" in out or code == 0
    jobs = watched.jobs()
    assert len({worker for _, worker, _ in jobs}) == 2
    assert f"{len(jobs)} of {len(jobs)} jobs done: {tmp_path / 's'}\n" in err
    assert len({label for label, _, _ in jobs}) == len(jobs)


def test_records_are_the_same_and_nothing_is_judged_anew(watched, steady, tmp_path):
    store = tmp_path / "store"
    paths = [tmp_path / "alone.json", tmp_path / "shared.json", tmp_path / "again.json"]
    whole = (*TEXT, "four.stbench.yaml", "--format", "json", "--output")
    checked(watched, *whole, paths[0])
    checked(watched, *whole, paths[1], "--dask", steady.address, "--stbench-store", store)
    kept = {path: path.stat().st_mtime_ns for path in (store / "remember/checks").iterdir()}
    checked(watched, *whole, paths[2], "--stbench-store", store)
    assert {path: path.stat().st_mtime_ns for path in (store / "remember/checks").iterdir()} == kept
    alone, *others = [json.loads(path.read_text()) for path in paths]
    del alone["run"]  # the command line, and when it was
    for found in others:
        del found["run"]
        assert json.dumps(found) == json.dumps(alone)


def test_a_worker_killed_in_the_middle_changes_nothing(watched, tmp_path):
    alone = checked(watched, *TEXT)
    with Machines(watched.folder) as machines:
        machines.worker()
        machines.worker()
        machines.joined(2)
        watched.hold("checks slides 3/16")
        process = started(
            watched.folder,
            *TEXT,
            "--dask",
            machines.address,
            "--stbench-store",
            tmp_path,
            errors=subprocess.PIPE,
        )
        ((_, worker, job),) = waited(lambda: watched.jobs("checks slides 3/16"), "a job that waits")
        os.kill(worker, signal.SIGKILL)
        os.kill(job, signal.SIGKILL)
        watched.go()
        out, err = process.communicate(timeout=600)
    assert (process.returncode, out) == alone[:2]
    assert len({worker for _, worker, _ in watched.jobs("checks slides 3/16")}) == 2
    assert "Traceback" not in err


def test_ctrl_c_leaves_what_was_judged(watched, steady, tmp_path):
    watched.hold("checks slides 9/16")
    process = started(watched.folder, *TEXT, "--dask", steady.address, "--stbench-store", tmp_path)
    waited((watched.folder / "held").exists, "a job that waits")
    process.send_signal(signal.SIGINT)
    code, out = said(process)
    assert code == 130
    assert f"and kept in {tmp_path}; the same command does the others" in out
    assert "design checklist" not in out
    before = {path.name for path in (tmp_path / "remember/checks").iterdir()}
    watched.go()
    code, _, _ = checked(watched, *TEXT, "--dask", steady.address, "--stbench-store", tmp_path)
    assert code == 1
    assert before < {path.name for path in (tmp_path / "remember/checks").iterdir()}


def test_a_scheduler_that_is_gone_ends_the_command_without_a_verdict(watched, tmp_path):
    with Machines(watched.folder) as machines:
        machines.worker()
        machines.joined(1)
        watched.hold("checks slides 1/16")
        process = started(watched.folder, *TEXT, "--dask", machines.address, "--stbench-store", tmp_path)
        waited((watched.folder / "held").exists, "a job that waits")
        machines.scheduler.kill()
        code, out = said(process)
    assert code == 2
    assert f"the scheduler at {machines.address} is gone: what was done is in {tmp_path}" in out
    assert "design checklist" not in out
