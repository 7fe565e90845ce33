"""Which interval a mean over patients is reported with, by the number of patients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.kernels.guarded import MIN_PATIENTS, spread
from pytest_stbench.kernels.mean_interval import Interval, guarded_interval, mean_intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.kernels.guarded import Spread
    from pytest_stbench.kernels.mean_interval import Range

MIN_INTERVAL = 4
ANY: Range = (None, None)
"""The range of a metric without ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A mean over patients with what may be said about its uncertainty.

    ``interval`` is None below four patients; ``smallest`` and ``largest`` of the patients are always
    given. All in the units of the values; nan without patients. ``spread`` is what guarded bounds are made
    of, None where the interval is another.
    """

    n: int
    mean: float
    smallest: float
    largest: float
    interval: Interval | None
    spread: Spread | None = None


def interval_for(values: Iterable[float | None], bounds: Range = ANY) -> Reported:
    """Return the mean of patient values with the interval their number allows.

    ========  ======================================================================================
    patients  reported
    ========  ======================================================================================
    0         nothing
    1         the value alone
    2, 3      mean and range; no interval, no p
    4, 5      t interval on the scale of the metric's range, marked approximate
    6 and up  t interval on the scale of the metric's range
    ========  ======================================================================================

    Parameters
    ----------
    values
        One value a patient; None, nan and infinities are left out.
    bounds
        Lower and upper end of the metric, None for no end: the interval stays within.
    """
    return intervals_for([values], bounds)[0]


def intervals_for(several: Sequence[Iterable[float | None]], bounds: Range = ANY) -> list[Reported]:
    """Return :func:`interval_for` of each of several models by one metric, made in one go."""
    finite = [_finite(values) for values in several]
    wide = [x for x in finite if len(x) >= MIN_INTERVAL]
    found = iter(mean_intervals(wide, bounds))
    return [_reported(x, next(found) if len(x) >= MIN_INTERVAL else None) for x in finite]


def bound_for(values: Iterable[float | None], bounds: Range = ANY, *, least: int = MIN_PATIENTS) -> Reported:
    """Return the mean of patient values with the bounds that gates decide by.

    They are the guarded ones from `least` patients on, clipped to the range of the metric; with four or
    five below that a t interval (approximate, it decides nothing), below four none.

    Parameters
    ----------
    values
        One paired difference (or one value) a patient; None, nan and infinities are left out.
    bounds
        Lower and upper end, None for no end.
    least
        Fewest patients that are decided.
    """
    x = _finite(values)
    if len(x) < least:
        return interval_for(x)
    found = spread(x)
    return _reported(x, guarded_interval(x, bounds, found=found), found)


def _finite(values: Iterable[float | None]) -> tuple[float, ...]:
    return tuple([float(value) for value in values if value is not None and math.isfinite(value)])


def _reported(x: tuple[float, ...], interval: Interval | None, found: Spread | None = None) -> Reported:
    return Reported(
        n=len(x),
        mean=math.fsum(x) / len(x) if x else math.nan,
        smallest=min(x, default=math.nan),
        largest=max(x, default=math.nan),
        interval=interval,
        spread=found,
    )
