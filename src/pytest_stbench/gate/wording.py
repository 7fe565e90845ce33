"""The one-line messages of gates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_stbench.gate.intervals import ANY, Reported, interval_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.kernels.mean_interval import Interval, Range

SHOWN_NAMES = 5


def number(value: float, places: int = 3) -> str:
    """Return `value` with `places` decimals, or with few digits where it would print as zero."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 1e-12:
        return f"{0:.{places}f}"
    if abs(value) < 0.5 * 10**-places:
        return f"{value:.1g}"
    if abs(value) >= 1000:
        return f"{value:.4g}"
    return f"{value:.{places}f}"


def patients(n: int) -> str:
    """Return ``"6 patients"``."""
    return f"{n} patient" if n == 1 else f"{n} patients"


def headline(metric: str, values: Iterable[float | None], bounds: Range = ANY) -> str:
    """Return ``"spearman_gene 0.081 [0.02, 0.14] n=6 patients"`` for values by patient.

    The interval stays within `bounds`, the ends of the metric. Below four patients the smallest and the
    largest value stand in round brackets in its place.
    """
    reported = interval_for(values, bounds)
    if reported.n == 0:
        return f"{metric} undefined n=0 patients"
    return f"{metric} {number(reported.mean)}{_spread(reported)} n={patients(reported.n)}"


def difference(estimate: float, interval: Interval | None) -> str:
    """Return ``"0.027, guarded [0.021, 0.034]"``."""
    if interval is None:
        return number(estimate)
    name = ", guarded" if interval.method == "guarded" else ""
    return f"{number(estimate)}{name} [{number(interval.low)}, {number(interval.high)}]"


def left_out(names: tuple[str, ...]) -> str:
    """Return ``"; 1 patient without a value left out: P7"``, empty when there is none."""
    if not names:
        return ""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"; {patients(len(names))} without a value left out: {', '.join(names[:SHOWN_NAMES])}{more}"


def by(margin: float) -> str:
    """Return ``" by 0.02"``, empty for no margin."""
    return f" by {margin:.3g}" if margin else ""


def _spread(reported: Reported) -> str:
    if reported.interval is not None:
        about = " (approximate)" if reported.interval.approximate else ""
        if reported.interval.flat:
            about = " (all patients equal: no width)"
        return f" [{number(reported.interval.low, 2)}, {number(reported.interval.high, 2)}]{about}"
    if reported.n > 1:
        return f" ({number(reported.smallest, 2)} to {number(reported.largest, 2)})"
    return ""
