"""Which interval a mean over patients is reported with, by the number of patients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.resampling import (
    MIN_PATIENTS,
    Interval,
    percentile_interval,
    studentised_interval,
    t_interval,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_INTERVAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A mean over patients with what may be said about its uncertainty.

    ``interval`` is None below four patients; ``secondary`` is the percentile bootstrap shown
    beside the t interval of four or five. ``low`` and ``high`` of the patients are always given.
    All in the units of the values; nan without patients.
    """

    n: int
    mean: float
    smallest: float
    largest: float
    interval: Interval | None
    secondary: Interval | None
    note: str


def interval_for(values: Iterable[float | None]) -> Reported:
    """Return the mean of patient values with the interval their number allows.

    ========  ====================================================================
    patients  reported
    ========  ====================================================================
    0         nothing
    1         the value alone
    2, 3      mean and range; no interval, no p
    4, 5      t interval, marked approximate; percentile bootstrap as secondary
    6 and up  studentised bootstrap over patients
    ========  ====================================================================

    Parameters
    ----------
    values
        One value a patient, or one paired difference; None, nan and infinities are left out.
    """
    return _reported(tuple(float(value) for value in values if value is not None and math.isfinite(value)))


@lru_cache(maxsize=1024)
def _reported(values: tuple[float, ...]) -> Reported:
    """Baselines come with every model, and rules with every gate: the same values come back often."""
    x = np.array(values, dtype=np.float64)
    n = len(x)
    interval = secondary = None
    note = (
        "no patient",
        "single patient",
        "no interval below 4 patients",
        "no interval below 4 patients",
        "",
    )[min(n, MIN_INTERVAL)]
    if n >= MIN_PATIENTS:
        interval = studentised_interval(x)
    elif n >= MIN_INTERVAL:
        interval, secondary = t_interval(x), percentile_interval(x)
        note = "approximate"
    return Reported(
        n=n,
        mean=float(x.mean()) if n else math.nan,
        smallest=float(x.min()) if n else math.nan,
        largest=float(x.max()) if n else math.nan,
        interval=interval,
        secondary=secondary,
        note=note,
    )
