"""The exact Wilcoxon signed-rank test, shown beside the guarded t as a sensitivity analysis."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable


def wilcoxon_p(values: Iterable[float]) -> float:
    """Return the exact two-sided Wilcoxon signed-rank p, zeros by Pratt.

    Absolute differences (rounded to 12 decimals, so that rounding errors make no ranks) are
    ranked with the zeros included and ties averaged; the ranks of zeros are then dropped. The
    null distribution is exact over all sign vectors of the non-zero differences, for every n.

    Parameters
    ----------
    values
        Finite paired differences, one a patient.

    Returns
    -------
    float
        p in (0, 1]; 1 where all differences are zero, nan without patients.

    References
    ----------
    Wilcoxon, Individual comparisons by ranking methods, 10.2307/3001968.
    """
    x = [round(float(value), 12) for value in values]
    if not x:
        return float("nan")
    sizes = sorted(map(abs, x))
    # Twice the average rank is a whole number, so that sums of ranks index an array.
    doubled = [bisect_left(sizes, abs(value)) + bisect_right(sizes, abs(value)) + 1 for value in x]
    ranks = [rank for rank, value in zip(doubled, x, strict=True) if value]
    total = sum(ranks)
    probability = np.zeros(total + 1)
    probability[0] = 1.0
    for rank in ranks:
        probability *= 0.5
        probability[rank:] += probability[:-rank]
    positive = sum(rank for rank, value in zip(doubled, x, strict=True) if value > 0)
    # The distribution is symmetric: both tails from the larger of the two sums on.
    return min(1.0, 2.0 * float(probability[max(positive, total - positive) :].sum()))
