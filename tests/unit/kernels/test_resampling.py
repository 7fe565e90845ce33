from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_stbench.kernels.resampling import (
    Interval,
    percentile_interval,
    sign_flip_p,
    studentised_interval,
    t_interval,
    wilcoxon_p,
)

GOLDEN = (0.03, 0.05, -0.01, 0.02, 0.04, 0.06)

# HEST-Benchmark, ridge on PCA 256, Pearson by task: IDC PRAD PAAD SKCM COAD READ ccRCC LUAD LYMPH.
H_OPTIMUS_0 = (0.5982, 0.3850, 0.4932, 0.6432, 0.2991, 0.2292, 0.2654, 0.5582, 0.2595)
UNI_V15 = (0.5989, 0.3645, 0.4902, 0.6401, 0.2925, 0.2240, 0.2522, 0.5586, 0.2597)
VIRCHOW2 = (0.5922, 0.3465, 0.4661, 0.6174, 0.2578, 0.2084, 0.2788, 0.5605, 0.2582)
RESNET50 = (0.4741, 0.3075, 0.3889, 0.4822, 0.2528, 0.0812, 0.2231, 0.4917, 0.2322)

values = st.lists(st.integers(-1000, 1000).map(lambda k: k / 1000), min_size=1, max_size=9)
samples = st.lists(st.integers(-1000, 1000).map(lambda k: k / 1000), min_size=4, max_size=12)


def enumerated_p(d):
    """Two-sided sign-flip p, one sign vector after the other."""
    observed = abs(math.fsum(d))
    vectors = itertools.product((1, -1), repeat=len(d))
    sums = [abs(math.fsum(s * x for s, x in zip(signs, d, strict=True))) for signs in vectors]
    return sum(total >= observed - 1e-12 for total in sums) / len(sums)


def bounds(interval: Interval):
    return interval.low, interval.high


def test_golden_intervals():
    assert bounds(t_interval(GOLDEN)) == pytest.approx((0.005606, 0.057727), abs=1e-6)
    assert bounds(studentised_interval(GOLDEN)) == pytest.approx((-0.004, 0.053), abs=0.002)
    assert bounds(percentile_interval(GOLDEN)) == pytest.approx((0.012, 0.048), abs=0.002)


def test_golden_p():
    assert sign_flip_p(GOLDEN) == 0.0625
    assert wilcoxon_p(GOLDEN) == 0.0625


@pytest.mark.parametrize(
    ("other", "mean", "p"),
    [(UNI_V15, 0.0056, 0.03125), (VIRCHOW2, 0.0161, 0.04296875), (RESNET50, 0.0886, 0.00390625)],
)
def test_sign_flip_of_published_tables(other, mean, p):
    d = np.subtract(H_OPTIMUS_0, other)
    assert d.mean() == pytest.approx(mean, abs=5e-5)
    assert sign_flip_p(d) == p


