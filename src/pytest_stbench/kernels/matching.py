"""One-to-one matching of true and predicted instances by their intersection over union."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.kernels.label_overlap import Overlaps

    Places = NDArray[np.intp]


def matched_pairs(pairs: Overlaps, threshold: float) -> Places:
    """Return the pairs of a one-to-one matching in which every IoU is at least `threshold`.

    Of all such matchings one with the most pairs and, of these, the largest sum of IoU.

    Parameters
    ----------
    pairs
        The instances and their overlaps.
    threshold
        Between 0 and 1, 0 excluded.

    Returns
    -------
    NDArray
        Places in the pairs, ascending.

    Raises
    ------
    ValueError
        If `threshold` is out of range.
    """
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"the IoU threshold is {threshold}: give a number above 0 and at most 1")
    iou = pairs.iou()
    near = np.flatnonzero(iou >= threshold)
    true, predicted = pairs.true[near], pairs.predicted[near]
    # Above 0.5 no two pairs can have an instance in common; at and below it few do.
    rivals = (np.bincount(true)[true] > 1) | (np.bincount(predicted)[predicted] > 1)
    alone, contested = near[~rivals], near[rivals]
    if not len(contested):
        return alone
    won = _assigned(pairs.true[contested], pairs.predicted[contested], iou[contested])
    return np.sort(np.concatenate([alone, contested[won]]))


def clear_pairs(pairs: Overlaps) -> Places:
    """Return the pairs with an IoU above 0.5: no two of them have an instance in common."""
    return np.flatnonzero(2 * pairs.shared > pairs.union())


def _assigned(true: Places, predicted: Places, iou: NDArray[np.float64]) -> Places:
    """Return which pairs are taken, solved within each group of instances that are linked."""
    _, row = np.unique(true, return_inverse=True)
    _, column = np.unique(predicted, return_inverse=True)
    n_rows, n = int(row.max()) + 1, int(row.max() + column.max()) + 2
    links = coo_matrix((np.ones(len(row)), (row, n_rows + column)), shape=(n, n))
    group = connected_components(links, directed=False)[1][row]
    order = np.argsort(group, kind="stable")
    ends = np.flatnonzero(np.diff(group[order])) + 1
    taken = [members[_best(row[members], column[members], iou[members])] for members in np.split(order, ends)]
    return np.concatenate(taken)


def _best(row: Places, column: Places, iou: NDArray[np.float64]) -> Places:
    """Return the pairs of the best matching of one group."""
    rows, row = np.unique(row, return_inverse=True)
    columns, column = np.unique(column, return_inverse=True)
    place = np.full((len(rows), len(columns)), -1, dtype=np.intp)
    place[row, column] = np.arange(len(iou))
    gain = np.zeros(place.shape)
    # One pair more outweighs any sum of IoU.
    gain[row, column] = iou + min(place.shape)
    chosen: Places = place[linear_sum_assignment(gain, maximize=True)]
    return chosen[chosen >= 0]
