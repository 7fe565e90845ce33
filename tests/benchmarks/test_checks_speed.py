"""Checks of what a task evaluates, and their kernels beside scipy. Full size with STBENCH_BENCH=full.

Full size is a section of 4,000 spots and 18,000 genes, and 300,000 cells of 500 genes. The goals
for all checks together, on two cores: 10 s and 30 s, within the memory of the matrix plus 1 GB (shown by
``--benchmark-json``: ``extra_info`` of the group on memory).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
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
from pytest_stbench.run.quality.scored_view import MeasuredSlides
from pytest_stbench.spec.model import DatasetSpec, PreprocessSpec
from pytest_stbench.splits.table import Sample

FULL = os.environ.get("STBENCH_BENCH") == "full"
SHAPES = {
    "spots": (4000, 18_000, 0.135, "spot") if FULL else (400, 500, 0.135, "spot"),
    "cells": (300_000, 500, 0.2, "cell") if FULL else (3000, 100, 0.2, "cell"),
}
SCOPES = ("dataset",)
ROOT = Path(__file__).parents[2]


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
    return facts_of(request.param)


def facts_of(shape):
    """Return a maker of all that checks of a data set ask for, of one slide; nothing is computed before."""
    slide = make_slide(*SHAPES[shape])
    dataset = SimpleNamespace(
        name="toy", config=DatasetSpec(source="h5ad", panel="x"), notes={}, genes=slide.genes,
        samples=(Sample(slide="S1", patient="P1"),), panels={"S1": tuple(slide.genes.tolist())},
        slides=lambda: iter([slide]), slide=lambda _: slide,
    )  # fmt: skip

    def fresh():
        spec = SimpleNamespace(preprocess=PreprocessSpec())
        opened = SimpleNamespace(statistics={}, filtered=lambda *_: slide)
        folding = SimpleNamespace(
            choose=lambda train, *_: (
                None,
                SimpleNamespace(candidates=np.arange(len(slide.genes)), judged=None),
                fit_preprocess(train, spec.preprocess, statistics=opened.statistics),
            )
        )
        measured = MeasuredSlides(spec, "", dataset, (), folding=folding, opened=opened, roots=())
        nothing = {"perfect": dict, "primary": "pearson_gene"}
        return ({"dataset": dataset, "measured": measured, "claim": "exploratory", **nothing},), {}

    return fresh


def all_checks(arguments):
    records = [record for record in CHECKS if record.scope in SCOPES]
    return [run_check(record, load_target(record.target), arguments) for record in records]


@pytest.mark.benchmark(group="all checks of a slide")
def test_all_checks_of_a_slide(benchmark, facts):
    results = benchmark.pedantic(all_checks, setup=facts, rounds=1, warmup_rounds=1)
    assert not any("traceback" in result.details for result in results)


def quality_control_of_today(slide, n_perms):
    """What users run: QC metrics, variable genes, Moran's I of detected genes, some with permutations."""
    squidpy = pytest.importorskip("squidpy", exc_type=ImportError)
    import anndata
    import scanpy

    adata = anndata.AnnData(slide.counts.astype(np.float32), obsm={"spatial": slide.xy_um})
    scanpy.pp.calculate_qc_metrics(adata, inplace=True, percent_top=(50,))
    detected = np.flatnonzero(adata.var["n_cells_by_counts"] >= 0.1 * adata.n_obs)
    scanpy.pp.normalize_total(adata)
    scanpy.pp.log1p(adata)
    scanpy.pp.highly_variable_genes(adata)
    squidpy.gr.spatial_neighbors(adata, coord_type="generic", n_neighs=6)
    names = list(adata.var_names[detected])
    for genes, perms in ((names, None), (names[:500], n_perms)):
        squidpy.gr.spatial_autocorr(
            adata, mode="moran", genes=genes, n_perms=perms, copy=True, show_progress_bar=False
        )
    return adata


@pytest.mark.benchmark(group="all checks of a slide")
@pytest.mark.parametrize("shape", SHAPES)
def test_what_users_run_today(benchmark, shape):
    slide = make_slide(*SHAPES[shape])
    # Permutations of all cells take squidpy many minutes: our checks look at 5,000 of them.
    perms = 99 if shape == "spots" else None
    assert benchmark.pedantic(quality_control_of_today, args=(slide, perms), rounds=1).n_obs == slide.n_units


def peak_of_all_checks(shape):
    """Return the MiB of the sparse matrix, of this process before the checks, and at their peak."""
    facts = facts_of(shape)
    counts = facts()[0][0]["dataset"].slide("S1").counts
    matrix = sum(a.nbytes for a in (counts.data, counts.indices, counts.indptr))
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    all_checks(*facts()[0])
    return matrix >> 20, before, resident("VmHWM")


def peak_of_a_fresh_process(shape):
    """Return the same of a process that has held nothing before."""
    code = (
        "import sys; sys.path.insert(0, 'tests/benchmarks')\n"
        "import test_checks_speed as t\n"
        f"print(*t.peak_of_all_checks({shape!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(map(int, done.stdout.split()))


def resident(field):
    """Return a size of this process in MiB."""
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) >> 10


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak from Linux")
@pytest.mark.benchmark(group="memory of all checks")
@pytest.mark.parametrize("shape", SHAPES)
def test_memory_of_all_checks(benchmark, shape):
    peak_of = peak_of_all_checks if benchmark.disabled else peak_of_a_fresh_process
    matrix, before, peak = benchmark.pedantic(peak_of, args=(shape,), rounds=1)
    benchmark.extra_info.update(matrix_mib=matrix, before_mib=before, peak_mib=peak)
    assert peak >= before - 1


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
