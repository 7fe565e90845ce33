from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from pytest_stbench.metrics import (
    correlation as correlation_module,
    pearson_gene,
    pearson_spot,
    pearson_spot_residual,
    spearman_gene,
    spearman_spot,
)

# Bad input never gives a warning of numpy.
pytestmark = pytest.mark.filterwarnings("error")

Y = np.array([[0.0, 1, 2, 3, 4]]).T
P = np.array([[0.0, 1, 1, 3, 5]]).T

columns = hnp.arrays(np.float64, (15, 2), elements=st.integers(-1000, 1000).map(lambda k: k / 8))


@pytest.mark.parametrize("turn", [False, True])
def test_golden_values(turn):
    pearson, spearman, fewest = (
        (pearson_spot, spearman_spot, "min_genes") if turn else (pearson_gene, spearman_gene, "min_units")
    )
    truth, prediction = (Y.T, P.T) if turn else (Y, P)
    assert pearson(truth, prediction, **{fewest: 3}).values == pytest.approx([0.948683], abs=5e-7)
    assert spearman(truth, prediction, **{fewest: 3}).values == pytest.approx([0.974679], abs=5e-7)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_genes_and_units_agree_with_scipy(kind):
    rng = np.random.default_rng(1)
    truth = rng.poisson(1.0, size=(80, 23)).astype(kind)
    prediction = (truth * rng.normal(size=23) + rng.normal(size=truth.shape)).astype(kind)
    wide = truth.astype(np.float64), prediction.astype(np.float64)
    for function, oracle in ((pearson_gene, stats.pearsonr), (spearman_gene, stats.spearmanr)):
        expected = [oracle(wide[0][:, j], wide[1][:, j]).statistic for j in range(23)]
        np.testing.assert_allclose(function(truth, prediction).values, expected, atol=1e-12)
    for function, oracle in ((pearson_spot, stats.pearsonr), (spearman_spot, stats.spearmanr)):
        expected = [oracle(wide[0][i], wide[1][i]).statistic for i in range(80)]
        np.testing.assert_allclose(function(truth, prediction).values, expected, atol=1e-12)


def test_slides_are_never_pooled_by_the_metric():
    """Simpson's paradox: three patients, pooled correlation 0.98, within each of them -1."""
    level = np.array([0.0, 10.0, 20.0])
    x = level[:, None] + np.array([0.0, 1.0, 2.0])
    y = level[:, None] + np.array([2.0, 1.0, 0.0])
    pooled = pearson_gene(x.reshape(-1, 1), y.reshape(-1, 1), min_units=3)
    assert pooled.values[0] == pytest.approx(0.980, abs=5e-4)
    for one, other in zip(x, y, strict=True):
        assert pearson_gene(one[:, None], other[:, None], min_units=3).values[0] == pytest.approx(-1.0)


