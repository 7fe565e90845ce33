"""Agreement of rankings, and p values of several tests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def kendall_w(values: Mapping[str, Mapping[str, float | None]], sign: float = 1.0) -> float | None:
    """Return Kendall's W of the ranks of models over settings, corrected for ties; None below 3 models.

    Settings in which some model has no value are left out; it takes two of them.

    Parameters
    ----------
    values
        Model to setting to value.
    sign
        -1 where lower is better; W itself is the same.

    Returns
    -------
    float or None
        0 (no agreement) to 1 (one order in every setting).
    """
    models = sorted(values)
    settings = set.intersection(*(set(values[name]) for name in models)) if models else set()
    complete = [s for s in sorted(settings) if all(_defined(values[name][s]) for name in models)]
    n, m = len(models), len(complete)
    if n < 3 or m < 2:  # two models have an order, not an agreement of ranks
        return None
    totals = [0.0] * n
    ties = 0.0
    for setting in complete:
        numbers = [sign * float(values[name][setting] or 0.0) for name in models]
        for place, value in enumerate(numbers):
            totals[place] += sum(other < value for other in numbers) + (numbers.count(value) + 1) / 2
        ties += sum(numbers.count(value) ** 3 - numbers.count(value) for value in set(numbers))
    mean = sum(totals) / n
    below = m**2 * (n**3 - n) - m * ties
    return 12 * sum((total - mean) ** 2 for total in totals) / below if below > 0 else None


def holm(p: Sequence[float]) -> list[float]:
    """Return the p values after Holm's step-down correction, in the order given.

    The chance of any false rejection among all tests stays at the level, whatever their dependence.

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scand J Stat 6 (1979) 65.
    """
    adjusted = [0.0] * len(p)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = largest
    return adjusted


def _defined(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
