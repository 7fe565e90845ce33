"""Moran's I of many genes, beside scanpy. Full size with STBENCH_BENCH=full."""

from __future__ import annotations

import os

import numpy as np
import pytest
import scipy.sparse as sp

from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.kernels.moran import morans_i

N, G = (4000, 18_000) if os.environ.get("STBENCH_BENCH") == "full" else (500, 400)


@pytest.fixture(scope="module")
def section():
    side = int(np.sqrt(N))
    index = np.arange(N)
    xy = np.column_stack(
        [(index % side + 0.5 * (index // side % 2)) * 100.0, index // side * 100 * np.sqrt(3) / 2]
    )
    return sp.random(N, G, density=0.135, format="csr", random_state=0), lattice_graph(xy, 100.0)


@pytest.mark.benchmark(group="morans_i")
def test_moran_ours(benchmark, section):
    values = benchmark.pedantic(morans_i, args=section, rounds=3, warmup_rounds=1)
    assert np.isfinite(values).all()


@pytest.mark.benchmark(group="morans_i")
def test_moran_scanpy(benchmark, section):
    import scanpy

    x, graph = section
    by_gene = sp.csr_matrix(x.T)
    values = benchmark.pedantic(scanpy.metrics.morans_i, args=(graph, by_gene), rounds=3, warmup_rounds=1)
    assert values == pytest.approx(morans_i(x, graph), abs=1e-9)
