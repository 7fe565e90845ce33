from __future__ import annotations

import anndata
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.sparse import csc_matrix, csr_matrix
from scipy.stats import mannwhitneyu

from pytest_stbench.kernels.control_genes import control_weights, membership, nearest_bin
from pytest_stbench.kernels.signature_scores import mean_scores, rank_scores


def columns(*lists):
    return [np.array(one, dtype=np.intp) for one in lists]


def test_membership_counts_a_gene_once():
    found = membership(columns([2, 0, 2], [], [1]), 4).toarray()
    assert found.tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]]


def test_no_set_at_all():
    members = membership([], 3)
    assert members.shape == (3, 0)
    assert mean_scores(
        np.ones((5, 3)), control_weights(members, np.zeros(3, int), np.ones(3, bool))
    ).shape == (5, 0)
    assert rank_scores(np.ones((5, 3)), members).shape == (5, 0)


def test_mean_of_members_minus_mean_of_their_controls():
    # Two members in bin 0 and one in bin 1: the controls of bin 0 count twice as much.
    members = membership(columns([0, 1, 2]), 6)
    bins = np.array([0, 0, 1, 0, 1, 1])
    weights = control_weights(members, bins, np.array([0, 0, 0, 1, 1, 1], bool))
    np.testing.assert_allclose(weights[:, 0], [1 / 3, 1 / 3, 1 / 3, -2 / 3, -1 / 6, -1 / 6])
    values = np.array([[3.0, 6.0, 9.0, 1.0, 2.0, 4.0]])
    assert mean_scores(values, weights)[0, 0] == pytest.approx(6.0 - (2 * 1.0 + 3.0) / 3)


def test_a_constant_added_to_all_genes_changes_nothing():
    rng = np.random.default_rng(0)
    members = membership(columns([0, 5, 9], [3]), 30)
    weights = control_weights(members, np.arange(30) % 4, np.arange(30) >= 12)
    values = rng.normal(size=(7, 30))
    np.testing.assert_allclose(mean_scores(values, weights), mean_scores(values + 5.0, weights))


def test_a_member_without_controls_in_its_bin_takes_the_nearest():
    members = membership(columns([0], [1]), 4)
    weights = control_weights(members, np.array([5, 3, 1, 5]), np.array([0, 0, 1, 1], bool))
    assert weights[:, 0].tolist() == [1, 0, 0, -1]
    assert weights[:, 1].tolist() == [0, 1, -1, 0]  # two bins away on either side: the lower


def test_nearest_bin():
    assert nearest_bin(np.array([0, 4, 6, 7, 20]), np.array([4, 8])).tolist() == [0, 0, 0, 1, 1]


def test_without_controls_the_score_is_the_mean_of_the_members():
    members = membership(columns([0, 1]), 3)
    weights = control_weights(members, np.array([0, 0, -1]), np.array([0, 0, 1], bool))
    assert weights[:, 0].tolist() == [0.5, 0.5, 0]


def test_a_set_without_members_scores_nothing():
    members = membership(columns([], [0]), 3)
    weights = control_weights(members, np.zeros(3, int), np.array([0, 1, 1], bool))
    assert not weights[:, 0].any()
    assert rank_scores(np.arange(3.0)[None], members)[0, 0] == 0


def test_a_gene_of_no_set_is_never_looked_at():
    weights = control_weights(membership(columns([0]), 3), np.array([0, 0, 1]), np.array([0, 1, 0], bool))
    assert mean_scores(np.array([[2.0, 0.5, np.nan]]), weights)[0, 0] == 1.5


def test_sparse_is_dense():
    rng = np.random.default_rng(1)
    dense = rng.poisson(0.4, (40, 25)) * rng.random((40, 25))
    members = membership(columns([0, 4], [7, 8, 9]), 25)
    weights = control_weights(members, np.arange(25) % 3, np.arange(25) > 10)
    np.testing.assert_allclose(mean_scores(csr_matrix(dense), weights), mean_scores(dense, weights))
    np.testing.assert_array_equal(rank_scores(csr_matrix(dense), members), rank_scores(dense, members))


