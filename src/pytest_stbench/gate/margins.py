"""The least margin of `beats`: what is below it is no difference, whatever the file declares.

A model that equals a baseline up to rounding would else beat it by millionths. The convention: the margin
is the largest of the declared one, twice the Monte Carlo standard error of the difference to T or S where
something is drawn, and 2% of the distance between the trivial (T) and the simple baseline (S).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_stbench.kernels.mean_interval import Range

SHARE_OF_LADDER = 0.02
SHARE_OF_RANGE = 0.001
ERRORS = 2.0


@dataclass(frozen=True, slots=True)
class Floor:
    """The least margin, in the units of the metric, and what sets it."""

    value: float = 0.0
    why: str = ""


NO_FLOOR = Floor()


def margin_floor(
    trivial: float | None, simple: float | None, bounds: Range, *, monte_carlo: float | None = None
) -> Floor:
    """Return the least margin of `beats` on one metric.

    Parameters
    ----------
    trivial, simple
        Headlines of the trivial (T) and the simple baseline (S); None or nan where there is none.
    bounds
        Lower and upper end of the metric, None for no end.
    monte_carlo
        Standard error over random draws of the difference of two headlines, where it is known.

    Returns
    -------
    Floor
        2% of ``|T - S|``; a thousandth of the metric's range where that distance is no longer than a
        thousandth of the range (they coincide) or one of them is missing; where the range is infinite and
        they coincide a thousandth of the larger of them. Twice `monte_carlo` where that is more.
    """
    known = [abs(value) for value in (trivial, simple) if value is not None and math.isfinite(value)]
    low, high = bounds
    if low is not None and high is not None:
        step, of = SHARE_OF_RANGE * (high - low), "the range of the metric"
    else:
        step, of = SHARE_OF_RANGE * max(known, default=0.0), "the larger score of T and S"
    floor = Floor(step, f"a thousandth of {of}")
    if trivial is not None and simple is not None and abs(trivial - simple) > step:
        floor = Floor(SHARE_OF_LADDER * abs(trivial - simple), "2% of the distance between T and S")
    noise = ERRORS * (monte_carlo or 0.0)
    return Floor(noise, "twice the Monte Carlo standard error") if noise > floor.value else floor
