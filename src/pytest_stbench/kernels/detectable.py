"""The smallest mean difference that a given number of patients could show."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from pytest_stbench.kernels.resampling import ALPHA, MIN_PATIENTS, sign_flip_p, studentised_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def smallest_detectable(values: ArrayLike, *, margin: float = 0.0, n: int = MIN_PATIENTS) -> float:
    """Return the smallest mean difference that `n` patients would show at the SD of `values`.

    It is ``margin + detectable_effect(n) * SD``: from there on the one rule holds for patients
    spread like a normal sample.

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
        In the units of `values`; nan with fewer than two patients (no SD), inf for `n` below six.
    """
    x = np.asarray(values, dtype=np.float64)
    if len(x) < 2:
        return float("nan")
    return margin + detectable_effect(n) * float(x.std(ddof=1))


@cache
def detectable_effect(n: int) -> float:
    """Return the smallest mean, in SDs, at which `n` evenly spread patients pass the one rule.

    The rule is: studentised lower bound above the margin, and sign-flip p below .05. The patients
    stand at the normal scores of their ranks (Blom: the normal quantile of
    (i - 3/8) / (n + 1/4)), scaled to mean 0 and SD 1, and are shifted together until both parts
    hold. A real sample of the same SD with outliers needs more; this is the least that can be
    hoped for, not the effect that is found with a stated power.

    Returns
    -------
    float
        In SDs of the paired differences; inf below six patients, where no data pass.
    """
    if n < MIN_PATIENTS:
        return float("inf")
    return max(lower_bound_distance(n), _sign_flip_distance(n))


@cache
def lower_bound_distance(n: int) -> float:
    """Return how far, in SDs, the studentised lower bound lies below the mean.

    The `n` patients stand at the normal scores, as in :func:`detectable_effect`; inf below three.
    """
    if n < 3:
        return float("inf")
    return -studentised_interval(_normal_scores(n)).low


def _sign_flip_distance(n: int) -> float:
    scores = _normal_scores(n)
    # At the upper end every patient is positive: the smallest p there is.
    low, high = 0.0, float(-scores.min()) + 1e-9
    while high - low > 1e-9:
        middle = (low + high) / 2
        if sign_flip_p(scores + middle) < ALPHA:
            high = middle
        else:
            low = middle
    return high


def _normal_scores(n: int) -> NDArray[np.float64]:
    scores = ndtri((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    scores = scores - scores.mean()
    return np.asarray(scores / scores.std(ddof=1))
