"""Checks as jobs: what a worker keeps is what a command looks for, and who has other data says so."""

from __future__ import annotations

from dataclasses import asdict, replace

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.cluster.binning import Binning
from pytest_stbench.cluster.checking import JOBS, Checking, jobs_of
from pytest_stbench.cluster.giving import ordered
from pytest_stbench.cluster.orders import TableJob
from pytest_stbench.data.propose.for_check import DataOptions
from pytest_stbench.preprocess import statistics
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.quality.given import given_by
from pytest_stbench.spec.model import BinSpec

REGISTRY = builtin_registry()
NAMES = REGISTRY.checks.names


def slides(folder, number=3):
    folder.mkdir()
    for seed in range(number):
        rng = np.random.default_rng(seed)
        places = rng.uniform(0, 400, (200, 2))
        # Depths so far apart that each fold has a scale of its own.
        rate = (0.3 + np.abs(np.sin(places[:, :1] / 90 + np.arange(40) / 5))) * 3**seed
        obs = pd.DataFrame({"patient": f"P{seed}"}, index=[f"c{unit}" for unit in range(200)])
        genes = pd.DataFrame(index=[f"GENE{gene}" for gene in range(40)])
        slide = anndata.AnnData(csr_matrix(rng.poisson(rate).astype(np.float32)), obs=obs, var=genes)
        slide.obsm["spatial"] = places
        slide.write_h5ad(folder / f"S{seed}.h5ad")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return slides(tmp_path_factory.mktemp("data") / "slides")


def given(folder, store, **keys):
    said = DataOptions(keys={"resolution": "cell", "technology": "Xenium", **keys})
    found = given_by((str(folder),), said, "exploratory", None, REGISTRY, store)
    asked = {"said": {**asdict(said), "samples": None}, "claim": "exploratory"}
    return found, asked


def test_statistics_of_slides_are_all_that_checks_ask_for(folder, tmp_path, monkeypatch):
    store = tmp_path / "store"
    found, asked = given(folder, store)
    jobs = jobs_of((str(folder),), found, NAMES, REGISTRY, 1)
    of_slides = [job for job in jobs if job.slide]
    assert [job.label for job in of_slides] == ["slide slides S0", "slide slides S1", "slide slides S2"]
    with ordered("check", asked, store) as order:
        for job in of_slides:
            assert Checking(order).do(job).outcome == "done"
        kept = len(list((store / "remember/statistics").iterdir()))
        assert kept > 2 * len(of_slides), "folds have scales of their own"

        def again(slide):
            raise AssertionError(f"{slide.meta.slide_id} is counted again")

        monkeypatch.setattr(statistics, "detection_rate", again)
        work = Checking(order)
        for job in jobs:
            assert work.do(job).outcome == "done"
    assert len(list((store / "remember/statistics").iterdir())) == kept


def test_every_check_of_slides_is_in_one_job(folder, tmp_path):
    found, _ = given(folder, tmp_path)
    wanted = sorted(
        one.name for one in REGISTRY.checks if one.scope in ("dataset", "split") and one.needs == "slides"
    )
    for views, parts in ((1, JOBS), (4, JOBS // 4), (JOBS, 1), (1000, 1)):
        jobs = [job for job in jobs_of((str(folder),), found, NAMES, REGISTRY, views) if not job.slide]
        assert len(jobs) == parts
        assert sorted(name for job in jobs for name in job.checks) == wanted
    assert jobs_of((str(folder),), found, ["metadata_missing"], REGISTRY, 1) == []
    (alone,) = jobs_of((str(folder),), found, ["duplicate_units"], REGISTRY, 1)
    assert alone.checks == ("duplicate_units",)


def test_who_has_other_slides_or_none_says_so(folder, tmp_path):
    found, asked = given(folder, tmp_path)
    job = jobs_of((str(folder),), found, NAMES, REGISTRY, 1)[0]
    other = slides(tmp_path / "slides", number=2)
    with ordered("check", asked, tmp_path / "store") as order:
        work = Checking(order)
        done = work.do(replace(job, sources=(str(other),)))
        assert done.outcome == "unfit"
        assert "finds other slides, or another text, at " in done.message
        done = work.do(replace(job, sources=(str(tmp_path / "absent"),)))
        assert done.outcome == "unfit"
        assert f"cannot read {tmp_path / 'absent'}: " in done.message
        assert work.do(job).outcome == "done"


def test_who_cannot_keep_what_checks_find_does_no_more(folder, tmp_path, monkeypatch):
    found, asked = given(folder, tmp_path)
    jobs = jobs_of((str(folder),), found, NAMES, REGISTRY, 1)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with ordered("check", asked, tmp_path / "store") as order:
        work = Checking(order)
        assert not work.unfit()
        monkeypatch.setattr("pytest_stbench.store.store.write_sealed", full)
        for job in jobs[:2]:
            done = work.do(job)
            assert done.outcome == "unfit"
            assert done.message.startswith("computes in vain: predictions cannot be kept in ")
            assert "No space left on device" in done.message


def test_a_table_that_a_worker_does_not_find(tmp_path):
    with ordered("bin", BinSpec(geometry="visium").model_dump(mode="json"), tmp_path) as order:
        job = TableJob(label="S1", table=str(tmp_path / "S1.csv"), out=str(tmp_path / "S1.h5ad"))
        done = Binning(order).do(job)
    assert done.outcome == "unfit"
    assert f"does not find {job.table}: put the tables on a path that all machines share" in done.message
