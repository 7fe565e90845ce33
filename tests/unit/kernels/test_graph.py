from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.spatial.distance import cdist

from pytest_stbench.kernels.graph import cell_graph, lattice_graph, median_nn_distance


def square_lattice(side, pitch):
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    return np.column_stack([x.ravel(), y.ravel()]) * float(pitch)


def hexagonal_lattice(rows, columns, pitch):
    return np.array(
        [
            ((c + 0.5 * (r % 2)) * pitch, r * pitch * np.sqrt(3) / 2)
            for r in range(rows)
            for c in range(columns)
        ]
    )


def test_square_lattice_has_up_to_eight_neighbours():
    graph = lattice_graph(square_lattice(3, 200), 200)
    assert graph.sum(axis=1).ravel().tolist() == [[3, 5, 3, 5, 8, 5, 3, 5, 3]]


def test_hexagonal_lattice_has_six_neighbours_inside():
    xy = hexagonal_lattice(5, 5, 100)
    degree = np.asarray(lattice_graph(xy).sum(axis=1)).ravel()
    assert degree[12] == 6
    assert degree.max() == 6


def test_pitch_is_declared_or_the_median_distance():
    xy = square_lattice(4, 55)
    assert (lattice_graph(xy) != lattice_graph(xy, 55.0)).nnz == 0
    assert lattice_graph(xy, 20.0).nnz == 0


def test_units_at_one_place_are_not_joined():
    graph = lattice_graph(np.array([[0.0, 0.0], [0.0, 0.0], [100.0, 0.0]]), 100)
    assert graph.toarray().tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize("n", [0, 1])
def test_no_units_no_edges(n):
    assert lattice_graph(np.zeros((n, 2))).shape == (n, n)
    assert cell_graph(np.zeros((n, 2))).nnz == 0


def test_median_distance_ignores_duplicates_and_needs_two_places():
    assert median_nn_distance(np.array([[0.0, 0], [0, 0], [3, 4]])) == 5.0
    assert np.isnan(median_nn_distance(np.zeros((3, 2))))


def test_cell_graph_breaks_ties_by_x_then_y():
    # Four cells at distance 1 of the first; with k=2 it takes the leftmost, then the lower of two.
    xy = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [-1.0, 0.0]])
    far = xy + 100.0
    graph = cell_graph(np.vstack([xy, far]), k=2).toarray()
    assert graph[0, 4] == 1
    assert graph[0, 3] == 1


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(2, 40),
    k=st.integers(1, 8),
    seed=st.integers(0, 10_000),
    spread=st.sampled_from([3, 5, 10_000]),
)
def test_cell_graph_is_the_brute_force_graph(n, k, seed, spread):
    xy = np.unique(np.random.default_rng(seed).integers(0, spread, (n, 2)), axis=0).astype(float)
    n = len(xy)
    distance = np.round(cdist(xy, xy), 9)
    expected = np.zeros((n, n))
    for i in range(n):
        others = sorted((j for j in range(n) if j != i), key=lambda j: (distance[i, j], xy[j, 0], xy[j, 1]))
        expected[i, others[:k]] = 1
    expected = np.maximum(expected, expected.T)
    assert np.array_equal(cell_graph(xy, k).toarray(), expected)


@settings(deadline=None, max_examples=30)
@given(n=st.integers(2, 40), seed=st.integers(0, 10_000))
def test_lattice_graph_is_the_brute_force_graph_in_any_order(n, seed):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 1000, (n, 2))
    distance = cdist(xy, xy)
    graph = lattice_graph(xy, 120.0)
    assert np.array_equal(graph.toarray(), ((distance > 0) & (distance <= 180)).astype(float))
    order = rng.permutation(n)
    assert (lattice_graph(xy[order], 120.0) != graph[order][:, order]).nnz == 0


def test_many_cells_at_one_place_find_their_neighbours():
    xy = np.vstack([np.zeros((30, 2)), [[5.0, 0.0]]])
    graph = cell_graph(xy, k=3)
    assert graph.diagonal().sum() == 0
    assert (np.asarray(graph.sum(axis=1)).ravel() >= 3).all()
