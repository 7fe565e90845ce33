from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import spearmanr

from pytest_stbench.metrics import (
    partial_spearman_gene,
    patient_mean_spearman,
    signature_specificity,
    top_decile_jaccard,
)

pytestmark = pytest.mark.filterwarnings("error")


def by_hand(truth, prediction):
    hot = {i for i, v in enumerate(truth) if v > np.percentile(truth, 90)}
    found = {i for i, v in enumerate(prediction) if v > np.percentile(prediction, 90)}
    return len(hot & found) / len(hot | found)


def test_jaccard_of_the_hottest_tenth_by_hand():
    truth = np.arange(100.0)
    shifted = np.roll(truth, 5)  # the values 90-99 move by five: 90-94 stay hot
    assert top_decile_jaccard(truth[:, None], truth[:, None]).values[0] == 1
    assert top_decile_jaccard(truth[:, None], -truth[:, None]).values[0] == 0
    assert top_decile_jaccard(truth[:, None], shifted[:, None]).values[0] == pytest.approx(5 / 15)


@settings(max_examples=20)
@given(seed=st.integers(0, 500), n=st.integers(50, 90))
def test_jaccard_is_that_of_sets_whatever_the_scale_and_order(seed, n):
    rng = np.random.default_rng(seed)
    truth, prediction = rng.gamma(1.0, size=(2, n, 3))
    found = top_decile_jaccard(truth, prediction).values
    np.testing.assert_allclose(found, [by_hand(truth[:, j], prediction[:, j]) for j in range(3)])
    order = rng.permutation(n)
    np.testing.assert_array_equal(top_decile_jaccard(truth[order] * 3 + 1, prediction[order]).values, found)
    np.testing.assert_array_equal(top_decile_jaccard(prediction, truth).values, found)


def test_rounding_makes_no_hot_units():
    truth = np.arange(60.0)[:, None]
    noise = 0.3 + 1e-16 * np.random.default_rng(0).integers(0, 3, (60, 1))
    assert np.ptp(noise) > 0
    assert top_decile_jaccard(truth, noise).reasons.tolist() == ["empty_pred"]


def test_where_the_jaccard_is_undefined():
    truth = np.tile(np.arange(60.0)[:, None], (1, 6))
    prediction = truth.copy()
    prediction[:, 0] = 2.0
    truth[:, 1] = 1.0
    truth[:, 2] = np.arange(60) > 55
    truth[:40, 3] = np.nan
    truth[:10, 4] = np.nan
    found = top_decile_jaccard(truth, prediction, measured=np.arange(6) < 5)
    assert found.reasons.tolist() == [
        "empty_pred",
        "no_positive",
        "no_positive",
        "gt_nan",
        "",
        "gene_missing",
    ]
    assert found.values[4] == 1
    few = top_decile_jaccard(truth[:30, :1], truth[:30, :1])
    assert few.reasons.tolist() == ["no_positive"]
    assert top_decile_jaccard(np.zeros((0, 2)), np.zeros((0, 2))).reasons.tolist() == ["too_few_units"] * 2
    assert len(top_decile_jaccard(np.zeros((5, 0)), np.zeros((5, 0))).values) == 0


@pytest.fixture
def scores():
    """Three signatures: the first is predicted, the second follows a common axis, the third nothing."""
    rng = np.random.default_rng(0)
    n = 120
    axis, own = rng.normal(size=(2, n))
    truth = np.column_stack([own + axis, axis + rng.normal(size=n), rng.normal(size=n)])
    prediction = np.column_stack([own + axis, axis, rng.normal(size=n)])
    libsize = rng.integers(500, 5000, n)

    def random_scores(places):
        draws = np.random.default_rng(1)
        truth = axis[:, None] + 0.8 * draws.normal(size=(n, 100))
        owner = np.repeat(places, 100)
        return np.tile(truth, len(places)), np.tile(axis[:, None], (1, len(owner))), owner

    return truth, prediction, libsize, random_scores


def test_recovered_means_better_than_random_sets(scores):
    truth, prediction, libsize, random_scores = scores
    found = signature_specificity(truth, prediction, libsize=libsize, random_scores=random_scores)
    assert found.values.tolist() == [1, 0, 0]
    plain = partial_spearman_gene(truth, prediction, libsize=libsize).values
    np.testing.assert_array_equal(found.extras["correlation"], plain)
    # The second correlates well, and no better than chance does.
    assert plain[1] > 0.5
    random = partial_spearman_gene(*random_scores(np.array([0]))[:2], libsize=libsize).values
    assert found.extras["threshold"][1] == pytest.approx(np.quantile(random, 0.95))


