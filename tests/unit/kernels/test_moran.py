from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, diags

from pytest_stbench.kernels import moran
from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.kernels.moran import morans_i


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


def test_is_scanpy_on_the_binary_graph():
    import scanpy

    rng = np.random.default_rng(0)
    graph = grid(12)
    x = rng.poisson(1.0, (144, 30)).astype(float)
    expected = scanpy.metrics.morans_i(graph, x.T)
    assert morans_i(x, graph) == pytest.approx(expected, abs=1e-10)
    standardised = csr_matrix(diags(1 / np.asarray(graph.sum(axis=1)).ravel()) @ graph)
    assert np.abs(scanpy.metrics.morans_i(standardised, x.T) - expected).max() > 1e-3


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix, np.asarray])
@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64])
def test_every_layout_and_dtype_agrees(form, dtype, monkeypatch):
    monkeypatch.setattr(moran, "BLOCK_ELEMENTS", 1)
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


def test_undefined_values_are_nan_without_a_warning(recwarn):
    x = np.random.default_rng(3).normal(size=(36, 5))
    x[:, 0] = 7.0
    x[:, 1] = 1e9 + 1e-3 * x[:, 1]
    x[3, 2] = np.nan
    x[4, 3] = np.inf
    values = morans_i(x, grid(6))
    assert np.isnan(values).tolist() == [True, True, True, True, False]
    assert not recwarn.list


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
