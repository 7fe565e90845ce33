"""The interval a mean over patients is reported with: it stays in the range of its metric.

Student's t is taken on a transformed scale of the *mean*: the logit within a range ``[a, b]`` (for [-1, 1]
that is Fisher's z), the logarithm where only one end is finite. Transforming each value would estimate
another quantity: its coverage of the mean falls to .03 at 40 patients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, stdtrit

from pytest_stbench.kernels.guarded import ALPHA, MIN_PATIENTS, TOLERANCE, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.kernels.guarded import Spread

    Range = tuple[float | None, float | None]

ROUNDING = 1e-9
"""By how much a value may lie outside the range of its metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Bounds of the mean of `n` patient values, in their units.

    ``method`` is ``t``, ``t_logit`` or ``t_log`` (95%, two-sided), or ``guarded`` (two one-sided bounds of
    97.5%). ``approximate`` says that `n` is below six.
    """

    low: float
    high: float
    method: str
    n: int

    @property
    def approximate(self) -> bool:
        """Whether there are too few patients for the nominal coverage."""
        return self.n < MIN_PATIENTS

    @property
    def flat(self) -> bool:
        """Whether no width could be estimated: all patients have one value."""
        return self.high - self.low <= TOLERANCE


def mean_interval(values: Sequence[float], bounds: Range = (None, None)) -> Interval:
    """Return the 95% interval of the mean of patient values within the range of their metric.

    Parameters
    ----------
    values
        Finite values of at least two patients.
    bounds
        Lower and upper end of the metric; None for no end. Where a value lies outside, the range is none.

    Returns
    -------
    Interval
        Bounds in the units of the values; both equal to the mean where all values are equal or the mean is
        an end of the range, for no width can be estimated then.
    """
    return mean_intervals([values], bounds)[0]


def mean_intervals(several: Sequence[Sequence[float]], bounds: Range = (None, None)) -> list[Interval]:
    """Return :func:`mean_interval` of each of several models by one metric, made in one go."""
    found: dict[int, Interval] = {}
    by_range: dict[Range, list[int]] = {}
    for place, values in enumerate(several):
        by_range.setdefault(_holding(values, bounds), []).append(place)
    for (a, b), places in by_range.items():
        means = [math.fsum(several[place]) / len(several[place]) for place in places]
        halves = [_half(several[place], mean) for place, mean in zip(places, means, strict=True)]
        lows, highs = interval_in_range(means, halves, (a, b))
        method = "t" if a is None and b is None else "t_log" if a is None or b is None else "t_logit"
        for place, low, high in zip(places, lows.tolist(), highs.tolist(), strict=True):
            found[place] = Interval(low=low, high=high, method=method, n=len(several[place]))
    return [found[place] for place in range(len(several))]


def _half(values: Sequence[float], mean: float) -> float:
    n = len(values)
    squares = math.fsum([(value - mean) ** 2 for value in values])
    return _quantile(n - 1) * math.sqrt(squares / (n - 1) / n)


@cache
def _quantile(degrees: int) -> float:
    return float(stdtrit(degrees, 1 - ALPHA))


def interval_in_range(
    mean: ArrayLike, half: ArrayLike, bounds: Range
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the interval ``mean +- half`` of Student's t, taken on the scale of the range.

    Parameters
    ----------
    mean, half
        Means and half widths of plain intervals, any shape.
    bounds
        Lower and upper end of the range; None for no end.

    Returns
    -------
    tuple of ndarray
        Lower and upper bounds, within the range. Equal to the mean where that is an end of the range or
        `half` is at most 1e-12.
    """
    m, h = np.asarray(mean, dtype=np.float64), np.asarray(half, dtype=np.float64)
    a, b = bounds
    if a is None and b is None:
        return m - h, m + h
    if a is None:
        assert b is not None
        low, high = interval_in_range(-m, h, (-b, None))
        return -high, -low
    at_end = (h <= TOLERANCE) | (m <= a)
    if b is None:
        factor = np.exp(h / np.where(at_end, 1.0, m - a))
        low, high = a + (m - a) / factor, a + (m - a) * factor
    else:
        at_end |= m >= b
        below, above = np.where(at_end, 1.0, m - a), np.where(at_end, 1.0, b - m)
        centre, width = np.log(below / above), h * (b - a) / (below * above)
        low, high = a + (b - a) * expit(centre - width), a + (b - a) * expit(centre + width)
    return np.where(at_end, m, low), np.where(at_end, m, high)


def guarded_interval(
    values: Sequence[float], bounds: Range = (None, None), *, found: Spread | None = None
) -> Interval:
    """Return the guarded bounds of the mean of at least two patients, clipped to the range of the metric.

    `found` is the spread of the values where it is known already.
    """
    low, high = (float(bound) for bound in (found or spread(values)).bounds())
    a, b = _holding(values, bounds)
    low = low if a is None else max(low, a)
    high = high if b is None else min(high, b)
    return Interval(low=low, high=high, method="guarded", n=len(values))


def _holding(values: Sequence[float], bounds: Range) -> Range:
    """Return the range, or none where a value lies outside it: what a metric says of itself may be wrong."""
    a, b = bounds
    below = a is not None and min(values) < a - ROUNDING
    above = b is not None and max(values) > b + ROUNDING
    return (None, None) if below or above else bounds
