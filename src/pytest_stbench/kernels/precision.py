"""Average precision of many rankings at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def average_precision(
    positive: NDArray[np.bool_], score: NDArray[np.floating], mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the average precision of each column: sum over thresholds of precision x gain in recall.

    Equal scores share one threshold, so a constant score gets the share of positives.

    Parameters
    ----------
    positive
        What is to be found, (n, g).
    score
        Ranks it, highest first, (n, g), finite.
    mask
        Rows that count, (n, g); all by default.

    Returns
    -------
    NDArray[np.float64]
        (g,), 0 to 1, higher is better; nan for a column without a positive.

    References
    ----------
    10.1371/journal.pone.0118432.
    """
    n, g = score.shape
    # A row for each column: what is sorted lies side by side.
    positive, score = np.ascontiguousarray(positive.T), np.ascontiguousarray(score.T)
    if mask is not None:
        positive, score = positive & mask.T, np.where(mask.T, score, -np.inf)
    order = np.argsort(score, axis=1)[:, ::-1]
    ranked = np.take_along_axis(score, order, axis=1)
    found = np.take_along_axis(positive, order, axis=1)
    last = np.ones((g, n), bool)
    last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]
    # Every place is judged at the last place of its threshold.
    rank = np.where(last, np.arange(1, n + 1), n)
    rank = np.minimum.accumulate(rank[:, ::-1], axis=1)[:, ::-1]
    hits = np.take_along_axis(np.cumsum(found, axis=1), rank - 1, axis=1)
    total = found.sum(axis=1)
    summed = np.where(found, hits / rank, 0.0).sum(axis=1)
    precision: NDArray[np.float64] = np.divide(summed, total, out=np.full(g, np.nan), where=total > 0)
    return precision
