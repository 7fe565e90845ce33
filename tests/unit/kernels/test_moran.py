from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, diags

from pytest_stbench.kernels import joined
from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.kernels.moran import morans_i
from pytest_stbench.kernels.moran_null import moran_null, moran_permutation_p
from pytest_stbench.kernels.streams import stream


def chain(n):
    ones = np.ones(n - 1)
    return csr_matrix(diags([ones, ones], [-1, 1]))


def grid(side):
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    return lattice_graph(np.column_stack([x.ravel(), y.ravel()]).astype(float), 1.0)


def brute_force(x, graph):
    weights = graph.toarray()
    keep = weights.sum(axis=1) > 0
    weights, x = weights[keep][:, keep], x[keep]
    z = x - x.mean()
    return (
        len(x)
        / weights.sum()
        * sum(weights[i, j] * z[i] * z[j] for i in range(len(x)) for j in range(len(x)))
        / (z @ z)
    )


def test_golden_chain_of_four():
    x = np.array([[1.0, 1.0], [2.0, -1.0], [3.0, 1.0], [4.0, -1.0]])
    assert morans_i(x, chain(4), min_units=4) == pytest.approx([1 / 3, -1.0], abs=1e-12)


def test_is_scanpy_on_the_binary_graph(interpreted):
    import scanpy

    rng = np.random.default_rng(0)
    graph = grid(12)
    x = rng.poisson(1.0, (144, 30)).astype(float)
    standardised = csr_matrix(diags(1 / np.asarray(graph.sum(axis=1)).ravel()) @ graph)
    with interpreted():
        expected, others = (scanpy.metrics.morans_i(weights, x.T) for weights in (graph, standardised))
    assert morans_i(x, graph) == pytest.approx(expected, abs=1e-10)
    assert np.abs(others - expected).max() > 1e-3


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix, np.asarray])
@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64])
def test_every_layout_and_dtype_agrees(form, dtype, monkeypatch):
    monkeypatch.setattr(joined, "BLOCK_ELEMENTS", 1)
    rng = np.random.default_rng(1)
    x = rng.poisson(0.5, (100, 21)).astype(dtype)
    graph = grid(10)
    expected = [brute_force(x[:, j].astype(float), graph) for j in range(21)]
    assert morans_i(form(x), graph) == pytest.approx(expected, abs=1e-12)


def test_units_without_neighbours_are_left_out():
    graph = csr_matrix(np.pad(chain(30).toarray(), ((0, 5), (0, 5))))
    x = np.random.default_rng(2).normal(size=(35, 3))
    moved = x.copy()
    moved[30:] = 1e6
    assert morans_i(moved, graph) == pytest.approx(morans_i(x[:30], chain(30)), abs=1e-12)
    assert morans_i(csr_matrix(moved), graph) == pytest.approx(morans_i(x[:30], chain(30)), abs=1e-12)


@pytest.mark.parametrize("form", [csr_matrix, np.asarray])
def test_undefined_values_are_nan_without_a_warning(form, recwarn):
    x = np.random.default_rng(3).normal(size=(36, 5))
    x[:, 0] = 7.0
    x[:, 1] = 1e9 + 1e-3 * x[:, 1]
    x[3, 2] = np.nan
    x[4, 3] = np.inf
    values = morans_i(form(np.column_stack([x, np.zeros(36)])), grid(6))
    assert np.isnan(values).tolist() == [True, True, True, True, False, True]
    assert not recwarn.list


@pytest.mark.parametrize("level", [10.0, 1e4, 1e6, -1e6])
def test_a_gene_far_from_zero_keeps_its_value(level):
    z = np.random.default_rng(6).poisson(0.5, (36, 3)).astype(float)
    z[:, 1] += level
    found = morans_i(csr_matrix(z), grid(6))
    z[:, 1] -= level
    assert found == pytest.approx(morans_i(z, grid(6)), abs=1e-9)


