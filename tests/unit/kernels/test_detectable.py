from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_stbench.kernels.detectable import detectable_effect, lower_bound_distance, smallest_detectable
from pytest_stbench.kernels.resampling import sign_flip_p, studentised_interval


def passes(d, margin=0.0):
    return studentised_interval(d).low > margin and sign_flip_p(np.subtract(d, margin)) < 0.05


@pytest.mark.parametrize("n", [6, 7, 9, 20])
@pytest.mark.parametrize("margin", [0.0, 0.02])
def test_detectable_effect_is_the_border_of_the_rule(n, margin):
    scores = stats.norm.ppf((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    spread = 0.05 * (scores - scores.mean()) / scores.std(ddof=1)
    border = smallest_detectable(spread, margin=margin, n=n)
    assert passes(spread + border + 1e-6, margin)
    assert not passes(spread + border - 1e-6, margin)


def test_detectable_effect_by_number_of_patients():
    assert detectable_effect(5) == math.inf
    # Six patients must all be on one side: minus the lowest normal score.
    scores = stats.norm.ppf((np.arange(1, 7) - 0.375) / 6.25)
    assert detectable_effect(6) == pytest.approx(-scores.min() / scores.std(ddof=1), abs=1e-6)
    effects = [detectable_effect(n) for n in (6, 7, 8, 10, 15, 16, 30)]
    assert effects == sorted(effects, reverse=True)
    assert lower_bound_distance(2) == math.inf
    assert lower_bound_distance(6) < detectable_effect(6)


def test_smallest_detectable_needs_an_sd():
    assert math.isnan(smallest_detectable([0.1]))
    assert smallest_detectable([0.1, 0.1], margin=0.02) == pytest.approx(0.02)
    assert smallest_detectable([0.1, 0.3], n=5) == math.inf
