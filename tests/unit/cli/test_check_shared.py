"""``stbench check`` whose jobs were done before: the same output, whatever is judged and however bad it is.

Here the jobs are done in this process; tests/integration/cluster hands them to workers.
"""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from pytest_stbench.cli import checked_by_workers, main
from pytest_stbench.run.quality.task_checks import TaskChecks

from ...command import APART  # noqa: TID252  # of the tests alone, which no package has

TASK = """
stbench: 1
name: mine
version: 1
family: imputation
claim: exploratory
datasets:
  mine: {source: h5ad, path: "PATH", technology: Xenium, resolution: cell, keys: {patient: patient}}
checks:
  duplicate_units: {waive: true, reason: "known"}
  gene_sparsity: {max_sparse_share: 0.2, reason: "few"}
preprocess:
  genes: {select: svg, n: 10}
  variants: {squares: {bin: {geometry: square, size_um: 60}}, plain: {normalise: log1p}}
imputation: {hide: {folds: 4, fold: 0}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    for place, number in (("good", 3), ("more", 2), ("bad", 2)):
        (folder / place).mkdir()
        for seed in range(number):
            rng = np.random.default_rng(seed)
            places = rng.uniform(0, 300, (120, 2))
            counts = rng.poisson(0.4 + np.abs(np.sin(places[:, :1] / 90 + np.arange(30) / 5)))
            obs = pd.DataFrame({"patient": f"P{seed}"}, index=[f"c{unit}" for unit in range(120)])
            genes = pd.DataFrame(index=[f"GENE{gene}" for gene in range(30)])
            slide = anndata.AnnData(csr_matrix(counts.astype(np.float32)), obs=obs, var=genes)
            slide.obsm["spatial"] = places
            slide.write_h5ad(folder / place / f"S{seed}.h5ad")
    slide.X.data[:] = np.nan
    slide.write_h5ad(folder / "bad/S1.h5ad")
    whole = (folder / "bad/S0.h5ad").read_bytes()
    (folder / "bad/S2.h5ad").write_bytes(whole[: len(whole) // 2])
    (folder / "who.csv").write_text("slide,patient,technology\nS0,A,Visium\nS1,B,Visium\n")
    (folder / "here.stbench.yaml").write_text(TASK.replace("PATH", "good/*.h5ad"))
    (folder / "absent.stbench.yaml").write_text(TASK.replace("PATH", "none/*.h5ad"))
    (folder / "wrong.stbench.yaml").write_text("stbench: 1\n")
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    """Jobs that are for workers are done in this process."""
    real = checked_by_workers.given_out
    monkeypatch.setattr(checked_by_workers, "given_out", lambda _, *given: real(None, *given))
    monkeypatch.chdir(folder)


def check(*arguments):
    return CliRunner(**APART).invoke(main, ["check", *map(str, arguments)])


SOURCES = {
    "a folder": ("good",),
    "files and options": ("good/S0.h5ad", "good/S2.h5ad", "--set", "resolution=cell", "--samples", "who.csv"),
    "some checks": ("good", "--select", "no_spatial_signal,metadata_missing"),
    "no check of slides": ("good", "--select", "metadata_missing"),
    "a task with variants": ("here.stbench.yaml",),
    "several": ("good", "who.csv", "more", "here.stbench.yaml", "--waive", "metadata_missing=known"),
    "data that is bad": ("bad", "good"),
    "data that is not there": ("absent.stbench.yaml",),
    "files that are not there": ("none/*.h5ad", "more"),
    "a task file that is wrong": ("wrong.stbench.yaml", "who.csv"),
    "a sheet": ("who.csv",),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("arguments", SOURCES.values(), ids=list(SOURCES))
def test_the_output_is_the_same(arguments, tmp_path):
    alone = check(*arguments)
    shared = check(*arguments, "--dask", "local:2", "--stbench-store", tmp_path / "store")
    assert (shared.exit_code, shared.stdout) == (alone.exit_code, alone.stdout)
    assert shared.stderr.endswith(alone.stderr)
    assert "Traceback" not in shared.output


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("form", ["json", "html"])
def test_records_and_pages_are_the_same(form, tmp_path):
    asked = (*SOURCES["several"], "--format", form)
    alone, shared = (
        check(*asked).stdout,
        check(*asked, "--dask", "local:1", "--stbench-store", tmp_path).stdout,
    )
    if form == "json":
        alone, shared = ({**json.loads(text), "run": None} for text in (alone, shared))
    assert alone == shared


@pytest.mark.usefixtures("here")
def test_the_command_judges_nothing_that_was_judged(tmp_path, monkeypatch):
    asked = (*SOURCES["several"], "--stbench-store", tmp_path)
    check(*asked, "--dask", "local:2")
    real, judged = TaskChecks._facts, []
    monkeypatch.setattr(TaskChecks, "_facts", lambda self, *a: judged.append(a[0]) or real(self, *a))
    done = check(*asked)
    assert "design checklist" in done.output
    assert judged
    assert {one.name for one in judged if one.needs == "slides" and one.scope != "task"} == set()
