"""Moran's I of many genes and its permutations, beside others.

The peer of the permutations is the loop of squidpy: every permutation is a new graph with shuffled
rows, handed to the same routine as the observed one (which gives too narrow a null, see
``moran_null``; the work is the same). ``squidpy.gr.spatial_autocorr`` itself adds to that; it is timed
where squidpy is installed, which needs a setuptools below 81.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.kernels.moran import morans_i
from pytest_stbench.kernels.moran_null import moran_null

SIZES = {"spots": (400, 1_200, 4_000)}
TESTED = 200


@pytest.fixture(scope="module")
def permutations(sized):
    return sized(100)


@pytest.fixture(scope="module")
def section(spots, sized):
    side = int(np.sqrt(spots))
    index = np.arange(spots)
    xy = np.column_stack(
        [(index % side + 0.5 * (index // side % 2)) * 100.0, index // side * 100 * np.sqrt(3) / 2]
    )
    values = sp.random(spots, sized(18_000), density=0.135, format="csr", random_state=0)
    return values, lattice_graph(xy, 100.0)


def by_gene(x, *, dense):
    """Return the rows that scanpy takes. It compiles sparse ones for 20 s: where nothing is timed, dense ones
    do, which it has compiled for tests of the kernel."""
    return x.toarray().T if dense else sp.csr_matrix(x.T)


@pytest.mark.benchmark(group="Moran's I, 18,000 genes")
def test_moran_ours(benchmark, section):
    values = benchmark.pedantic(morans_i, args=section, rounds=3, warmup_rounds=1)
    assert np.isfinite(values).all()


@pytest.mark.benchmark(group="Moran's I, 18,000 genes")
def test_moran_scanpy(benchmark, section):
    import scanpy

    x, graph = section
    genes = by_gene(x, dense=benchmark.disabled)
    values = benchmark.pedantic(scanpy.metrics.morans_i, args=(graph, genes), rounds=2, warmup_rounds=1)
    assert values == pytest.approx(morans_i(x, graph), abs=1e-9)


def squidpy_autocorr(x, graph, n_perms=None):
    squidpy = pytest.importorskip("squidpy", exc_type=ImportError)
    import anndata

    slide = anndata.AnnData(x, obsp={"spatial_connectivities": graph.astype(np.float64)})
    table = squidpy.gr.spatial_autocorr(
        slide, mode="moran", genes=list(slide.var_names), n_perms=n_perms, transformation=False,
        copy=True, show_progress_bar=False,
    )  # fmt: skip
    return table.loc[list(slide.var_names), "I"].to_numpy()


@pytest.mark.benchmark(group="Moran's I, 18,000 genes")
def test_moran_squidpy(benchmark, section):
    values = benchmark.pedantic(squidpy_autocorr, args=section, rounds=2, warmup_rounds=1)
    assert values == pytest.approx(morans_i(*section), abs=1e-6)


@pytest.mark.benchmark(group="Moran's I, 100 permutations of 200 genes")
def test_moran_permutations_squidpy(benchmark, section, permutations):
    x, graph = section
    arguments = (x[:, :TESTED], graph, permutations)
    values = benchmark.pedantic(squidpy_autocorr, args=arguments, rounds=1)
    assert np.isfinite(values).all()


def shuffled_rows(x, graph, permutations, dense):
    import scanpy

    genes = by_gene(x, dense=dense)
    rng = np.random.default_rng(0)
    values = [
        scanpy.metrics.morans_i(graph[rng.permutation(len(graph.indptr) - 1)], genes)
        for _ in range(permutations)
    ]
    return np.array(values)


def whole_units(x, graph, permutations, _):
    return moran_null(x, graph, n_permutations=permutations).null


@pytest.mark.benchmark(group="Moran's I, 100 permutations of 200 genes")
@pytest.mark.parametrize("contestant", [whole_units, shuffled_rows], ids=lambda f: f.__name__)
def test_moran_permutations(benchmark, section, permutations, contestant):
    x, graph = section
    arguments = x[:, :TESTED], graph, permutations, benchmark.disabled
    null = benchmark.pedantic(contestant, args=arguments, rounds=2, warmup_rounds=1)
    assert null.shape == (permutations, TESTED)
    assert np.abs(null.mean()) < 0.02
