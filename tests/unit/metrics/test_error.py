from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn import metrics as oracles

from pytest_stbench.metrics import mae, r2, rmse

# Bad input never gives a warning of numpy.
pytestmark = pytest.mark.filterwarnings("error")

Y = np.array([[0.0, 1, 2, 3, 4]]).T
P = np.array([[0.0, 1, 1, 3, 5]]).T


def test_golden_values():
    assert rmse(Y, P).values == pytest.approx([0.632456], abs=5e-7)
    assert mae(Y, P).values == pytest.approx([0.4], abs=1e-12)
    assert r2(Y, P).values == pytest.approx([0.8], abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_errors_agree_with_sklearn(seed):
    rng = np.random.default_rng(seed)
    truth, prediction = rng.normal(3.0, 2.0, size=(2, 50, 8))
    prediction[:, 0] += 20
    raw = {"multioutput": "raw_values"}
    expected = oracles.mean_squared_error(truth, prediction, **raw)
    np.testing.assert_allclose(rmse(truth, prediction).values, np.sqrt(expected), rtol=1e-12)
    expected = oracles.mean_absolute_error(truth, prediction, **raw)
    np.testing.assert_allclose(mae(truth, prediction).values, expected, rtol=1e-12)
    found = r2(truth, prediction).values
    np.testing.assert_allclose(found, oracles.r2_score(truth, prediction, **raw), rtol=1e-10)
    assert found[0] < -1


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-100, 100))
def test_scale_and_shift(seed, scale, shift):
    truth, prediction = np.random.default_rng(seed).normal(size=(2, 20, 3))
    moved = scale * truth + shift, scale * prediction + shift
    np.testing.assert_allclose(rmse(*moved).values, scale * rmse(truth, prediction).values, rtol=1e-8)
    np.testing.assert_allclose(mae(*moved).values, scale * mae(truth, prediction).values, rtol=1e-8)
    np.testing.assert_allclose(r2(*moved).values, r2(truth, prediction).values, rtol=1e-6, atol=1e-8)
    assert (mae(truth, prediction).values <= rmse(truth, prediction).values + 1e-12).all()


def test_the_mean_of_the_slide_explains_nothing():
    truth = np.random.default_rng(0).gamma(2.0, size=(50, 4))
    mean = np.broadcast_to(truth.mean(axis=0), truth.shape)
    np.testing.assert_allclose(r2(truth, mean).values, 0.0, atol=1e-12)


def test_r2_of_constant_truth_is_undefined_even_for_a_perfect_prediction():
    constant = np.full((12, 2), 3.0)
    prediction = constant + np.array([0.0, 1.0])
    scores = r2(constant, prediction)
    assert scores.reasons.tolist() == ["gt_constant"] * 2
    assert rmse(constant, prediction).values.tolist() == [0.0, 1.0]
    assert mae(constant, prediction).values.tolist() == [0.0, 1.0]


def test_two_units_are_enough_for_an_error():
    truth, prediction = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])
    assert rmse(truth, prediction).values[0] == pytest.approx(np.sqrt(5.0))
    assert mae(truth, prediction).values[0] == 2.0
    assert r2(truth, prediction).values[0] == pytest.approx(-4.0)
