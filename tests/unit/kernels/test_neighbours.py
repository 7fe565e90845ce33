from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.neighbors import NearestNeighbors

from pytest_stbench.kernels import neighbours
from pytest_stbench.kernels.neighbours import nearest_units, neighbour_votes

pytestmark = pytest.mark.filterwarnings("error")


def slow_nearest(xy, k):
    chosen = []
    for i, place in enumerate(xy):
        distance = np.round(np.sqrt(((xy - place) ** 2).sum(axis=1)), 9)
        keys = sorted((distance[j], xy[j, 0], xy[j, 1], j) for j in range(len(xy)) if j != i)
        chosen.append([key[3] for key in keys[:k]])
    return np.array(chosen)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 11))
def test_nearest_units_on_a_lattice_and_off_it(seed, k):
    rng = np.random.default_rng(seed)
    for xy in (rng.random((12, 2)), rng.permutation(36)[:20, None] // [1, 6] % 6 * 100.0):
        assert np.array_equal(nearest_units(xy, k), slow_nearest(xy, k))


@pytest.mark.parametrize("k", [5, 13, 21])
def test_ties_beyond_the_first_look(k):
    xy = np.random.default_rng(0).permutation(np.argwhere(np.ones((8, 7)))) * 1.0
    assert np.array_equal(nearest_units(xy, k), slow_nearest(xy, k))


def test_units_at_one_place_are_each_others_nearest():
    xy = np.array([[0.0, 0], [0, 0], [0, 0], [9, 9], [9, 9]])
    found = nearest_units(xy, 2)
    assert [set(row) for row in found[:3].tolist()] == [{1, 2}, {0, 2}, {0, 1}]
    assert found[3].tolist() == [4, 0]


def slow_votes(points, classes, n_classes, k, apart=None):
    """Exact distances; ties at the last place shared."""
    votes = np.zeros((len(points), n_classes))
    for i, point in enumerate(points):
        other = [j for j in range(len(points)) if j != i and (apart is None or apart[j] != apart[i])]
        distance = {j: round(float(np.linalg.norm(points[j] - point)), 6) for j in other}
        ranked = sorted(distance.values())
        if not ranked:
            continue
        last = ranked[min(k, len(ranked)) - 1]
        closer = [j for j in other if distance[j] < last]
        tied = [j for j in other if distance[j] == last]
        for j in closer:
            votes[i, classes[j]] += 1
        for j in tied:
            votes[i, classes[j]] += (min(k, len(other)) - len(closer)) / len(tied)
    return votes


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 25), split=st.booleans(), rounded=st.booleans())
def test_votes_follow_the_definition(seed, k, split, rounded):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, (20, 2)) * 1.0 if rounded else rng.normal(size=(20, 3))
    classes, apart = rng.integers(0, 3, 20), rng.integers(0, 3, 20) if split else None
    found = neighbour_votes(points, classes, 3, k, apart)
    np.testing.assert_allclose(found, slow_votes(points, classes, 3, k, apart), atol=1e-9)
    order = rng.permutation(20)
    moved = neighbour_votes(points[order] + 5, classes[order], 3, k, apart if apart is None else apart[order])
    np.testing.assert_allclose(moved, found[order], atol=1e-9)


def test_votes_are_those_of_sklearn(monkeypatch):
    rng = np.random.default_rng(0)
    points, classes = rng.normal(size=(300, 20)), rng.integers(0, 4, 300)
    index = NearestNeighbors(n_neighbors=31).fit(points).kneighbors(points, return_distance=False)[:, 1:]
    expected = np.stack([(classes[index] == c).sum(axis=1) for c in range(4)], axis=1)
    assert np.array_equal(neighbour_votes(points, classes, 4, 30), expected)
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 8 * 300 * 7)
    assert np.array_equal(neighbour_votes(points, classes, 4, 30), expected)


@pytest.mark.parametrize("offset", [0.0, 0.1, 1e6])
def test_a_constant_embedding_gives_everyone_the_same_neighbours(offset):
    classes = np.repeat([0, 1], [6, 4])
    votes = neighbour_votes(np.full((10, 3), offset), classes, 2, 3)
    np.testing.assert_allclose(votes[0], [3 * 5 / 9, 3 * 4 / 9])
    np.testing.assert_allclose(votes[9], [3 * 6 / 9, 3 * 3 / 9])


def test_duplicates_far_from_the_origin_are_tied():
    rng = np.random.default_rng(1)
    points = np.repeat(rng.normal(size=(5, 8)) + 1e4, 6, axis=0)
    votes = neighbour_votes(points, np.arange(30) % 6, 6, 3)
    np.testing.assert_allclose(votes[0], [0, 0.6, 0.6, 0.6, 0.6, 0.6], atol=1e-9)


def test_nobody_is_eligible():
    points = np.random.default_rng(2).normal(size=(5, 2))
    assert not neighbour_votes(points, np.zeros(5, int), 1, 3, np.zeros(5, int)).any()
    assert neighbour_votes(np.zeros((1, 2)), np.zeros(1, int), 1, 3).tolist() == [[0.0]]


def test_distances_that_differ_in_the_tenth_decimal_are_tied():
    xy = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0 - 4e-10, 0.0], [0.0, 3.0]])
    assert nearest_units(xy, 1)[0].tolist() == [2]
