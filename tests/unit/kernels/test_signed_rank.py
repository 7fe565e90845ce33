from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_stbench.kernels.guarded import wilcoxon_p

GOLDEN = (0.03, 0.05, -0.01, 0.02, 0.04, 0.06)

values = st.lists(st.integers(-1000, 1000).map(lambda k: k / 1000), min_size=1, max_size=9)


def enumerated_p(d):
    """Two-sided sign-flip p, one sign vector after the other."""
    observed = abs(math.fsum(d))
    vectors = itertools.product((1, -1), repeat=len(d))
    sums = [abs(math.fsum(s * x for s, x in zip(signs, d, strict=True))) for signs in vectors]
    return sum(total >= observed - 1e-12 for total in sums) / len(sums)


def test_golden_p():
    assert wilcoxon_p(GOLDEN) == 0.0625


@given(values)
@settings(deadline=None, max_examples=50)
def test_p_ignores_the_sign_and_the_order_and_is_a_probability(d):
    p = wilcoxon_p(d)
    assert p == wilcoxon_p([-x for x in d]) == wilcoxon_p(d[::-1])
    assert 2 / 2 ** len(d) <= p <= 1


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


def test_p_without_patients_and_without_differences():
    assert math.isnan(wilcoxon_p([]))
    assert wilcoxon_p([0.0] * 6) == 1.0
