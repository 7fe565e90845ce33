"""Intervals of means that stay in the range of their metric."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_stbench.kernels.guarded import spread
from pytest_stbench.kernels.mean_interval import guarded_interval, interval_in_range, mean_interval

RHO = (0.95, 0.97, 0.62, 0.91, 0.88, 0.99)
LOW = (0.02, 0.0, 0.11, 0.3, 0.01, 0.04)
ERRORS = (0.4, 0.6, 5.1, 0.9, 0.7, 0.5)
FOUR = (0.91, 0.99, 0.97, 0.55)

unit = st.lists(st.integers(0, 1000).map(lambda k: k / 1000), min_size=4, max_size=20)


def bounds(interval):
    return interval.low, interval.high


@pytest.mark.parametrize(
    ("values", "ends", "method", "expected"),
    [
        (RHO, (-1.0, 1.0), "t_logit", (0.626454370636, 0.969062676650)),
        (LOW, (0.0, 1.0), "t_logit", (0.016658176061, 0.308607288922)),
        (ERRORS, (0.0, None), "t_log", (0.333457184734, 5.601252164560)),
        (FOUR, (0.0, 1.0), "t_logit", (0.294912749571, 0.988113302584)),
    ],
)
def test_golden_values(values, ends, method, expected):
    found = mean_interval(values, ends)
    assert bounds(found) == pytest.approx(expected, abs=1e-10)
    assert (found.method, found.n, found.approximate) == (method, len(values), len(values) < 6)


@pytest.mark.parametrize("values", [RHO, LOW, ERRORS, FOUR])
def test_without_a_range_it_is_students_t(values):
    oracle = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = mean_interval(values)
    assert bounds(found) == pytest.approx((oracle.low, oracle.high), rel=1e-12)
    assert found.method == "t"


def test_between_minus_one_and_one_it_is_fishers_z_of_the_mean():
    mean, error = np.mean(RHO), stats.sem(RHO)
    half = stats.t.ppf(0.975, 5) * error / (1 - mean**2)
    expected = np.tanh([np.arctanh(mean) - half, np.arctanh(mean) + half])
    assert bounds(mean_interval(RHO, (-1, 1))) == pytest.approx(tuple(expected), rel=1e-12)


@given(values=unit, ends=st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, None), (None, 1.0), (-0.5, 1.0)]))
@settings(deadline=None, max_examples=100)
def test_it_never_leaves_the_range_and_holds_the_mean(values, ends):
    low, high = bounds(mean_interval(values, ends))
    mean = math.fsum(values) / len(values)
    assert low - 1e-12 <= mean <= high + 1e-12
    assert ends[0] is None or low >= ends[0]
    assert ends[1] is None or high <= ends[1]


@given(values=unit)
@settings(deadline=None, max_examples=50)
def test_it_mirrors_with_the_range(values):
    low, high = bounds(mean_interval(values, (0, 1)))
    turned = bounds(mean_interval([1 - value for value in values], (0, 1)))
    assert turned == pytest.approx((1 - high, 1 - low), abs=1e-9)
    low, high = bounds(mean_interval(values, (0, None)))
    turned = bounds(mean_interval([-value for value in values], (None, 0)))
    assert turned == pytest.approx((-high, -low), abs=1e-9)


@given(values=unit, scale=st.floats(0.01, 1000))
@settings(deadline=None, max_examples=50)
def test_it_has_the_units_of_the_values(values, scale):
    low, high = bounds(mean_interval(values, (0, 1)))
    scaled = bounds(mean_interval([scale * value for value in values], (0, scale)))
    assert scaled == pytest.approx((scale * low, scale * high), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("ends", [(None, None), (0, 1), (-1, 1), (0, None), (None, 1)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_equal_values_have_no_width(ends, value):
    found = mean_interval([value] * 6, ends)
    assert bounds(found) == pytest.approx((value, value), abs=1e-15)
    assert found.flat
    assert not mean_interval(LOW, ends).flat


def test_a_value_next_to_the_end_neither_overflows_nor_leaves():
    found = mean_interval([1.0, 1.0, 1.0, 1.0, 1.0, 1.0 - 1e-6], (0, 1))
    assert 0 < found.low < found.high <= 1
    assert interval_in_range([1e-300, 0.5], [0.5, 0.5], (0, 1))[1][0] <= 1


def test_values_outside_the_range_have_none():
    # What a metric says of its ends may be wrong: then it has none.
    assert mean_interval([0.5, 0.7, 1.2, 0.4], (0, 1)).method == "t"
    assert mean_interval([-0.5, 0.7, 0.2, 0.4], (0, None)).method == "t"
    assert mean_interval([1 + 1e-12, 0.7, 0.2, 0.4], (0, 1)).method == "t_logit"


def test_guarded_bounds_are_clipped_to_the_range():
    low, high = spread(LOW).bounds()
    assert low < 0 < high < 1
    assert bounds(guarded_interval(LOW, (0, 1))) == (0.0, pytest.approx(high))
    assert bounds(guarded_interval(LOW)) == pytest.approx((low, high))
    assert guarded_interval(LOW).method == "guarded"
    assert bounds(guarded_interval([*LOW, 1.5], (0, 1))) == pytest.approx(spread([*LOW, 1.5]).bounds())


@pytest.mark.parametrize(("n", "coverage"), [(4, 0.951), (6, 0.954), (12, 0.951)])
def test_coverage_of_a_share_about_one_half(n, coverage):
    rng = np.random.default_rng(n)
    centre = rng.beta(5, 5, size=(20_000, n))
    values = np.clip(centre + 0.02 * rng.normal(size=centre.shape), 0, 1)
    mean, half = values.mean(axis=1), stats.t.ppf(0.975, n - 1) * stats.sem(values, axis=1)
    low, high = interval_in_range(mean, half, (0, 1))
    assert float(((low <= 0.5) & (high >= 0.5)).mean()) == pytest.approx(coverage, abs=0.01)
