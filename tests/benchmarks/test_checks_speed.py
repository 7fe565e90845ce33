"""Checks of what a task evaluates, and their kernels beside scipy. Full size with STBENCH_BENCH=full.

Full size is a section of 4,000 spots and 18,000 genes, and 300,000 cells of 500 genes. The goals
for all checks together, on two cores: 10 s and 30 s.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import f_oneway, rankdata

from pytest_stbench.checks import CHECKS, run_check
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.kernels.group_variance import variance_between
from pytest_stbench.kernels.sparse_ranks import spearman_with
from pytest_stbench.preprocess.fitted import fit_preprocess
from pytest_stbench.registry import load_target
from pytest_stbench.run.measured import MeasuredSlides
from pytest_stbench.spec.model import DatasetSpec, PreprocessSpec
from pytest_stbench.splits.table import Sample

FULL = os.environ.get("STBENCH_BENCH") == "full"
SHAPES = {
    "spots": (4000, 18_000, 0.135, "spot") if FULL else (400, 500, 0.135, "spot"),
    "cells": (300_000, 500, 0.2, "cell") if FULL else (3000, 100, 0.2, "cell"),
}
SCOPES = ("dataset",)


def make_slide(n, g, density, resolution, seed=0):
    """Counts of uneven genes and depth, a third of the genes with a gradient."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    index = np.arange(n)
    pitch = 100.0 if resolution == "spot" else 12.0
    xy = np.column_stack(
        [(index % side + 0.5 * (index // side % 2)) * pitch, index // side * pitch * np.sqrt(3) / 2]
    )
    blocks = []
    for start in range(0, g, 250):
        width = min(250, g - start)
        rate = rng.gamma(0.3, density / 0.3, width) * rng.lognormal(0, 0.5, n)[:, None]
        slope = np.where(rng.random(width) < 0.3, 2.0, 0.0) * (index[:, None] // side / side - 0.5)
        blocks.append(sp.csc_matrix(rng.poisson(np.minimum(rate * np.exp(slope), 50.0)).astype(np.int32)))
    counts = sp.csr_matrix(sp.hstack(blocks))
    return Slide(
        meta=SlideMeta(slide_id="S1", resolution=resolution, pitch_um=pitch, technology="Visium"),
        unit_names=index.astype(str),
        genes=np.array([f"GENE{i}" for i in range(g)]),
        measured=np.ones(g, dtype=bool),
        counts=counts,
        libsize=np.asarray(counts.sum(axis=1), dtype=float).ravel(),
        n_detected=np.diff(counts.indptr),
        xy_um=xy,
        labels={"niche": np.array(["a", "b", "c"], dtype=object)[index * 3 // n]},
    )


@pytest.fixture(scope="module", params=SHAPES)
def facts(request):
    """Everything the checks of a data set ask for, of one slide; nothing is computed before."""
    slide = make_slide(*SHAPES[request.param])
    dataset = SimpleNamespace(
        name="toy", config=DatasetSpec(source="h5ad", panel="x"), notes={}, genes=slide.genes,
        samples=(Sample(slide="S1", patient="P1"),), panels={"S1": tuple(slide.genes.tolist())},
        slides=lambda: iter([slide]), slide=lambda _: slide,
    )  # fmt: skip

    def fresh():
        spec = SimpleNamespace(preprocess=PreprocessSpec())
        shelf = SimpleNamespace(statistics={}, filtered=lambda *_: slide)
        folding = SimpleNamespace(
            choose=lambda train, *_: (
                None,
                SimpleNamespace(candidates=np.arange(len(slide.genes)), judged=None),
                fit_preprocess(train, spec.preprocess, statistics=shelf.statistics),
            )
        )
        measured = MeasuredSlides(spec, "", dataset, (), folding=folding, shelf=shelf, roots=())
        return ({"dataset": dataset, "measured": measured, "claim": "exploratory"},), {}

    return fresh


def all_checks(arguments):
    records = [record for record in CHECKS if record.scope in SCOPES]
    return [run_check(record, load_target(record.target), arguments) for record in records]


@pytest.mark.benchmark(group="all checks of a slide")
def test_all_checks_of_a_slide(benchmark, facts):
    all_checks(*facts()[0])  # compiles what is compiled
    results = benchmark.pedantic(all_checks, setup=facts, rounds=1)
    assert not any("traceback" in result.details for result in results)


@pytest.fixture(scope="module")
def expression():
    n, g = (20_000, 5000) if FULL else (1000, 200)
    values = sp.random(n, g, density=0.13, format="csc", random_state=0)
    return values, np.random.default_rng(0).lognormal(7, 1, n)


@pytest.mark.benchmark(group="library-size spearman")
def test_library_size_ours(benchmark, expression):
    spearman_with(expression[0][:, :2], expression[1])
    values = benchmark.pedantic(spearman_with, args=expression, rounds=3)
    assert np.isfinite(values).all()


@pytest.mark.benchmark(group="library-size spearman")
def test_library_size_rankdata(benchmark, expression):
    def correlate(values, depth):
        ranks, other = rankdata(values.toarray(), axis=0), rankdata(depth)
        ranks -= ranks.mean(axis=0)
        other -= other.mean()
        return other @ ranks / np.sqrt((ranks**2).sum(axis=0) * (other**2).sum())

    values = benchmark.pedantic(correlate, args=expression, rounds=1)
    assert values == pytest.approx(spearman_with(*expression), abs=1e-12)


@pytest.fixture(scope="module")
def patients():
    n, g = (20_000, 2000) if FULL else (1000, 100)
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, g)), rng.integers(0, 8, n)


@pytest.mark.benchmark(group="patient eta2")
def test_patient_eta2_ours(benchmark, patients):
    values = benchmark.pedantic(variance_between, args=(*patients, 8), rounds=3, warmup_rounds=1)
    assert np.isfinite(values).all()


@pytest.mark.benchmark(group="patient eta2")
def test_patient_eta2_f_oneway(benchmark, patients):
    def eta2(values, groups):
        f = f_oneway(*[values[groups == group] for group in range(8)], axis=0).statistic
        return f * 7 / (f * 7 + len(values) - 8)

    values = benchmark.pedantic(eta2, args=patients, rounds=3)
    assert values == pytest.approx(variance_between(*patients, 8), abs=1e-9)