def test_pairs_made_beforehand_give_the_same_bits():
    graph = grid(9).tolil()
    graph[[0, 1], :] = 0
    graph[:, [0, 1]] = 0
    graph = csr_matrix(graph)
    x = np.random.default_rng(0).normal(size=(81, 7))
    assert np.array_equal(morans_i(x, joined.pairs_of(graph)), morans_i(x, graph))
    with pytest.raises(ValueError, match="the graph joins 81 units and the values have 80"):
        morans_i(x[:80], joined.pairs_of(graph))


def test_a_column_varies_wherever_its_one_other_value_stands():
    n = 3 * joined.LOOKED_AT
    columns = np.arange(1, n, 97)
    z = np.zeros((n, len(columns) + 1))
    z[columns, np.arange(len(columns))] = 1.0
    expected = np.append(np.full(len(columns), 1.0 - 1.0 / n), np.nan)
    assert joined.centred(z)[1] == pytest.approx(expected, nan_ok=True)


def test_fewer_than_twenty_joined_units_are_nan():
    x = np.random.default_rng(4).normal(size=(20, 1))
    assert np.isfinite(morans_i(x, chain(20))).all()
    assert np.isnan(morans_i(x[:19], chain(19))).all()
    assert np.isnan(morans_i(x, csr_matrix((20, 20)))).all()


def test_duplicate_entries_of_a_sparse_matrix_add_and_stay():
    rows, columns = np.r_[np.arange(25), 0], np.zeros(26, int)
    doubled = coo_matrix((np.ones(26), (rows, columns)), shape=(25, 1)).tocsr()
    doubled = csr_matrix(
        (np.r_[1.0, doubled.data], np.r_[0, doubled.indices], np.r_[0, doubled.indptr[1:] + 1])
    )
    before = doubled.nnz
    assert morans_i(doubled, grid(5)) == pytest.approx(morans_i(doubled.toarray(), grid(5)))
    assert doubled.nnz == before


def test_wrong_graphs_are_refused():
    x = np.zeros((25, 1))
    with pytest.raises(ValueError, match="joins 9 units and the values have 25"):
        morans_i(x, grid(3))
    with pytest.raises(ValueError, match="not symmetric"):
        morans_i(x, csr_matrix(np.triu(grid(5).toarray())))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_order_scale_and_shift_do_not_matter(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(36, 4))
    graph = grid(6)
    value = morans_i(x, graph)
    order = rng.permutation(36)
    assert morans_i(x[order], graph[order][:, order]) == pytest.approx(value, abs=1e-9)
    assert morans_i(scale * x + shift, graph) == pytest.approx(value, abs=1e-6)
    assert (np.abs(value) <= 1.5).all()


def analytic_variance(x, graph):
    """Variance of Moran's I under random exchange of the values (Cliff and Ord)."""
    w = graph.toarray()
    n, s0 = len(x), w.sum()
    s1 = ((w + w.T) ** 2).sum() / 2
    s2 = ((w.sum(axis=0) + w.sum(axis=1)) ** 2).sum()
    z = x - x.mean()
    kurtosis = n * (z**4).sum() / (z**2).sum() ** 2
    first = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    second = kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * s0**2)
    return (first - second) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - 1 / (n - 1) ** 2


@pytest.mark.parametrize("form", [csr_matrix, np.asarray])
def test_the_null_exchanges_whole_units(form, monkeypatch):
    monkeypatch.setattr(joined, "BLOCK_ELEMENTS", 1)
    x = np.random.default_rng(5).poisson(0.7, (64, 19)).astype(float)
    graph = grid(8)
    found = moran_null(form(x), graph, n_permutations=7, seed=3)
    assert found.observed == pytest.approx(morans_i(x, graph), abs=1e-12)
    for values, places in zip(found.null, stream(3, "moran").permutations(7, 64), strict=True):
        assert values == pytest.approx(morans_i(x[places], graph), abs=1e-12)
    expected = [
        (1 + sum(value >= seen - 1e-12 for value in column)) / 8
        for seen, column in zip(found.observed, found.null.T, strict=True)
    ]
    assert found.p.tolist() == expected
    assert moran_permutation_p(x, graph, n_permutations=7, seed=3).tolist() == expected


