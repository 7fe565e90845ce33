from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_stbench.kernels import blocks
from pytest_stbench.kernels.markers import edge_is_tied, marker_order, one_vs_rest

pytestmark = pytest.mark.filterwarnings("error")


def slow(values, groups, n_groups):
    """The definitions, one gene and one group at a time."""
    n, g = values.shape
    z, change, detected = np.zeros((3, n_groups, g))
    for k in range(n_groups):
        inside = groups == k
        n1, n2 = inside.sum(), (~inside).sum()
        for j in range(g):
            x = values[:, j].astype(float)
            if n1:
                detected[k, j] = (x[inside] > 0).mean()
            if n1 == 0 or n2 == 0 or np.ptp(x) <= 1e-9 * max(1, abs(x.mean())):
                continue
            _, t = np.unique(x, return_counts=True)
            sigma = np.sqrt(n1 * n2 / 12 * (n + 1 - (t**3 - t).sum() / (n * (n - 1))))
            z[k, j] = (stats.rankdata(x)[inside].sum() - n1 * (n + 1) / 2) / sigma
            change[k, j] = (x[inside].mean() - x[~inside].mean()) / np.log(2)
    return z, change, detected


def some(n=60, g=12, seed=0, groups=4):
    rng = np.random.default_rng(seed)
    values = np.log1p(rng.poisson(rng.gamma(0.5, 2.0, g), (n, g))).astype(float)
    values[:, 0] = rng.normal(size=n)
    values[:, 1] = 0.1
    values[:, 2] = 0
    values[:, 3] -= 0.7
    return values, rng.integers(0, groups, n)


def assert_equal(found, expected):
    np.testing.assert_allclose(found.z, expected[0], atol=1e-9)
    np.testing.assert_allclose(found.log2_fold_change, expected[1], atol=1e-12)
    np.testing.assert_allclose(found.detected, expected[2], atol=1e-12)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize(
    "make",
    [np.asarray, np.asfortranarray, sp.csr_matrix, sp.csc_matrix, sp.coo_matrix],
    ids=["rows", "columns", "csr", "csc", "coo"],
)
def test_every_layout_gives_the_definition(make, kind):
    values, groups = some()
    values = values.astype(kind)
    before = values.copy()
    found = one_vs_rest(make(values), groups, 5)  # the fifth group is empty
    assert_equal(found, slow(values, groups, 5))
    assert np.array_equal(values, before)


def test_z_is_that_of_scipy():
    values, groups = some(n=200, seed=1)
    found = one_vs_rest(values, groups, 4)
    for j in np.flatnonzero(np.ptp(values, axis=0) > 0):
        inside = groups == 2
        test = stats.mannwhitneyu(
            values[inside, j],
            values[~inside, j],
            use_continuity=False,
            method="asymptotic",
            alternative="greater",
        )
        assert stats.norm.sf(found.z[2, j]) == pytest.approx(test.pvalue, rel=1e-9)


@pytest.mark.filterwarnings("default")
def test_z_is_that_of_scanpy(interpreted):
    scanpy = pytest.importorskip("scanpy")
    anndata = pytest.importorskip("anndata")
    values, groups = some(n=150, seed=2)
    values = np.abs(values)
    names = np.array(["a", "b", "c", "d"])
    varied = np.delete(values, [1, 2], axis=1)  # scanpy divides by zero where nothing varies
    data = anndata.AnnData(varied.copy())
    data.obs["niche"] = names[groups]
    data.obs["niche"] = data.obs["niche"].astype("category")
    with interpreted():
        scanpy.tl.rank_genes_groups(data, "niche", method="wilcoxon", tie_correct=True)
    found = one_vs_rest(varied, groups, 4)
    for k, name in enumerate(names):
        genes = data.uns["rank_genes_groups"]["names"][name].astype(int)
        scores = data.uns["rank_genes_groups"]["scores"][name]
        np.testing.assert_allclose(found.z[k, genes], scores, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 25), k=st.integers(1, 4))
