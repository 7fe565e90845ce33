from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_matrix

from pytest_stbench.kernels import bivariate
from pytest_stbench.kernels.bivariate import standardise
from pytest_stbench.kernels.graph import lattice_graph

pytestmark = pytest.mark.filterwarnings("error")


def grid(side):
    index = np.arange(side * side)
    return lattice_graph(np.column_stack([index % side, index // side]) * 100.0, 100.0)


def slow(values, graph, depth, first, second):
    """Bivariate Moran's I by the definition: residuals by lstsq, neighbours one by one."""
    matrix = graph.toarray()
    joined = np.flatnonzero(matrix.sum(axis=1))
    matrix, design = matrix[np.ix_(joined, joined)], np.column_stack([np.ones(len(joined)), depth[joined]])
    z = np.zeros((len(joined), values.shape[1]))
    for j in range(values.shape[1]):
        y = values[joined, j].astype(float)
        rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        if rest.std() > 1e-9:
            z[:, j] = rest / rest.std()
    result = []
    for a, b in zip(first, second, strict=True):
        total = sum(z[i, a] * np.mean(z[np.flatnonzero(matrix[i]), b]) for i in range(len(joined)))
        result.append(total / len(joined))
    return np.array(result)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_association_follows_the_definition(seed):
    rng = np.random.default_rng(seed)
    graph = grid(5)
    apart = csr_matrix(np.diag((rng.random(25) > 0.2).astype(float)))
    graph = csr_matrix(apart @ graph @ apart)
    graph.eliminate_zeros()
    values, depth = rng.gamma(2.0, size=(25, 6)), rng.normal(7, 1, 25)
    values[:, 2] = 1.5
    values[:, 3] = 2 * depth - 3
    first, second = np.array([0, 1, 4, 2, 0, 3]), np.array([1, 0, 4, 5, 2, 1])
    found = standardise(values, graph, depth)
    expected = slow(values, graph, depth, first, second)
    np.testing.assert_allclose(found.association(first, second), expected, atol=1e-9)
    np.testing.assert_allclose(found.local(first, second).mean(axis=0), expected, atol=1e-9)
    order = rng.permutation(25)
    moved = standardise(values[order], graph[order][:, order], depth[order])
    np.testing.assert_allclose(moved.association(first, second), expected, atol=1e-9)
    other = standardise(3 * values + 10, graph, depth)
    np.testing.assert_allclose(other.association(first, second), expected, atol=1e-7)


def test_a_pair_is_directed():
    # The receptor is high in the right neighbours of the ligand: the lag counts, not the unit.
    graph = csr_matrix(np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]], float))
    values = np.array([[3.0, 0], [0, 1], [0, 5], [0, 0]])
    found = standardise(values, graph, np.zeros(4))
    forth, back = found.association(np.array([0, 1]), np.array([1, 0]))
    assert forth != pytest.approx(back)
    assert forth == pytest.approx(slow(values, graph, np.zeros(4), [0], [1])[0])


def test_equal_depth_takes_off_the_mean_alone():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(25, 2))
    flat = standardise(values, grid(5), np.full(25, 7.3))
    np.testing.assert_allclose(flat.z, (values - values.mean(axis=0)) / values.std(axis=0), atol=1e-12)


def test_a_float32_function_of_depth_has_nothing_left():
    rng = np.random.default_rng(2)
    depth = rng.normal(8, 1, 100)
    values = np.column_stack([0.3 * depth - 1, rng.normal(size=100)]).astype(np.float32)
    found = standardise(values, grid(10), depth)
    assert not found.z[:, 0].any()
    np.testing.assert_allclose(found.z[:, 1].std(), 1.0)
    np.testing.assert_allclose(found.z[:, 1] @ (depth - depth.mean()), 0.0, atol=1e-9)


def test_many_blocks_give_what_one_gives(monkeypatch):
    rng = np.random.default_rng(3)
    found = standardise(rng.normal(size=(36, 8)), grid(6), rng.normal(size=36))
    first, second = rng.integers(0, 8, (2, 50))
    expected = found.association(first, second)
    monkeypatch.setattr(bivariate, "BLOCK_ELEMENTS", 100)
    np.testing.assert_allclose(found.association(first, second), expected)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_no_neighbours_no_association(n):
    found = standardise(np.ones((n, 2)), csr_matrix((n, n)), np.ones(n))
    assert found.z.shape == found.lag.shape == (0, 2)
    assert found.association(np.array([0]), np.array([1])).tolist() == [0.0]
    assert found.association(np.zeros(0, int), np.zeros(0, int)).shape == (0,)
