from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import f_oneway

from pytest_stbench.kernels.group_variance import variance_between


def by_anova(values, groups):
    parts = [values[groups == group] for group in np.unique(groups)]
    k, n = len(parts), len(values)
    f = f_oneway(*parts, axis=0).statistic * (k - 1)
    return f / (f + n - k)


@pytest.mark.parametrize(("n", "g", "k"), [(40, 3, 2), (3000, 60, 5), (301, 1, 30)])
def test_against_anova(n, g, k):
    rng = np.random.default_rng(n)
    groups = rng.integers(0, k, n)
    values = rng.normal(1e4, 1.0, (n, g)) + 0.3 * groups[:, None] * np.arange(g)
    assert variance_between(values, groups, k) == pytest.approx(by_anova(values, groups), abs=1e-9)


def test_by_hand():
    # Means 1 and 3 about 2, residuals of 1: 4 of 8 are between.
    values = np.array([[0.0], [2.0], [2.0], [4.0]])
    assert variance_between(values, np.array([0, 0, 1, 1]), 2) == pytest.approx([0.5])


def test_groups_that_explain_all_or_nothing():
    groups = np.array([0, 0, 2, 2])
    values = np.column_stack([groups * 1.0, [0.0, 1.0, 0.0, 1.0]])
    assert variance_between(values, groups, 3).tolist() == [1.0, 0.0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_order_scale_and_names_of_groups_change_nothing(seed, scale, shift):
    rng = np.random.default_rng(seed)
    values, groups = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    order, names = rng.permutation(30), rng.permutation(3)
    found = variance_between(values, groups, 3)
    assert ((found >= 0) & (found <= 1)).all()
    other = variance_between((values * scale + shift)[order], names[groups[order]], 3)
    assert other == pytest.approx(found, abs=1e-9)


def test_what_is_undefined_is_nan():
    values = np.array([[1.0, np.nan, np.inf, 0.0], [1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 2.0, 2.0]])
    assert np.isnan(variance_between(values, np.array([0, 1, 1]), 2)).tolist() == [True, True, True, False]
    assert np.isnan(variance_between(values[:1], np.array([0]), 1)).all()
    assert variance_between(np.empty((0, 2)), np.empty(0, int), 1).shape == (2,)
    assert np.isnan(variance_between(np.full((50, 1), 1e9) + 1e-3, np.arange(50) % 2, 2)).all()
