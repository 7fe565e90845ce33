"""Steps in which a scale is taken, so that folds whose medians are alike share one."""

from __future__ import annotations

import math

STEPS_A_DECADE = 20


def stepped(value: float) -> float:
    """Return the nearest of 20 steps a decade, ``10 ** (k / 20)``.

    Neighbouring steps are 12 % apart, so that a scale moves by 6 % at most. What is computed of a slide
    on such a scale stands for every fold that has the same one.

    Parameters
    ----------
    value
        A scale, at least 0; 0 stays 0.
    """
    if value <= 0:
        return 0.0
    return float(10.0 ** (round(STEPS_A_DECADE * math.log10(value)) / STEPS_A_DECADE))
