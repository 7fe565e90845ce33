from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import average_precision_score

from pytest_stbench.kernels.precision import average_precision

pytestmark = pytest.mark.filterwarnings("error")


def test_golden_value():
    positive = np.array([[0, 0, 1, 1, 0]], bool).T
    score = np.array([[0.1, 0.4, 0.35, 0.8, 0.2]]).T
    assert average_precision(positive, score) == pytest.approx([0.833333], abs=5e-7)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 6))
def test_every_column_agrees_with_sklearn_whatever_its_ties(seed, n, levels):
    rng = np.random.default_rng(seed)
    score = rng.integers(0, levels, (n, 5)) - 1.0
    positive, mask = rng.random((n, 5)) < 0.4, rng.random((n, 5)) < 0.7
    for rows in (None, mask):
        found = average_precision(positive, score, rows)
        for j in range(5):
            kept = np.ones(n, bool) if rows is None else rows[:, j]
            if positive[kept, j].any():
                expected = average_precision_score(positive[kept, j], score[kept, j])
                assert found[j] == pytest.approx(expected, abs=1e-12)
            else:
                assert np.isnan(found[j])


def test_a_constant_score_gets_the_prevalence():
    positive = np.arange(40).reshape(20, 2) % 5 == 0
    found = average_precision(positive, np.zeros((20, 2)))
    assert found == pytest.approx(positive.mean(axis=0))


def test_nothing_to_rank():
    assert np.isnan(average_precision(np.zeros((0, 2), bool), np.zeros((0, 2)))).all()
    assert average_precision(np.zeros((3, 0), bool), np.zeros((3, 0))).shape == (0,)