@pytest.mark.parametrize("function", [pearson_gene, spearman_gene])
@settings(deadline=None, max_examples=30)
@given(columns, columns, st.floats(0.1, 50), st.floats(-1e4, 1e4))
def test_symmetry_range_and_affine_maps(function, truth, prediction, scale, shift):
    assume((np.ptp(truth, axis=0) > 0).all())
    assume((np.ptp(prediction, axis=0) > 0).all())
    values = function(truth, prediction).values
    assert (np.abs(values) <= 1.0).all()
    np.testing.assert_allclose(function(prediction, truth).values, values, atol=1e-12)
    np.testing.assert_allclose(function(truth, scale * prediction + shift).values, values, atol=1e-9)
    np.testing.assert_allclose(function(truth, -scale * prediction + shift).values, -values, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(columns, columns)
def test_spearman_depends_on_order_alone(truth, prediction):
    assume((np.ptp(truth, axis=0) > 0).all())
    assume((np.ptp(prediction, axis=0) > 0).all())
    values = spearman_gene(truth, prediction).values
    # Cubes of multiples of 1/8 below 125 are exact, so that no tie appears or goes.
    np.testing.assert_allclose(spearman_gene(truth, prediction**3).values, values, atol=1e-12)
    expected = [stats.spearmanr(truth[:, j], prediction[:, j]).statistic for j in range(2)]
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_spearman_of_a_large_slide_agrees_with_scipy():
    rng = np.random.default_rng(2)
    truth = rng.poisson(0.7, size=(4000, 40)).astype(np.float32)
    prediction = (truth + rng.normal(size=truth.shape)).astype(np.float32)
    expected = [stats.spearmanr(truth[:, j], prediction[:, j]).statistic for j in range(40)]
    np.testing.assert_allclose(spearman_gene(truth, prediction).values, expected, atol=1e-12)


def test_spearman_with_missing_truth_ranks_what_is_left():
    rng = np.random.default_rng(3)
    truth, prediction = rng.normal(size=(2, 30, 4))
    truth[rng.random(truth.shape) < 0.3] = np.nan
    truth[:, 3] = np.arange(30.0)
    for j, value in enumerate(spearman_gene(truth, prediction).values):
        known = np.isfinite(truth[:, j])
        expected = stats.spearmanr(truth[known, j], prediction[known, j]).statistic
        assert value == pytest.approx(expected, abs=1e-12)


def residual_by_definition(truth, prediction, mean):
    return [stats.pearsonr(y - mean, p - mean).statistic for y, p in zip(truth, prediction, strict=True)]


def test_the_residual_takes_the_training_mean_off_both(monkeypatch):
    rng = np.random.default_rng(4)
    mean = rng.gamma(2.0, 10.0, size=30)
    truth, prediction = mean + rng.normal(size=(2, 25, 30))
    expected = residual_by_definition(truth, prediction, mean)
    units = [f"u{i}" for i in range(25)]
    monkeypatch.setattr(correlation_module, "_BLOCK_BYTES", 30 * 8 * 7)
    scores = pearson_spot_residual(truth, prediction, train_mean=mean, units=units)
    np.testing.assert_allclose(scores.values, expected, atol=1e-12)
    assert scores.labels.tolist() == units
    assert pearson_spot(truth, prediction).values.min() > 0.9
    assert np.abs(scores.values).max() < 0.9


@pytest.mark.parametrize("stored", [np.float64, np.float32])
@pytest.mark.parametrize("scored", [np.float64, np.float32])
def test_predicting_the_training_mean_is_worth_nothing(stored, scored):
    rng = np.random.default_rng(5)
    mean = rng.gamma(2.0, size=40)
    truth = mean + rng.normal(size=(6, 40))
    prediction = np.broadcast_to(mean, truth.shape).astype(stored).astype(scored)
    scores = pearson_spot_residual(truth, prediction, train_mean=mean)
    assert set(scores.reasons) == {"pred_constant"}
    prediction = prediction.copy()
    prediction[:, 0] += 1e-4
    assert set(pearson_spot_residual(truth, prediction, train_mean=mean).reasons) == {""}


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_genes_predicted_at_their_training_mean_have_no_residual(kind):
    rng = np.random.default_rng(6)
    mean = rng.gamma(2.0, size=40)
    truth = mean + rng.normal(size=(6, 40))
    change = np.where(np.arange(40) % 2, rng.normal(size=(6, 40)), 0.0)
    scores = pearson_spot_residual(truth, (mean + change).astype(kind), train_mean=mean)
    expected = residual_by_definition(truth, mean + change, mean)
    np.testing.assert_allclose(scores.values, expected, atol=1e-12 if kind is np.float64 else 1e-6)


def test_truth_equal_to_the_training_mean_is_a_data_reason():
    mean = np.arange(12.0)
    truth = np.tile(mean, (3, 1))
    scores = pearson_spot_residual(truth, truth, train_mean=mean)
    assert set(scores.reasons) == {"gt_constant"}


@pytest.mark.parametrize("mean", [np.zeros(3), np.zeros((12, 1)), np.full(12, np.nan), np.full(12, np.inf)])
def test_a_training_mean_that_does_not_fit_is_refused(mean):
    with pytest.raises(ValueError, match="one finite mean for each of the 12 genes"):
        pearson_spot_residual(np.ones((5, 12)), np.ones((5, 12)), train_mean=mean)