def test_sign_flip_equals_scipy_permutation_test():
    d = np.array([0.031, 0.052, -0.013, 0.024, 0.045, 0.066, -0.027, 0.018])
    oracle = stats.permutation_test(
        (d,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip_p(d) == pytest.approx(oracle.pvalue, abs=1e-15)


def test_sign_flip_is_exact_up_to_fifteen_patients_and_random_above():
    d = np.linspace(-0.4, 1.0, 15)
    assert sign_flip_p(d) == sign_flip_p(d, seed=5)
    assert (sign_flip_p(d) * 2**15) % 1 == 0
    longer = np.linspace(-0.4, 1.0, 16)
    exact = enumerated_sums_p(longer)
    assert sign_flip_p(longer) != exact
    assert sign_flip_p(longer) == pytest.approx(exact, abs=4 * math.sqrt(exact / 10_000))


def enumerated_sums_p(d):
    sums = np.zeros(1)
    for x in d:
        sums = np.concatenate([sums + x, sums - x])
    return float(np.mean(np.abs(sums) >= abs(d.sum()) - 1e-12))


def test_random_sign_flip_adds_one():
    assert sign_flip_p(np.full(40, 1.0), draws=99) == 1 / 100


def test_sums_that_differ_by_rounding_are_ties():
    # 0.1 + 0.2 and 0.3 differ in the last bit.
    assert sign_flip_p([0.1, 0.2, -0.3]) == 1.0
    # The same differences in units a million times smaller: ties stay ties.
    d = np.array([0.1, 0.2, 0.3, 0.7, -0.6, 0.05, -0.35])
    assert sign_flip_p(d) == sign_flip_p(d * 1e6 / 7) == 0.75


@given(values)
@settings(deadline=None, max_examples=50)
def test_sign_flip_equals_enumeration(d):
    assert sign_flip_p(d) == pytest.approx(enumerated_p(d), abs=1e-15)


@given(values)
@settings(deadline=None, max_examples=50)
def test_p_ignores_the_sign_and_is_a_probability(d):
    for test in (sign_flip_p, wilcoxon_p):
        p = test(d)
        assert p == test([-x for x in d])
        assert 2 / 2 ** len(d) <= p <= 1


@given(samples)
@settings(deadline=None, max_examples=50)
def test_p_ignores_the_order(d):
    assert sign_flip_p(d) == sign_flip_p(d[::-1])
    assert wilcoxon_p(d) == wilcoxon_p(d[::-1])


def test_wilcoxon_equals_scipy_without_ties():
    rng = np.random.default_rng(3)
    for n in (5, 6, 9, 14, 25):
        d = rng.normal(0.3, 1, n)
        oracle = stats.wilcoxon(d, method="exact").pvalue
        assert wilcoxon_p(d) == pytest.approx(oracle, rel=1e-12)


@given(st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=8))
@settings(deadline=None, max_examples=50)
def test_wilcoxon_equals_enumeration_with_zeros_and_ties(d):
    ranks = stats.rankdata(np.abs(d))
    signed = [math.copysign(rank, x) for rank, x in zip(ranks, d, strict=True) if x != 0]
    expected = enumerated_p(signed) if signed else 1.0
    assert wilcoxon_p(d) == pytest.approx(expected, abs=1e-12)


def test_wilcoxon_ranks_zeros_before_it_drops_them():
    # The zero takes rank 1, so the others have 2 to 5: 4 + 5 - 2 - 3 = 4 is reached by 12 of the
    # 16 sign vectors. Dropping the zero first (ranks 1 to 4) would give 10 of 16.
    assert wilcoxon_p([0.0, -1.0, -2.0, 3.0, 4.0]) == 12 / 16
    assert wilcoxon_p([-1.0, -2.0, 3.0, 4.0]) == 10 / 16
    assert wilcoxon_p([0.0, 1.0, 2.0, 3.0]) == 2 / 8


def test_rounding_errors_make_no_ranks():
    assert wilcoxon_p([0.1 + 0.2 - 0.3, 1.0, 2.0, 3.0]) == wilcoxon_p([0.0, 1.0, 2.0, 3.0])
    assert wilcoxon_p([0.3, 0.1 + 0.2, -0.5, 0.7]) == wilcoxon_p([0.3, 0.3, -0.5, 0.7])


def test_percentile_equals_scipy_bootstrap_of_the_same_resamples():
    d = np.random.default_rng(1).gamma(2.0, size=9)
    oracle = stats.bootstrap(
        (d,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(7)
    )
    ours = percentile_interval(d, draws=2000, seed=7)
    assert bounds(ours) == pytest.approx(tuple(oracle.confidence_interval), rel=1e-12)


def test_t_interval_equals_scipy():
    d = np.random.default_rng(2).normal(size=5)
    oracle = stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert bounds(t_interval(d)) == pytest.approx((oracle.low, oracle.high), rel=1e-12)


def test_studentised_equals_one_resample_after_the_other():
    d = np.array([0.0, 0.0, 0.3, 0.1, 0.9])
    rng = np.random.default_rng(4)
    se = np.std(d, ddof=1) / math.sqrt(len(d))
    t_star = []
    for rows in rng.integers(0, len(d), size=(500, len(d))):
        resample = d[rows]
        se_b = np.std(resample, ddof=1) / math.sqrt(len(d))
        if se_b > 1e-12:
            t_star.append((resample.mean() - d.mean()) / se_b)
    assert len(t_star) < 500
    lower, upper = np.quantile(t_star, [0.025, 0.975])
    expected = (d.mean() - upper * se, d.mean() - lower * se)
    assert bounds(studentised_interval(d, draws=500, seed=4)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("interval", [t_interval, studentised_interval, percentile_interval])
class TestEveryInterval:
    @given(d=samples, shift=st.floats(-5, 5))
    @settings(deadline=None, max_examples=20)
    def test_moves_with_the_values(self, interval, d, shift):
        low, high = bounds(interval(d))
        moved = bounds(interval(np.add(d, shift)))
        assert moved == pytest.approx((low + shift, high + shift), abs=1e-9)

    @given(d=samples)
    @settings(deadline=None, max_examples=20)
    def test_mirrors_with_the_sign(self, interval, d):
        low, high = bounds(interval(d))
        assert bounds(interval(np.negative(d))) == pytest.approx((-high, -low), abs=1e-9)

    @given(d=samples, scale=st.floats(0.1, 50))
    @settings(deadline=None, max_examples=20)
    def test_grows_with_the_scale(self, interval, d, scale):
        low, high = bounds(interval(d))
        assert bounds(interval(np.multiply(d, scale))) == pytest.approx((low * scale, high * scale), abs=1e-7)

    def test_is_the_mean_where_all_values_are_equal(self, interval):
        found = interval([0.1] * 6)
        assert bounds(found) == pytest.approx((0.1, 0.1), abs=1e-15)
        assert found.n == 6

    @pytest.mark.parametrize("d", [[], [0.3]])
    def test_is_undefined_below_two_patients(self, interval, d):
        found = interval(d)
        assert math.isnan(found.low)
        assert math.isnan(found.high)
        assert found.approximate

    def test_repeats_itself(self, interval):
        assert interval(GOLDEN) == interval(GOLDEN)

    def test_refuses_undefined_patients(self, interval):
        with pytest.raises(ValueError, match="leave undefined patients out"):
            interval([0.1, float("nan"), 0.2])


def test_studentised_of_two_patients_claims_nothing():
    assert math.isnan(studentised_interval([0.1, 0.2]).low)


@pytest.mark.parametrize(
    ("interval", "nominal_from"), [(t_interval, 6), (studentised_interval, 5), (percentile_interval, 20)]
)
def test_small_samples_are_marked_approximate(interval, nominal_from):
    d = np.arange(nominal_from, dtype=float)
    assert not interval(d).approximate
    assert interval(d[1:]).approximate


def test_p_without_patients_and_without_differences():
    assert math.isnan(sign_flip_p([]))
    assert math.isnan(wilcoxon_p([]))
    assert sign_flip_p([0.0] * 6) == 1.0
    assert wilcoxon_p([0.0] * 6) == 1.0
    assert sign_flip_p([0.1] * 6) == 2 / 64


@pytest.mark.parametrize(("n", "draw"), [(6, "normal"), (10, "normal"), (8, "skewed")])
def test_coverage_of_the_studentised_interval(n, draw):
    rng = np.random.default_rng(11)
    runs = 1000
    data = rng.normal(size=(runs, n)) if draw == "normal" else rng.gamma(4.0, size=(runs, n)) - 4.0
    intervals = [studentised_interval(d, draws=800) for d in data]
    covered = np.mean([found.low <= 0 <= found.high for found in intervals])
    assert 0.92 <= covered <= 0.98


def test_coverage_of_the_percentile_interval_is_below_nominal():
    data = np.random.default_rng(12).normal(size=(1000, 6))
    intervals = [percentile_interval(d, draws=800) for d in data]
    covered = np.mean([found.low <= 0 <= found.high for found in intervals])
    assert covered == pytest.approx(0.86, abs=0.03)


@pytest.mark.parametrize("n", [6, 8, 12])
def test_false_pass_rate_of_the_one_rule(n):
    margin = 0.02
    data = np.random.default_rng(13).normal(margin, 0.05, size=(1000, n))
    lower = np.array([studentised_interval(d, draws=800).low for d in data])
    p = np.array([sign_flip_p(d - margin) for d in data])
    rate = np.mean((lower > margin) & (p < 0.05))
    # One-sided nominal level .025, and three standard errors of 1000 runs.
    assert rate <= 0.025 + 0.015
    assert rate > 0