def test_the_error_of_the_random_sets_is_that_of_many_draws():
    """Signatures at all distances from the percentile: the variance of their mean over many draws."""
    rng = np.random.default_rng(0)
    n, s = 60, 12
    axis = rng.normal(size=n)
    truth = axis[:, None] + 0.9 * rng.normal(size=(n, s))
    prediction = truth + np.linspace(0.2, 1.2, s) * rng.normal(size=(n, s))
    libsize = rng.integers(500, 5000, n)
    values, said = [], []
    for seed in range(60):

        def random_scores(places, seed=seed):
            owner = np.repeat(places, 200)
            draws = np.random.default_rng(seed)
            true = axis[:, None] + 0.9 * draws.normal(size=(n, len(owner)))
            return true, true + 0.7 * draws.normal(size=true.shape), owner

        found = signature_specificity(truth, prediction, libsize=libsize, random_scores=random_scores)
        values.append(found.values.mean())
        mean = found.effects.mean(axis=0)
        said.append(mean.std(ddof=1) / np.sqrt(len(mean)))
    assert 0 < np.std(values, ddof=1) < 0.2
    assert np.mean(np.square(said)) == pytest.approx(np.var(values, ddof=1), rel=0.6)


def test_what_is_far_from_the_percentile_has_no_error(scores):
    truth, prediction, libsize, random_scores = scores
    found = signature_specificity(truth, prediction, libsize=libsize, random_scores=random_scores)
    said = found.effects.std(axis=1, ddof=1) / np.sqrt(found.effects.shape[1])
    assert said[2] < 1e-6  # far below
    assert said[0] < 0.15  # above every one of 100
    assert signature_specificity(truth, prediction, libsize=libsize, random_scores=None).effects is None


def test_random_sets_without_prediction_count_as_zero(scores):
    truth, prediction, libsize, random_scores = scores

    def flat(places):
        true, predicted, owner = random_scores(places)
        return true, np.zeros_like(predicted), owner

    found = signature_specificity(truth, prediction, libsize=libsize, random_scores=flat)
    assert found.extras["threshold"].tolist() == [0, 0, 0]


def test_many_units_are_scored_in_parts(scores, monkeypatch):
    truth, prediction, libsize, random_scores = scores
    whole = signature_specificity(truth, prediction, libsize=libsize, random_scores=random_scores)
    monkeypatch.setattr("pytest_stbench.metrics.signatures.BLOCK_ELEMENTS", 1)
    parts = signature_specificity(truth, prediction, libsize=libsize, random_scores=random_scores)
    np.testing.assert_array_equal(parts.extras["threshold"], whole.extras["threshold"])


def test_where_specificity_is_undefined(scores):
    truth, prediction, libsize, random_scores = scores
    prediction[:, 1] = 1.0
    truth[:, 2] = 0.0
    found = signature_specificity(truth, prediction, libsize=libsize, random_scores=random_scores)
    assert found.reasons.tolist() == ["", "pred_constant", "gt_constant"]

    def few(places):
        return tuple(part[..., :19] for part in random_scores(places))

    def none(places):
        return np.zeros((120, 0)), np.zeros((120, 0)), places[:0]

    for missing in (None, few, none):
        found = signature_specificity(truth, prediction, libsize=libsize, random_scores=missing)
        assert found.reasons.tolist() == ["not_covered", "not_covered", "gt_constant"]
    short = signature_specificity(truth[:9], prediction[:9], libsize=libsize[:9], random_scores=None)
    assert set(short.reasons) == {"too_few_units"}


def test_order_of_patients():
    rng = np.random.default_rng(0)
    truth, prediction = rng.normal(size=(2, 8, 3))
    found = patient_mean_spearman(truth, prediction, signatures=["A", "B", "C"])
    expected = [spearmanr(truth[:, j], prediction[:, j]).statistic for j in range(3)]
    np.testing.assert_allclose(found.values, expected)
    assert found.labels.tolist() == ["A", "B", "C"]
    assert set(patient_mean_spearman(truth[:5], prediction[:5]).reasons) == {"too_few_units"}