def test_scanpy_agrees_where_its_controls_are_known():
    """With more controls asked than a bin holds scanpy takes them all, and nothing is drawn."""
    import scanpy

    rng = np.random.default_rng(2)
    values = rng.gamma(1.0, np.linspace(0.2, 4.0, 60), (80, 60))
    data = anndata.AnnData(values)
    data.var_names = [f"g{j}" for j in range(60)]
    # Its bins: the rank of the mean (from 1) over 20. One member in each of the two full ones.
    bins = (np.argsort(np.argsort(values.mean(axis=0))) + 1) // 20
    own = np.array([np.flatnonzero(bins == 1)[3], np.flatnonzero(bins == 2)[7]])
    genes = [f"g{j}" for j in own]
    scanpy.tl.score_genes(data, genes, ctrl_size=1000, n_bins=4, ctrl_as_ref=False)

    weights = control_weights(membership([own], 60), bins, ~np.isin(np.arange(60), own))
    np.testing.assert_allclose(mean_scores(values, weights)[:, 0], data.obs["score"])


def test_rank_score_by_hand():
    # Ranks 1, 2, 3.5, 3.5, 5: members rank 1 and 3.5, U = 4.5 - 3 = 1.5, score 1 - 1.5 / (2 * 5).
    members = membership(columns([0, 2]), 5)
    assert rank_scores(np.array([[9.0, 8.0, 4.0, 4.0, 1.0]]), members)[0, 0] == pytest.approx(0.85)


def test_ranks_beyond_the_cap():
    values = np.arange(10.0, 0.0, -1.0)[None]
    members = membership(columns([0, 9], [0, 1], [8, 9], [2, 9]), 10)
    found = rank_scores(values, members, max_rank=3)[0]
    # The last gene counts as rank 4: U = 1 + 4 - 3 = 2. All beyond the cap: 0. The third is within.
    np.testing.assert_allclose(found, [1 - 2 / (2 * 3), 1.0, 0.0, 1 - 4 / (2 * 3)])


def test_rank_score_is_the_mann_whitney_statistic():
    rng = np.random.default_rng(3)
    values = np.round(rng.gamma(1.0, 1.0, (30, 40)), 1)
    own = np.array([0, 3, 8, 11])
    rest = np.setdiff1d(np.arange(40), own)
    found = rank_scores(values, membership([own], 40))[:, 0]
    u = [mannwhitneyu(row[rest], row[own]).statistic for row in values]
    np.testing.assert_allclose(found, 1 - np.array(u) / (len(own) * 40))


@given(seed=st.integers(0, 1000), n_genes=st.integers(1, 12), n_sets=st.integers(1, 4))
def test_rank_scores_stay_in_range_and_follow_a_permutation(seed, n_genes, n_sets):
    rng = np.random.default_rng(seed)
    values = rng.poisson(0.7, (6, n_genes)).astype(float)
    sets = [rng.permutation(n_genes)[: rng.integers(0, n_genes + 1)] for _ in range(n_sets)]
    members = membership(sets, n_genes)
    found = rank_scores(values, members, max_rank=int(rng.integers(1, 15)))
    assert ((found >= 0) & (found <= 1)).all()
    order = rng.permutation(n_genes)
    whole = rank_scores(values, members)
    np.testing.assert_allclose(rank_scores(values[:, order], members[order].tocsc()), whole)
    np.testing.assert_allclose(rank_scores(np.exp(values), members), whole)


def test_no_genes_and_no_units():
    assert rank_scores(np.empty((4, 0)), membership(columns([]), 0)).tolist() == [[0.0]] * 4
    assert rank_scores(np.empty((0, 3)), membership(columns([0]), 3)).shape == (0, 1)


def test_ranks_beyond_1500_are_all_alike():
    values = -np.arange(1502.0)[None]
    members = csc_matrix(np.eye(1502)[:, [0, 1499, 1500, 1501]])
    assert rank_scores(values, members) == pytest.approx(np.array([[1.0, 1 / 1500, 0.0, 0.0]]), abs=1e-12)
