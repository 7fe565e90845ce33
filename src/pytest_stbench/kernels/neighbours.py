"""Nearest units: on the slide, with a fixed order of ties, and in an embedding, with ties shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TIE_DECIMALS = 9
SPARE_NEIGHBOURS = 4
ROW_BLOCK = 65_536
BLOCK_BYTES = 1 << 24
TIE_SHARE = 1e-12
"""Squared distances this close, relative to the squared extent of the embedding, are tied."""


def nearest_units(xy: Floats, k: int) -> NDArray[np.intp]:
    """Return the k nearest other units of each unit, (n, 2) -> (n, k), nearest first.

    Equal distances (rounded to 1e-9) are decided by x, then by y, so that the order of the units
    does not matter.

    Parameters
    ----------
    xy
        Coordinates, (n, 2), in any unit of length.
    k
        Number of neighbours, fewer than n.
    """
    tree, n = cKDTree(xy), len(xy)
    chosen = np.empty((n, k), np.intp)
    for start in range(0, n, ROW_BLOCK):
        rows = np.arange(start, min(start + ROW_BLOCK, n))
        width = min(n, k + 1 + SPARE_NEIGHBOURS)
        while len(rows):
            chosen[rows], complete = _nearest(tree, xy, rows, k, width)
            rows, width = rows[~complete], min(n, 2 * width)
    return chosen


def _nearest(
    tree: cKDTree, xy: Floats, rows: NDArray[np.intp], k: int, width: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the `k` nearest of `rows` among `width` candidates, and where that is certain.

    A row is not certain while a candidate outside the `width` looked at may tie with the last
    one chosen.
    """
    distance, index = tree.query(xy[rows], k=width)
    rounded = np.round(distance, TIE_DECIMALS)
    # The unit itself sorts last, wherever duplicates of its place have put it.
    keyed = np.where(index == rows[:, None], np.inf, rounded)
    order = np.lexsort((index, xy[index, 1], xy[index, 0], keyed), axis=1)[:, :k]
    last_chosen = np.take_along_axis(keyed, order[:, -1:], axis=1)[:, 0]
    complete = (width == len(xy)) | (rounded[:, -1] > last_chosen)
    return np.take_along_axis(index, order, axis=1), complete


def neighbour_votes(
    points: Floats,
    classes: NDArray[np.intp],
    n_classes: int,
    k: int,
    apart: NDArray[np.intp] | None = None,
) -> Floats:
    """Return how many of the k nearest units of each unit belong to each class, (n, n_classes).

    Euclidean distance, the unit itself excluded. Units tied at the k-th distance share the places
    left, as if they had been drawn at random: duplicates and constant embeddings give the same
    whatever the order of the units.

    Parameters
    ----------
    points
        Shape (n, d), finite.
    classes
        Shape (n,): class of each unit, 0 to `n_classes` - 1.
    n_classes
        Number of classes.
    k
        Number of neighbours; all eligible units where there are fewer.
    apart
        Shape (n,): units with the same number are not eligible as each other's neighbours.

    Returns
    -------
    NDArray
        Rows sum to k, or to the number of eligible units where that is smaller.
    """
    n = len(points)
    centred = points - points.mean(axis=0)
    squares = np.einsum("ij,ij->i", centred, centred)
    tie = TIE_SHARE * squares.max(initial=0.0)
    member = np.zeros((n, n_classes), np.float32)
    member[np.arange(n), classes] = 1.0
    votes = np.zeros((n, n_classes))
    step = max(1, BLOCK_BYTES // (8 * max(1, n)))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        distance = squares[rows, None] + squares - 2.0 * (centred[rows] @ centred.T)
        distance[np.arange(len(rows)), rows] = np.inf
        if apart is not None:
            distance[apart[rows, None] == apart] = np.inf
        eligible = np.isfinite(distance).sum(axis=1)
        wanted = np.minimum(k, eligible)
        # The (k+1)-th place of a row with fewer eligible units is infinite: it counts them all.
        last = np.partition(distance, k - 1, axis=1)[:, k - 1 : k] if k <= n else np.inf
        closer = distance < last - tie
        tied = (distance <= last + tie) & ~closer & np.isfinite(distance)
        places = wanted - closer.sum(axis=1)
        share = places / np.maximum(tied.sum(axis=1), 1)
        votes[rows] = closer.astype(np.float32) @ member
        votes[rows] += share[:, None] * (tied.astype(np.float32) @ member)
    return votes
