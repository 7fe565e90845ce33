"""The guarded t: golden values, properties, and rates by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from scipy import stats

from pytest_stbench.kernels.guarded import (
    detectable_effect,
    smallest_detectable,
    spread,
    steps,
)

# n, d, mean, se, g, c_low, c_high, low, high, p
GOLDEN = (
    ((0.021, 0.034, 0.011, 0.052, 0.024, 0.041),
     0.0305, 0.006048415771, 0.174623958551, 3.138984259830, 6.311637159549, 0.011514118099, 0.068675405734,
     0.004544574841),
    ((0.03, 0.05, -0.01, 0.02, 0.04, 0.06),
     0.031666666667, 0.010137937550, -0.635861294784, 8.0, 2.570581835636, -0.049436833737, 0.057727064785,
     0.180802347310),
    ((0.012, 0.034, 0.021, 0.052, 0.024, 0.041, 0.029),
     0.030428571429, 0.005027813796, 0.298218067872, 2.446911851145, 5.986957279085, 0.018125954266,
     0.060529877831, 0.000460876744),
    ((0.031, 0.042, 0.055, 0.018, 0.027, 0.063, -0.021),
     0.030714285714, 0.010476082251, -0.769299460977, 8.0, 2.446911851145, -0.053094372290, 0.056348335527,
     0.202198129055),
    ((0.018, 0.035, 0.011, 0.042, 0.027, 0.039, 0.026, 0.05),
     0.031, 0.004574775560, -0.114200653868, 3.069603770530, 2.364624251593, 0.016957251690, 0.041817625236,
     0.000612892486),
    ((0.02, 0.035, 0.011, 0.048, 0.027, 0.039, 0.016, -0.052),
     0.018, 0.010911985547, -1.565858405292, 8.0, 2.364624251593, -0.069295884374, 0.043802745657,
     0.320375020768),
    ((0.01, 0.025, 0.032, 0.004, 0.018, 0.041, 0.029, -0.006, 0.037, 0.015, 0.022, 0.051),
     0.023166666667, 0.004675586713, -0.090391579453, 2.202437860602, 2.200985160092, 0.012868977469,
     0.033457563637, 0.000217282360),
    ((0.012, 0.03, -0.008, 0.021, 0.044, 0.017, 0.026, 0.035, 0.009, 0.052, -0.015, 0.028, 0.019, 0.038,
      0.006, 0.047, 0.023, -0.003, 0.031, 0.015),
     0.02135, 0.004015283303, -0.261374690561, 2.288851690619, 2.093024054408, 0.012159612025,
     0.029754084538, 0.000054108116),
)  # fmt: skip

# Thousandths, so that no two values differ by a rounding alone.
samples = st.lists(st.integers(-1000, 1000).map(lambda k: k / 1000), min_size=4, max_size=40)


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: f"n={len(row[0])}")
def test_golden_values(row):
    d, *expected = row
    n = len(d)
    it = spread(d)
    low, high = it.bounds()
    found = (it.mean, it.error, it.skew, steps(n, it.skew), steps(n, -it.skew), low, high, it.p())
    assert found == pytest.approx(tuple(expected), abs=1e-10)
    assert (low > 0) == (it.p() < 0.025)


@pytest.mark.parametrize(
    ("n", "effect"),
    [(6, 1.8171), (7, 1.2463), (8, 0.8637), (9, 0.7687), (10, 0.7154), (12, 0.6354), (20, 0.4680)],
)
def test_smallest_effects(n, effect):
    assert detectable_effect(n) == pytest.approx(effect, abs=5e-5)
    assert smallest_detectable([0.1, 0.3], margin=0.02, n=n) == pytest.approx(
        0.02 + detectable_effect(n) * np.std([0.1, 0.3], ddof=1)
    )


@pytest.mark.parametrize("n", [6, 7, 9, 20])
@pytest.mark.parametrize("margin", [0.0, 0.02])
def test_the_smallest_effect_is_the_border_of_the_rule(n, margin):
    scores = stats.norm.ppf((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    even = 0.05 * (scores - scores.mean()) / scores.std(ddof=1)
    border = smallest_detectable(even, margin=margin, n=n)
    assert spread(even + border + 1e-6).bounds()[0] > margin
    assert spread(even + border - 1e-6).bounds()[0] < margin


def test_no_effect_without_an_sd_or_below_six_patients():
    assert math.isnan(smallest_detectable([0.1]))
    assert smallest_detectable([0.1, 0.1], margin=0.02) == pytest.approx(0.02)
    assert smallest_detectable([0.1, 0.3], n=5) == math.inf


@pytest.mark.parametrize("n", range(2, 61))
def test_steps_lie_between_students_t_and_eight(n):
    skew = np.linspace(-7, 7, 29)
    found = steps(n, skew)
    student = stats.t.ppf(0.975, n - 1)
    assert np.all(np.diff(found) <= 0), "less is asked where patients lean to the right"
    assert np.all(found >= student - 1e-12)
    assert np.all(found <= max(8.0, student) + 1e-12)
    assert found[-1] == pytest.approx(student)


def test_the_slope_has_no_pole():
    # 8 / (n - 4.5) is negative at four patients; the cap of 2 holds there as it does up to eight.
    assert steps(4, 0.4) == pytest.approx(2 * math.exp(2 * 0.3))
    assert steps(5, 0.1) == pytest.approx(2 * math.exp(2 * 0.45))


@given(d=samples, margins=st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
@settings(deadline=None, max_examples=60)
def test_p_and_pass_are_one_thing_and_monotone_in_the_margin(d, margins):
    small, large = sorted(margins)
    low, _ = spread(d).bounds()
    assume(abs(low - large) > 1e-9)
    assert (spread(d).p(large) < 0.025) == (low > large)
    assert spread(d).p(small) <= spread(d).p(large) + 1e-12


@given(d=samples)
@settings(deadline=None, max_examples=60)
def test_it_is_never_easier_than_students_t(d):
    low, high = spread(d).bounds()
    half = stats.t.ppf(0.975, len(d) - 1) * np.std(d, ddof=1) / math.sqrt(len(d))
    assert low <= np.mean(d) - half + 1e-12
    assert high >= np.mean(d) + half - 1e-12
    student = stats.ttest_1samp(d, 0.0, alternative="greater").pvalue if np.std(d) > 1e-9 else 0.0
    if np.mean(d) > 0:
        assert spread(d).p() >= student - 1e-12


@given(d=samples, scale=st.floats(0.01, 100), shift=st.floats(-5, 5))
@settings(deadline=None, max_examples=60)
def test_it_moves_and_grows_with_the_values(d, scale, shift):
    low, high = spread(d).bounds()
    moved = spread(np.multiply(d, scale) + shift).bounds()
    assert moved == pytest.approx((low * scale + shift, high * scale + shift), rel=1e-6, abs=1e-6)
    if np.std(d) > 1e-6:
        assert spread(np.multiply(d, scale)).p() == pytest.approx(spread(d).p(), abs=1e-9)


@given(d=samples)
@settings(deadline=None, max_examples=60)
def test_it_mirrors_with_the_sign(d):
    low, high = spread(d).bounds()
    assert spread(np.negative(d)).bounds() == pytest.approx((-high, -low), abs=1e-12)
    assert spread(np.negative(d)).p() == pytest.approx(1 - spread(d).p(), abs=1e-12)


@given(d=samples, random=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_it_ignores_the_order(d, random):
    turned = list(d)
    random.shuffle(turned)
    assert spread(turned).bounds() == pytest.approx(spread(d).bounds(), abs=1e-9)
    assert spread(turned).p() == pytest.approx(spread(d).p(), abs=1e-9)


def test_many_gates_are_one_gate_after_the_other():
    d = np.random.default_rng(0).gamma(2.0, size=(7, 5, 9)) - 2.0
    margins = np.linspace(-1, 1, 35).reshape(7, 5)
    low, high = spread(d).bounds()
    p = spread(d).p(margins)
    assert low.shape == high.shape == p.shape == (7, 5)
    for i, j in np.ndindex(7, 5):
        assert (low[i, j], high[i, j]) == pytest.approx(spread(d[i, j]).bounds(), rel=1e-13)
        assert p[i, j] == pytest.approx(spread(d[i, j]).p(margins[i, j]), rel=1e-12)


def test_equal_values_have_no_spread():
    assert spread([0.05] * 6).bounds() == pytest.approx((0.05, 0.05), abs=1e-15)
    assert [float(spread([0.05] * 6).p(margin)) for margin in (0.04, 0.05, 0.06)] == [0.0, 0.5, 1.0]
    # Their third moment is nothing but rounding: it must not lean.
    assert spread([0.1 + 0.2] * 3 + [0.3] * 3).skew == 0.0


def test_a_tail_that_was_not_seen_cannot_be_passed_below():
    # Six differences that are all positive and lean to the left: mostly a bit better.
    d = (0.02, 0.021, 0.019, 0.022, 0.02, 0.001)
    assert stats.ttest_1samp(d, 0.0, alternative="greater").pvalue < 0.025
    assert spread(d).bounds()[0] < 0


REPEATS = 20_000
FAMILIES = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.026),
    "t3": (lambda rng, shape: rng.standard_t(3, size=shape), 0.026),
    "exponential": (lambda rng, shape: 1.0 - rng.exponential(size=shape), 0.032),
    "lognormal": (lambda rng, shape: math.exp(0.405) - np.exp(0.9 * rng.normal(size=shape)), 0.049),
}
"""Differences of mean 0, the skewed ones leaning to the left, and how often a pass may be false."""


@pytest.mark.parametrize("n", [6, 9, 20])
@pytest.mark.parametrize("family", FAMILIES)
def test_false_passes_stay_below_their_aim(family, n):
    draw, aim = FAMILIES[family]
    d = draw(np.random.default_rng(n), (REPEATS, n))
    rate = float((spread(d).bounds()[0] > 0).mean())
    assert 0 < rate <= aim + 3 * math.sqrt(aim * (1 - aim) / REPEATS)


@pytest.mark.parametrize(("n", "power"), [(6, 0.433), (8, 0.672), (12, 0.930)])
def test_power_at_an_effect_of_three_halves_of_an_sd(n, power):
    d = np.random.default_rng(n).normal(1.5, 1.0, size=(REPEATS, n))
    found = float((spread(d).bounds()[0] > 0).mean())
    assert found == pytest.approx(power, abs=3 * math.sqrt(power * (1 - power) / REPEATS) + 0.0005)


@pytest.mark.parametrize(("n", "coverage"), [(6, 0.970), (9, 0.968), (20, 0.972)])
def test_coverage_under_skew(n, coverage):
    low, high = spread(1.0 - np.random.default_rng(100 + n).exponential(size=(REPEATS, n))).bounds()
    found = float(((low <= 0) & (high >= 0)).mean())
    assert found == pytest.approx(coverage, abs=3 * math.sqrt(coverage * (1 - coverage) / REPEATS) + 0.0005)