def test_small_and_odd_input_follows_the_definition(seed, n, k):
    rng = np.random.default_rng(seed)
    values = rng.integers(-1, 3, (n, 5)) * 0.5
    groups = rng.integers(0, k, n)
    expected = slow(values, groups, k)
    assert_equal(one_vs_rest(values, groups, k), expected)
    assert_equal(one_vs_rest(sp.csr_matrix(values), groups, k), expected)
    order = rng.permutation(n)
    assert_equal(one_vs_rest(values[order], groups[order], k), expected)


def test_a_gene_without_zeros_next_to_one_without_values():
    values = np.column_stack([np.arange(1.0, 9.0), np.zeros(8), -np.arange(1.0, 9.0)])
    groups = np.repeat([0, 1], 4)
    assert_equal(one_vs_rest(values, groups, 2), slow(values, groups, 2))
    assert_equal(one_vs_rest(sp.csc_matrix(values), groups, 2), slow(values, groups, 2))


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix])
def test_duplicate_and_zero_entries_of_a_sparse_matrix_stay(kind):
    column = np.array([1.0, 2.0, 0.0, 4.0, -1.0]), np.array([0, 0, 1, 2, 3])
    if kind is sp.csc_matrix:
        matrix = kind((*column, np.array([0, 5])), shape=(5, 1))
    else:
        matrix = kind((column[0], np.zeros(5, int), np.array([0, 2, 3, 4, 5, 5])), shape=(5, 1))
    dense = np.array([[3.0, 0, 4, -1, 0]]).T
    groups = np.array([0, 0, 1, 1, 1])
    assert_equal(one_vs_rest(matrix, groups, 2), slow(dense, groups, 2))
    assert matrix.nnz == 5


def test_rounding_on_a_constant_is_no_change():
    values = np.full((50, 1), 0.1)
    values[::2] += 1e-12
    found = one_vs_rest(values, np.arange(50) % 2, 2)
    assert not found.z.any()
    assert not found.log2_fold_change.any()


def test_two_groups_mirror_each_other():
    values, groups = some(groups=2)
    found = one_vs_rest(values, groups, 2)
    np.testing.assert_allclose(found.z[0], -found.z[1], atol=1e-12)
    np.testing.assert_allclose(found.log2_fold_change[0], -found.log2_fold_change[1], atol=1e-12)


def test_many_blocks_give_what_one_gives(monkeypatch):
    values, groups = some(g=70)
    expected = slow(values, groups, 4)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    assert_equal(one_vs_rest(values, groups, 4), expected)
    assert_equal(one_vs_rest(sp.csr_matrix(values), groups, 4), expected)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 2)])
def test_nothing_to_compare(shape):
    for values in (np.ones(shape), sp.csr_matrix(np.ones(shape))):
        found = one_vs_rest(values, np.zeros(shape[0], int), 2)
        assert found.z.shape == found.log2_fold_change.shape == found.detected.shape == (2, shape[1])
        assert not found.z.any()
        assert not found.log2_fold_change.any()


def test_equal_statistics_follow_the_alphabet():
    statistic = np.array([[1.0, 2.0, 1.0 + 1e-11, 3.0, 1.0 - 1e-11], [0.0, -0.0, 5.0, 0.0, -1.0]])
    symbols = np.array(["d", "e", "a", "b", "c"])
    order = marker_order(statistic, symbols)
    assert [symbols[row].tolist() for row in order] == [list("beacd"), list("abdec")]


@pytest.mark.parametrize(
    ("inside", "outside", "tied"), [(3, 1, True), (2, 1, False), (3, 0, False), (3, 5, True)]
)
def test_more_than_a_tenth_of_a_list_is_tied_with_what_did_not_enter(inside, outside, tied):
    values = np.arange(40.0, 0.0, -1.0)
    values[20 - inside : 20 + outside] = 15.5 + inside
    assert edge_is_tied(values, np.arange(40), 20) is tied
    assert not edge_is_tied(values, np.arange(40), 40)
