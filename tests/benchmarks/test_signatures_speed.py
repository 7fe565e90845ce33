"""Scores of 20 signatures beside their peer.

Full size with STBENCH_BENCH=full. Nothing is asserted about time: compare the rows of a group.
"""

from __future__ import annotations

import os

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from pytest_stbench.kernels.control_genes import control_weights, membership
from pytest_stbench.kernels.signature_scores import mean_scores, rank_scores

FULL = os.environ.get("STBENCH_BENCH") == "full"
N, G = (20_000, 5_000) if FULL else (1_000, 1_000)
SETS, MEMBERS = 20, 15


@pytest.fixture(scope="module")
def section():
    """Sparse log-normalised expression, 9% of the values above 0, and twenty sets of 15 genes."""
    rng = np.random.default_rng(0)
    values = sp.random(N, G, density=0.09, format="csr", random_state=0, dtype=np.float32)
    values.data = np.log1p(rng.poisson(2.0, values.nnz) + 1.0).astype(np.float32)
    sets = [np.sort(rng.choice(G, MEMBERS, replace=False)) for _ in range(SETS)]
    return values, sets


def all_scores(values, sets):
    """Bins, 50 controls of each, weights and scores: all that the peer does."""
    level = np.asarray(values.mean(axis=0)).ravel()
    bins = np.argsort(np.argsort(level)) * 25 // G
    members = membership(sets, G)
    rng = np.random.default_rng(0)
    controls = np.zeros(G, bool)
    for number in range(25):
        controls[rng.permutation(np.flatnonzero(bins == number))[:50]] = True
    return mean_scores(values, control_weights(members, bins, controls))


@pytest.mark.benchmark(group="signature scores x20")
def test_signatures_ours(benchmark, section):
    found = benchmark.pedantic(all_scores, section, rounds=3, warmup_rounds=1)
    assert found.shape == (N, SETS)


@pytest.mark.benchmark(group="signature scores x20")
def test_signatures_scanpy(benchmark, section):
    import scanpy

    values, sets = section
    data = anndata.AnnData(values)
    data.var_names = [f"g{j}" for j in range(G)]

    def run():
        for place, columns in enumerate(sets):
            scanpy.tl.score_genes(data, [f"g{j}" for j in columns], score_name=f"s{place}")

    benchmark.pedantic(run, rounds=2, warmup_rounds=1)
    ours = all_scores(values, sets)
    agreement = [np.corrcoef(ours[:, k], data.obs[f"s{k}"])[0, 1] for k in range(SETS)]
    assert min(agreement) > 0.9


@pytest.mark.benchmark(group="rank scores x20, 500 genes")
def test_ranks_ours(benchmark, section):
    values, sets = section
    members = membership([np.unique(columns % 500) for columns in sets], 500)
    found = benchmark.pedantic(rank_scores, (values[:, :500], members), rounds=3, warmup_rounds=1)
    assert found.shape == (N, SETS)
