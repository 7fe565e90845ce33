"""The guarded t: bounds of the mean of patient differences that hold under skew.

Student's t passes too often where differences lean to the left ("mostly a bit better, sometimes much
worse"), because the tail that matters was not seen. The guarded t asks for more standard errors, up to
eight, the further the values lean to the left; it never asks for fewer than Student's t. It is a closed
form without draws, and one bound both is printed and decides.

With ``m`` the mean, ``se = SD / sqrt(n)`` and ``g`` the skewness of the values (moments divided by n)::

    low = m - c(n, g) se        high = m + c(n, -g) se
    c(n, g) = max(t_.975(n - 1), 2 exp(min(b(n) max(0, g0(n) - g), ln 4)))
    b(n) = min(2, 8 / (n - 4.5))        g0(n) = max(0, 1.3 - 0.15 n)

The constants are fitted by simulation and have no source: ``docs/statistics.md`` has the rates that they
give. Every function takes values ``(..., n)``, one value a patient on the last axis, so that many gates
of one size are decided at once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr, stdtrit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    Values = NDArray[np.float64]

MIN_PATIENTS = 6
"""Fewest patients a comparison is decided with."""
ALPHA = 0.025
"""Nominal one-sided level."""
TOLERANCE = 1e-12
"""What a strict comparison must hold by, so that rounding errors pass nothing."""

_MOST_STEPS = np.log(4.0)


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """What the bounds of a mean are made of: `n` patients; mean, standard error and skewness of each gate.

    The arrays have the shape of the gates. Mean and standard error are in the units of the values, the
    skewness has none.
    """

    n: int
    mean: Values
    error: Values
    skew: Values

    def bounds(self) -> tuple[Values, Values]:
        """Return the guarded lower and upper bound of the mean.

        Both are the mean where all values are equal. Each holds for itself: together they are no interval
        of equal tails.
        """
        low = self.mean - steps(self.n, self.skew) * self.error
        return low, self.mean + steps(self.n, -self.skew) * self.error

    def p(self, margin: ArrayLike = 0.0) -> Values:
        """Return the one-sided p of the guarded t that the mean is at most `margin`.

        It is the p of Student's t after the statistic is shrunk by ``t_.975(n - 1) / c``, so that it is
        below .025 exactly where the lower bound lies above `margin` (in the units of the values). Where all
        values are equal it is 0 above the margin, .5 at it, 1 below.
        """
        distance = self.mean - np.asarray(margin, dtype=np.float64)
        flat = self.error <= TOLERANCE
        above = distance > 0
        asked = steps(self.n, np.where(above, self.skew, -self.skew))
        statistic = np.abs(distance) / np.where(flat, 1.0, self.error)
        tail = stdtr(self.n - 1, -statistic * stdtrit(self.n - 1, 1 - ALPHA) / asked)
        without_spread = np.where(np.abs(distance) <= TOLERANCE, 0.5, 0.0)
        tail = np.where(flat, without_spread, tail)
        return np.asarray(np.where(above, tail, 1.0 - tail), dtype=np.float64)


def spread(values: ArrayLike) -> Spread:
    """Return mean, standard error and skewness of patient values.

    Parameters
    ----------
    values
        Finite values, shape ``(..., n)``, n >= 2.

    Returns
    -------
    Spread
        Arrays of shape ``(...)``: mean, standard error (``SD / sqrt(n)``, n - 1 in the SD), and skewness
        (``m3 / m2 ** 1.5``, moments divided by n; 0 where the standard error is at most 1e-12).
    """
    x = np.asarray(values, dtype=np.float64)
    n = x.shape[-1]
    mean = x.sum(axis=-1) / n
    centred = x - mean[..., None]
    squared = centred * centred
    second = squared.sum(axis=-1) / n
    error = np.sqrt(second / (n - 1))
    flat = error <= TOLERANCE
    third = (squared * centred).sum(axis=-1) / n
    skew = np.where(flat, 0.0, third / np.where(flat, 1.0, second) ** 1.5)
    return Spread(n, mean, error, skew)


def steps(n: int, skew: ArrayLike = 0.0) -> Values:
    """Return ``c(n, g)``: how many standard errors the bound lies from the mean.

    Parameters
    ----------
    n
        Number of patients, at least 2.
    skew
        Skewness ``g`` of the values for the lower bound, ``-g`` for the upper one; any shape.

    Returns
    -------
    ndarray
        In standard errors, shape of `skew`: from the .975 quantile of Student's t up to 8 (more only
        where that quantile is, at two patients); falls with `skew`.
    """
    # The slope has its pole at 4.5 patients; up to 8.5 it is capped anyway.
    slope = 2.0 if n <= 8 else 8.0 / (n - 4.5)
    start = max(0.0, 1.3 - 0.15 * n)
    lean = np.maximum(0.0, start - np.asarray(skew, dtype=np.float64))
    asked = 2.0 * np.exp(np.minimum(slope * lean, _MOST_STEPS))
    return np.asarray(np.maximum(stdtrit(n - 1, 1 - ALPHA), asked), dtype=np.float64)


def detectable_effect(n: int) -> float:
    """Return the smallest mean, in SDs, that `n` patients without skew pass with: ``c(n, 0) / sqrt(n)``.

    It is what must be *seen* to pass; an effect of this true size is seen in about half of all studies.

    Returns
    -------
    float
        In SDs of the paired differences; inf below six patients, where nothing is decided.
    """
    return float(steps(n) / np.sqrt(n)) if n >= MIN_PATIENTS else float("inf")


def smallest_detectable(values: ArrayLike, *, margin: float = 0.0, n: int = MIN_PATIENTS) -> float:
    """Return the smallest mean difference that `n` patients would show at the SD of `values`.

    Parameters
    ----------
    values
        Finite paired differences of the patients at hand, shape ``(m,)``, m of any size.
    margin
        Margin of the rule, in the units of `values`.
    n
        Number of patients of the study to come.

    Returns
    -------
    float
        ``margin + detectable_effect(n) * SD``, in the units of `values`; nan with fewer than two patients
        (no SD), inf for `n` below six.
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) < 2:
        return float("nan")
    return margin + detectable_effect(n) * float(x.std(ddof=1))


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
