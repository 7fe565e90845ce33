"""``stbench check`` of one h5ad beside what users run today, and kernels of checks beside scipy.

Both sides are fresh processes on the same file, imports included; they tell their CPU time and peak memory.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import f_oneway, rankdata

from pytest_stbench.kernels.group_variance import variance_between
from pytest_stbench.kernels.sparse_ranks import spearman_with

SIZES = {"cells": (8_000, 40_000, 200_000), "spots": (400, 1_200, 4_000), "units": (1_000, 5_000, 20_000)}
PATIENTS = 8


def write_slide(path, n, genes, density, pitch):
    """Counts of uneven genes and depth, a third of the genes with a gradient."""
    rng = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(n)))
    index = np.arange(n)
    row, column = np.divmod(index, side)
    xy = np.column_stack([(column + 0.5 * (row % 2)) * pitch, row * pitch * np.sqrt(3) / 2])
    blocks = []
    for start in range(0, genes, 250):
        width = min(250, genes - start)
        rate = rng.gamma(0.3, density / 0.3, width) * rng.lognormal(0, 0.5, n)[:, None]
        slope = np.where(rng.random(width) < 0.3, 2.0, 0.0) * (row[:, None] / side - 0.5)
        blocks.append(sp.csc_matrix(rng.poisson(np.minimum(rate * np.exp(slope), 50.0)).astype(np.float32)))
    niche = np.array(["a", "b", "c"])[index * 3 // n]
    slide = anndata.AnnData(
        sp.csr_matrix(sp.hstack(blocks)),
        obs=pd.DataFrame({"niche": niche}, index=index.astype(str)),
        var=pd.DataFrame(index=[f"GENE{gene}" for gene in range(genes)]),
        obsm={"spatial": xy},
    )
    slide.write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def cell_file(cells, sized, tmp_path_factory):
    return write_slide(tmp_path_factory.mktemp("cells") / "S1.h5ad", sized(cells), sized(500), 0.2, 12.0)


@pytest.fixture(scope="module")
def spot_file(spots, sized, tmp_path_factory):
    return write_slide(tmp_path_factory.mktemp("spots") / "S1.h5ad", spots, sized(18_000), 0.135, 100.0)


CHECK = "from pytest_stbench.cli import main\nmain()\n"
TODAY = """
import sys
import anndata, scanpy, squidpy
slide = anndata.read_h5ad(sys.argv[1])
scanpy.pp.calculate_qc_metrics(slide, inplace=True, percent_top=(50,))
scanpy.pp.normalize_total(slide)
scanpy.pp.log1p(slide)
scanpy.pp.highly_variable_genes(slide, flavor="seurat")
squidpy.gr.spatial_neighbors(slide, coord_type="generic", n_neighs=6)
squidpy.gr.spatial_autocorr(slide, mode="moran", n_perms=None, show_progress_bar=False)
"""
"""QC metrics, variable genes, neighbours and Moran's I of all genes."""


@pytest.fixture(scope="module")
def compiled(pytestconfig, tmp_path_factory):
    """Have both sides compile what they keep, so that the first size does not stand for it."""
    if not pytestconfig.getoption("benchmark_disable"):
        path = write_slide(tmp_path_factory.mktemp("few") / "S1.h5ad", 900, 60, 0.2, 12.0)
        for code, *arguments in ((CHECK, "check", path), (TODAY, path)):
            command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
            subprocess.run(command, capture_output=True, check=False)


def judged(fresh, path, contestant, **said):
    if contestant == "scanpy and squidpy":
        if importlib.util.find_spec("squidpy") is None:
            pytest.skip("squidpy is not installed")
        fresh(TODAY, path)
        return
    asked = [word for key, value in said.items() for word in ("--set", f"{key}={value}")]
    # one slide of nobody knows which patient: some checks fail
    assert "S1" in fresh(CHECK, "check", path, *asked, codes=(0, 1))


CONTESTANTS = pytest.mark.parametrize("contestant", ["stbench check", "scanpy and squidpy"])


@CONTESTANTS
@pytest.mark.usefixtures("compiled")
@pytest.mark.benchmark(group="all checks of cells, 500 genes")
def test_checks_of_cells(fresh, cell_file, contestant):
    judged(fresh, cell_file, contestant, resolution="cell", technology="Xenium")


@CONTESTANTS
@pytest.mark.usefixtures("compiled")
@pytest.mark.benchmark(group="all checks of spots, 18,000 genes")
def test_checks_of_spots(fresh, spot_file, contestant):
    judged(fresh, spot_file, contestant, resolution="spot", technology="Visium")


@pytest.fixture(scope="module")
def expression(units, sized):
    values = sp.random(units, sized(5000), density=0.13, format="csc", random_state=0)
    return values, np.random.default_rng(0).lognormal(7, 1, units)


@pytest.mark.benchmark(group="Spearman with library size, 5,000 genes")
def test_library_size_ours(benchmark, expression):
    spearman_with(expression[0][:, :2], expression[1])
    values = benchmark.pedantic(spearman_with, args=expression, rounds=3)
    assert np.isfinite(values).all()


@pytest.mark.benchmark(group="Spearman with library size, 5,000 genes")
def test_library_size_rankdata(benchmark, expression):
    def correlate(values, depth):
        ranks, other = rankdata(values.toarray(), axis=0), rankdata(depth)
        ranks -= ranks.mean(axis=0)
        other -= other.mean()
        return other @ ranks / np.sqrt((ranks**2).sum(axis=0) * (other**2).sum())

    values = benchmark.pedantic(correlate, args=expression, rounds=1)
    assert values == pytest.approx(spearman_with(*expression), abs=1e-12)


@pytest.fixture(scope="module")
def patients(units, sized):
    rng = np.random.default_rng(0)
    return rng.normal(size=(units, sized(2000))), rng.integers(0, PATIENTS, units)


@pytest.mark.benchmark(group="variance between 8 patients, 2,000 genes")
def test_patient_eta2_ours(benchmark, patients):
    values = benchmark.pedantic(variance_between, args=(*patients, PATIENTS), rounds=3, warmup_rounds=1)
    assert np.isfinite(values).all()


@pytest.mark.benchmark(group="variance between 8 patients, 2,000 genes")
def test_patient_eta2_f_oneway(benchmark, patients):
    def eta2(values, groups):
        f = f_oneway(*[values[groups == group] for group in range(PATIENTS)], axis=0).statistic
        return f * (PATIENTS - 1) / (f * (PATIENTS - 1) + len(values) - PATIENTS)

    values = benchmark.pedantic(eta2, args=patients, rounds=3)
    assert values == pytest.approx(variance_between(*patients, PATIENTS), abs=1e-9)
