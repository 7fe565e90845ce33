"""Silhouettes against scikit-learn, influences against weights that are changed a little."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from pytest_stbench.kernels import silhouettes as module
from pytest_stbench.kernels.silhouettes import silhouettes


def some(n=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    return rng.normal(size=(n, 5)) + 0.8 * labels[:, None], labels


@pytest.mark.parametrize("elements", [1, 500, 1 << 23])
def test_they_are_those_of_sklearn_whatever_the_block(monkeypatch, elements):
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", elements)
    points, labels = some()
    assert silhouettes(points, labels * 3)[0] == pytest.approx(silhouette_samples(points, labels), abs=1e-12)


def test_equal_points_have_none():
    found, influence = silhouettes(np.zeros((6, 2)), np.array([0, 0, 0, 1, 1, 1]))
    assert found.tolist() == [0.0] * 6
    assert np.isfinite(influence).all()


def weighted_mean(points, labels, weights):
    """The mean silhouette where points weigh differently, straight from its definition."""
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    means = []
    for label in np.unique(labels):
        weighed, own = weights * (labels == label), labels == label
        # A point is none of its own neighbours.
        total = weighed.sum() * np.where(own, (own.sum() - 1) / own.sum(), 1.0)
        means.append(distance @ weighed / total)
    means = np.array(means)
    mine = means[labels, np.arange(len(labels))]
    means[labels, np.arange(len(labels))] = np.inf
    near = means.min(axis=0)
    return np.average((near - mine) / np.maximum(near, mine), weights=weights)


def test_an_influence_is_a_derivative_by_a_weight():
    """To first order: a point is one of its own label as well."""
    points, labels = some(n=500, seed=2)
    _, influence = silhouettes(points, labels)
    step, plain, numeric = 1e-5, np.ones(500), []
    for place in range(12):
        weights = plain.copy()
        weights[place] += step
        numeric.append(
            500 * (weighted_mean(points, labels, weights) - weighted_mean(points, labels, plain)) / step
        )
    assert influence[:12] == pytest.approx(numeric, abs=0.03)
    assert np.abs(numeric).max() > 0.3
