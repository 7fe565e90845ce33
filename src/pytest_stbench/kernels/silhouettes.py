"""The mean silhouette of a sample of points, and how much each of them moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BLOCK_ELEMENTS = 1 << 23
"""Distances held at once: 64 MiB of float64."""


def silhouettes(points: Floats, labels: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the silhouette of every point, and its influence on their mean.

    Parameters
    ----------
    points
        Shape (n, d), Euclidean distance; best centred, for distances are made of squares.
    labels
        Shape (n,): two labels or more, each of two points or more.

    Returns
    -------
    tuple of ndarray
        Silhouettes (n,), in [-1, 1], and influences (n,): the derivative of the mean by the weight of a
        point, times n; their mean is about 0. It holds what a point is itself, and what it does to the mean
        distances of all others. The SD of the influences over the root of n is the standard error of the
        mean of a sample, to first order.

    References
    ----------
    Silhouette: 10.1016/0377-0427(87)90125-7; influence function: 10.1080/01621459.1974.10482962.
    """
    _, label = np.unique(labels, return_inverse=True)
    n, size = len(points), np.bincount(label).astype(np.float64)
    place = np.arange(n)
    ones = np.zeros((n, len(size)))
    ones[place, label] = 1.0
    sums = np.vstack([block @ ones for block in _distances(points)])
    within = sums[place, label] / (size[label] - 1.0)
    means = sums / size
    means[place, label] = np.inf
    near = means.argmin(axis=1)
    beside = means[place, near]
    larger = np.maximum(within, beside)
    safe = np.where(larger > 0, larger, 1.0)
    found = np.where(larger > 0, (beside - within) / safe, 0.0)
    inside, inner, outer = (
        within < beside,
        np.where(within > 0, within, 1.0),
        np.where(beside > 0, beside, 1.0),
    )
    by_within = np.where(inside, -1.0 / outer, np.where(within > beside, -beside / inner**2, 0.0))
    by_beside = np.where(inside, within / outer**2, np.where(within > beside, 1.0 / inner, 0.0))
    slopes, shifts = np.zeros_like(ones), np.zeros(len(size))
    slopes[place, label] += by_within / size[label]
    slopes[place, near] += by_beside / size[near]
    np.add.at(shifts, label, by_within * within / size[label])
    np.add.at(shifts, near, by_beside * beside / size[near])
    moved = np.vstack([block @ slopes for block in _distances(points)])[place, label] - shifts[label]
    influence: Floats = found - found.mean() + moved
    return found, influence


def _distances(points: Floats) -> Iterator[Floats]:
    """Yield distances of some points after the other to all of them, (rows, n)."""
    squares = np.einsum("ij,ij->i", points, points)
    step = max(1, BLOCK_ELEMENTS // max(1, len(points)))
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        block = squares[rows, None] + squares - 2.0 * (points[rows] @ points.T)
        np.sqrt(np.maximum(block, 0.0, out=block), out=block)
        block[np.arange(len(block)), np.arange(start, start + len(block))] = 0.0
        yield block
