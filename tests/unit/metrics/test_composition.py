from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from pytest_stbench.metrics.composition import (
    dominant_type_accuracy,
    presence_auprc,
    type_rmse,
    type_rmse_present,
    type_spearman,
)

pytestmark = pytest.mark.filterwarnings("error")

TRUTH = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0]])
GUESS = np.array([[0.4, 0.6, 0.0], [0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.3, 0.6, 0.1]])
PER_TYPE = (type_spearman, type_rmse, type_rmse_present, presence_auprc)


def test_golden_values_by_hand():
    present = type_rmse_present(TRUTH, GUESS, genes=["a", "b", "c"])
    assert present.labels.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(present.values[0], np.sqrt((0.01 + 0.09 + 0 + 0.09) / 4))
    np.testing.assert_allclose(present.values[1], np.sqrt((0.01 + 0.04 + 0.04) / 3))
    assert present.reasons.tolist() == ["", "", "no_positive"]
    assert present.extras["n_present"][:2].tolist() == [4, 3]
    np.testing.assert_allclose(type_rmse(TRUTH, GUESS).values[1], np.sqrt((0.01 + 0.04 + 0.04 + 0.04) / 4))
    presence = presence_auprc(TRUTH, GUESS)
    assert presence.reasons.tolist() == ["no_negative", "", "no_positive"]
    assert presence.values[1] == 1.0
    assert presence.extras["prevalence"][1] == 0.75
    # The first spot has two types of equal share: either is right; the last is wrong.
    dominant = dominant_type_accuracy(TRUTH, GUESS)
    assert dominant.values[0] == 0.75
    assert dominant.extras["most_frequent"][0] == 0.75


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(10, 40), k=st.integers(2, 5))
def test_values_are_those_of_other_packages(seed, n, k):
    rng = np.random.default_rng(seed)
    truth, guess = rng.dirichlet(np.full(k, 0.5), (2, n))
    truth[rng.random((n, k)) < 0.4] = 0
    truth[0, 0], truth[1, 0] = 0.5, 0.0
    spearman, presence = type_spearman(truth, guess), presence_auprc(truth, guess)
    for column in range(k):
        if spearman.reasons[column] == "":
            expected = spearmanr(truth[:, column], guess[:, column]).statistic
            assert spearman.values[column] == pytest.approx(expected, abs=1e-9)
        if presence.reasons[column] == "":
            expected = average_precision_score(truth[:, column] >= 0.01, guess[:, column])
            assert presence.values[column] == pytest.approx(expected, abs=1e-9)
    order, types = rng.permutation(n), rng.permutation(k)
    for metric in PER_TYPE:
        values, moved = metric(truth, guess).values, metric(truth[order][:, types], guess[order][:, types])
        np.testing.assert_allclose(moved.values, values[types], atol=1e-12)
    rows = truth.sum(axis=1) > 0
    right = truth[rows].argmax(axis=1) == guess[rows].argmax(axis=1)
    assert dominant_type_accuracy(truth, guess).values[0] == pytest.approx(right.mean())


def test_an_estimate_of_next_to_nothing_is_absence():
    truth = np.array([[0.991, 0.009], [0.99, 0.01], [0.5, 0.5]])
    assert presence_auprc(truth, truth).extras["prevalence"][1] == pytest.approx(2 / 3)
    assert type_rmse_present(truth, truth).extras["n_present"].tolist() == [3, 2]


def test_a_perfect_prediction():
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(3), 30)
    truth[:4, 1] = 0
    assert type_spearman(truth, truth).values == pytest.approx(np.ones(3))
    assert not type_rmse(truth, truth).values.any()
    assert not type_rmse_present(truth, truth).values.any()
    assert presence_auprc(truth, truth).values[1] == 1
    assert dominant_type_accuracy(truth, truth).values[0] == 1


def test_a_constant_prediction_gets_the_prevalence():
    truth = np.tile([[0.0, 1.0], [0.3, 0.7], [0.6, 0.4], [0.0, 1.0]], (3, 1))
    guess = np.full((12, 2), 0.5)
    found = presence_auprc(truth, guess)
    assert found.values[0] == found.extras["prevalence"][0] == 0.5
    assert type_spearman(truth, guess).reasons.tolist() == ["pred_constant"] * 2
    # Of equal shares the first type counts.
    assert dominant_type_accuracy(truth, guess).values[0] == pytest.approx(0.25)


def test_spots_that_are_not_known_are_left_out():
    truth = np.vstack([TRUTH, [[np.nan] * 3, [0, 0, 0]]])
    guess = np.vstack([GUESS, [[0, 0, 1.0], [0, 0, 1.0]]])
    dominant = dominant_type_accuracy(truth, guess)
    assert (dominant.values[0], dominant.extras["n_left_out"][0]) == (0.75, 2)
    assert type_rmse_present(truth, guess).values[1] == type_rmse_present(TRUTH, GUESS).values[1]
    assert presence_auprc(truth[:5], guess[:5]).extras["prevalence"][1] == 0.75


@pytest.mark.parametrize(("n", "k"), [(0, 3), (1, 3), (4, 0), (4, 1)])
def test_nearly_nothing(n, k):
    truth = np.ones((n, k)) / max(k, 1)
    for metric in PER_TYPE:
        assert len(metric(truth, truth).values) == k
    assert len(dominant_type_accuracy(truth, truth).values) == 1
    assert dominant_type_accuracy(np.zeros((3, 2)), np.ones((3, 2))).reasons.tolist() == ["too_few_units"]


@pytest.mark.parametrize("metric", [*PER_TYPE, dominant_type_accuracy])
def test_bad_input_is_refused(metric):
    with pytest.raises(ValueError, match=r"truth has shape \(4, 3\) and prediction \(4, 2\)"):
        metric(TRUTH, GUESS[:, :2])
    with pytest.raises(ValueError, match="not finite"):
        metric(TRUTH, np.full((4, 3), np.nan))


@pytest.mark.parametrize("metric", PER_TYPE)
def test_single_precision_loses_no_digit(metric):
    rng = np.random.default_rng(2)
    truth, guess = (rng.dirichlet(np.ones(4), 300).astype(np.float32) for _ in range(2))
    # Nearer to each other than single precision tells after a product with 10^9.
    guess[:, 0] = 0.5 + np.arange(300) * 2.0**-24
    truth[:5, 1] = 0.01
    double = metric(truth.astype(np.float64), guess.astype(np.float64))
    np.testing.assert_array_equal(metric(truth, guess).values, double.values)