def test_the_null_has_the_analytic_mean_and_variance():
    graph = grid(15)
    x, y = np.meshgrid(np.arange(15), np.arange(15))
    rng = np.random.default_rng(6)
    values = np.column_stack([x.ravel() + rng.normal(size=225), np.exp(rng.normal(size=225)), y.ravel() == 3])
    null = moran_null(values, graph, n_permutations=4000).null
    assert null.mean(axis=0) == pytest.approx(np.full(3, -1 / 224), abs=0.003)
    assert null.var(axis=0) == pytest.approx([analytic_variance(v, graph) for v in values.T], rel=0.1)


def test_pattern_is_found_and_noise_is_not():
    rng = np.random.default_rng(7)
    x, _ = np.meshgrid(np.arange(12.0), np.arange(12.0))
    noise = rng.normal(size=(144, 400))
    p = moran_permutation_p(np.column_stack([x.ravel(), noise]), grid(12))
    assert p[0] == 0.01
    assert (p[1:] <= 0.05).mean() == pytest.approx(0.05, abs=0.03)


def test_the_order_of_units_changes_no_bit():
    rng = np.random.default_rng(8)
    xy = rng.permutation(np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0)), -1).reshape(-1, 2))
    x = np.log1p(rng.poisson(1.0, (81, 6)))
    shuffled = rng.permutation(81)
    results = [
        moran_null(x[i], lattice_graph(xy[i], 1.0), order=np.lexsort((xy[i, 1], xy[i, 0])))
        for i in (np.arange(81), shuffled)
    ]
    assert results[0].null.tolist() == results[1].null.tolist()
    assert results[0].p.tolist() == results[1].p.tolist()


def test_undefined_genes_have_no_p(recwarn):
    x = np.random.default_rng(9).normal(size=(36, 4))
    x[:, 0] = 7.0
    x[3, 1] = np.nan
    x[4, 2] = np.inf
    found = moran_null(x, grid(6), n_permutations=5)
    assert np.isnan(found.p).tolist() == [True, True, True, False]
    assert np.isnan(found.null).all(axis=0).tolist() == [True, True, True, False]
    assert np.isnan(moran_permutation_p(x[:19], chain(19))).all()
    assert np.isnan(moran_permutation_p(x, csr_matrix((36, 36)))).all()
    assert not recwarn.list


def test_units_without_neighbours_take_no_part_in_the_null():
    graph = csr_matrix(np.pad(chain(30).toarray(), ((0, 5), (0, 5))))
    x = np.random.default_rng(10).normal(size=(35, 3))
    x[30:] = 1e6
    assert moran_null(x, graph).null == pytest.approx(moran_null(x[:30], chain(30)).null, abs=1e-12)


def test_exchanges_that_tie_with_what_was_seen_count():
    ring = csr_matrix(np.roll(np.eye(30), 1, axis=0) + np.roll(np.eye(30), -1, axis=0))
    # One unit that differs: every place on a ring gives the same value but for rounding.
    x = np.zeros((30, 2))
    x[4, 0], x[7, 1] = 1.0, 0.1
    assert moran_permutation_p(x, ring).tolist() == [1.0, 1.0]


def test_an_entry_stored_in_two_parts_is_their_sum():
    dense = np.random.default_rng(0).poisson(2.0, (36, 3)).astype(float)
    whole = csc_matrix(dense)
    indptr, indices = 2 * whole.indptr, np.repeat(whole.indices, 2)
    parts = csc_matrix((np.repeat(whole.data / 2, 2), indices, indptr), shape=dense.shape)
    np.testing.assert_allclose(morans_i(parts, grid(6)), morans_i(dense, grid(6)), rtol=1e-12)
