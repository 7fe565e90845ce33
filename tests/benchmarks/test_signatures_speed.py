"""Scores of 20 signatures beside their peer.

Nothing is asserted about time: compare the rows of a group.
"""

from __future__ import annotations

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from pytest_stbench.kernels.control_genes import control_weights, membership
from pytest_stbench.kernels.signature_scores import mean_scores, rank_scores

SIZES = {"units": (1_000, 5_000, 20_000)}
SETS, MEMBERS = 20, 15


@pytest.fixture(scope="module")
def section(units, sized):
    """Sparse log-normalised expression, 9% of the values above 0, and twenty sets of 15 genes."""
    rng = np.random.default_rng(0)
    genes = max(1_000, sized(5_000))
    values = sp.random(units, genes, density=0.09, format="csr", random_state=0, dtype=np.float32)
    values.data = np.log1p(rng.poisson(2.0, values.nnz) + 1.0).astype(np.float32)
    sets = [np.sort(rng.choice(genes, MEMBERS, replace=False)) for _ in range(SETS)]
    return values, sets


def all_scores(values, sets):
    """Bins, 50 controls of each, weights and scores: all that the peer does."""
    genes = values.shape[1]
    level = np.asarray(values.mean(axis=0)).ravel()
    bins = np.argsort(np.argsort(level)) * 25 // genes
    members = membership(sets, genes)
    rng = np.random.default_rng(0)
    controls = np.zeros(genes, bool)
    for number in range(25):
        controls[rng.permutation(np.flatnonzero(bins == number))[:50]] = True
    return mean_scores(values, control_weights(members, bins, controls))


@pytest.mark.benchmark(group="scores of 20 signatures, 5,000 genes")
def test_signatures_ours(benchmark, section):
    found = benchmark.pedantic(all_scores, section, rounds=3, warmup_rounds=1)
    assert found.shape == (section[0].shape[0], SETS)


@pytest.mark.benchmark(group="scores of 20 signatures, 5,000 genes")
def test_signatures_scanpy(benchmark, section):
    import scanpy

    values, sets = section
    data = anndata.AnnData(values)
    data.var_names = [f"g{j}" for j in range(values.shape[1])]

    def run():
        for place, columns in enumerate(sets):
            scanpy.tl.score_genes(data, [f"g{j}" for j in columns], score_name=f"s{place}")

    benchmark.pedantic(run, rounds=2, warmup_rounds=1)
    ours = all_scores(values, sets)
    agreement = [np.corrcoef(ours[:, k], data.obs[f"s{k}"])[0, 1] for k in range(SETS)]
    assert min(agreement) > 0.9


@pytest.mark.benchmark(group="rank scores of 20 signatures, 500 genes")
def test_ranks_ours(benchmark, section):
    values, sets = section
    members = membership([np.unique(columns % 500) for columns in sets], 500)
    found = benchmark.pedantic(rank_scores, (values[:, :500], members), rounds=3, warmup_rounds=1)
    assert found.shape == (section[0].shape[0], SETS)
