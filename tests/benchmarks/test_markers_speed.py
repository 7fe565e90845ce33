"""Marker genes of every niche, adjusted Rand index and mutual information, beside their peers.

illico takes part where it is installed. Nothing is asserted about time: compare the rows of a group.
"""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from pytest_stbench.kernels.markers import one_vs_rest
from pytest_stbench.metrics import ari, nmi

SIZES = {"units": (1_000, 5_000, 20_000), "labels": (4_000, 20_000, 100_000)}
NICHES = 9


@pytest.fixture(scope="module")
def section(units, sized):
    """Sparse log-normalised expression, 9% of the values above 0, and a niche for each unit."""
    rng = np.random.default_rng(0)
    counts = sp.random(units, sized(5_000), density=0.09, format="csr", random_state=0)
    counts.data = np.log1p(rng.poisson(2.0, counts.nnz) + 1.0)
    counts = sp.diags(rng.uniform(0.5, 1.5, units)) @ counts
    counts = sp.csr_matrix(counts)
    counts.sort_indices()  # illico asks for it
    return counts, rng.integers(0, NICHES, units)


def annotated(section):
    values, niches = section
    names = pd.Categorical([f"niche {code}" for code in niches])
    return anndata.AnnData(
        values, obs=pd.DataFrame({"niche": names}, index=np.arange(len(niches)).astype(str))
    )


@pytest.mark.benchmark(group="Wilcoxon of 9 niches, 5,000 genes")
def test_wilcoxon_ours(benchmark, section):
    found = benchmark.pedantic(one_vs_rest, (*section, NICHES), rounds=3, warmup_rounds=1)
    assert np.isfinite(found.z).all()


@pytest.mark.benchmark(group="Wilcoxon of 9 niches, 5,000 genes")
def test_wilcoxon_ours_stored_dense(benchmark, section):
    values, niches = section
    dense = values.toarray()
    found = benchmark.pedantic(one_vs_rest, (dense, niches, NICHES), rounds=3, warmup_rounds=1)
    assert np.array_equal(found.z, one_vs_rest(values, niches, NICHES).z)


@pytest.mark.benchmark(group="Wilcoxon of 9 niches, 5,000 genes, no zeros")
def test_wilcoxon_ours_without_zeros(benchmark, section):
    values = np.random.default_rng(1).normal(size=section[0].shape).astype(np.float32)
    found = benchmark.pedantic(one_vs_rest, (values, section[1], NICHES), rounds=3, warmup_rounds=1)
    assert np.isfinite(found.z).all()


@pytest.mark.benchmark(group="Wilcoxon of 9 niches, 5,000 genes")
def test_wilcoxon_scanpy(benchmark, section):
    import scanpy

    data = annotated(section)

    def run():
        scanpy.tl.rank_genes_groups(data, "niche", method="wilcoxon", tie_correct=True)

    benchmark.pedantic(run, rounds=1, warmup_rounds=1)
    names = data.uns["rank_genes_groups"]["names"]["niche 0"].astype(int)
    scores = data.uns["rank_genes_groups"]["scores"]["niche 0"]
    np.testing.assert_allclose(one_vs_rest(*section, NICHES).z[0, names], scores, atol=1e-4)


@pytest.mark.benchmark(group="Wilcoxon of 9 niches, 5,000 genes")
def test_wilcoxon_illico(benchmark, section):
    illico = pytest.importorskip("illico")
    data = annotated(section)

    def run():
        return illico.asymptotic_wilcoxon(data, is_log1p=True, group_keys="niche", use_continuity=False)

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)


@pytest.fixture(scope="module")
def clusters(labels):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 12, labels)
    return truth, np.where(rng.random(labels) < 0.5, truth, rng.integers(0, 15, labels))


@pytest.mark.benchmark(group="ARI")
def test_ari_ours(benchmark, clusters):
    found = benchmark.pedantic(ari, clusters, rounds=5, warmup_rounds=1)
    assert found.values[0] == pytest.approx(adjusted_rand_score(*clusters))


@pytest.mark.benchmark(group="ARI")
def test_ari_sklearn(benchmark, clusters):
    benchmark.pedantic(adjusted_rand_score, clusters, rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="NMI")
def test_nmi_ours(benchmark, clusters):
    found = benchmark.pedantic(nmi, clusters, rounds=5, warmup_rounds=1)
    assert found.values[0] == pytest.approx(normalized_mutual_info_score(*clusters))


@pytest.mark.benchmark(group="NMI")
def test_nmi_sklearn(benchmark, clusters):
    benchmark.pedantic(normalized_mutual_info_score, clusters, rounds=5, warmup_rounds=1)
