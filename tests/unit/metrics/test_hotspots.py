from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import average_precision_score

from pytest_stbench.metrics import hotspot_auprc

pytestmark = pytest.mark.filterwarnings("error")


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_agrees_with_sklearn(seed):
    rng = np.random.default_rng(seed)
    truth = rng.poisson(3.0, (120, 6)) + rng.random((120, 6))
    prediction = np.round(truth + rng.normal(0, 3, truth.shape))
    found = hotspot_auprc(truth, prediction)
    for j in range(6):
        hot = truth[:, j] > np.percentile(truth[:, j], 90)
        assert found.values[j] == pytest.approx(average_precision_score(hot, prediction[:, j]), abs=1e-12)
        assert found.extras["n_positive"][j] == hot.sum()
        assert found.extras["prevalence"][j] == pytest.approx(hot.mean())
    order = rng.permutation(120)
    again = hotspot_auprc(2.0 * truth[order] + 3.0, 5.0 * prediction[order] - 7.0)
    assert again.values == pytest.approx(found.values, abs=1e-12)


def test_best_worst_and_constant():
    truth = np.arange(100.0)[:, None]
    assert hotspot_auprc(truth, truth).values == pytest.approx([1.0])
    assert hotspot_auprc(truth, -truth).values[0] < 0.06
    for level in (0.0, 0.1, 1e3):
        noise = level * 1e-16 * np.arange(100.0)[:, None]
        assert hotspot_auprc(truth, level + noise).values == pytest.approx([0.1])


def test_too_few_and_tied():
    values = np.zeros((100, 5))
    values[:9, 0] = 1.0  # 9 positive, 91 at the percentile
    values[:60, 1] = 1.0  # the percentile is the maximum: none above
    values[:, 2] = 2.0
    values[:, 3] = np.arange(100)
    values[:, 3][values[:, 3] < 49] = 0
    values[:, 4] = np.minimum(np.arange(100), 92)
    values[:50, 4] = np.arange(50)
    found = hotspot_auprc(values, np.random.default_rng(0).normal(size=values.shape))
    assert found.reasons.tolist() == ["no_positive", "no_positive", "no_positive", "", ""]
    assert found.extras["n_positive"][3:].tolist() == [10, 10]
    short = np.arange(40.0)[:, None]
    assert hotspot_auprc(short, short).reasons.tolist() == ["no_positive"]
    enough = np.arange(50.0)[:, None]
    assert hotspot_auprc(enough, enough).reasons.tolist() == [""]


def test_half_of_the_units_at_the_percentile_is_allowed():
    for tied, reason in ((50, ""), (51, "no_positive")):
        values = np.full((100, 1), 5.0)
        values[: 95 - tied, 0] = 0.0
        values[95:, 0] = 9.0
        found = hotspot_auprc(values, values)
        assert found.reasons.tolist() == [reason]
        assert reason or found.extras["n_positive"] == [5]


def test_missing_truth_and_genes():
    rng = np.random.default_rng(1)
    truth, prediction = rng.normal(size=(2, 100, 4))
    known = rng.random(100) < 0.8
    truth[~known, 1] = np.nan
    truth[:60, 2] = np.nan
    found = hotspot_auprc(truth, prediction, measured=np.array([True, True, True, False]))
    assert found.reasons.tolist() == ["", "", "gt_nan", "gene_missing"]
    alone = hotspot_auprc(truth[known, 1:2], prediction[known, 1:2])
    assert found.values[1] == pytest.approx(alone.values[0], abs=1e-12)
    assert hotspot_auprc(truth[:0], prediction[:0]).reasons.tolist() == ["too_few_units"] * 4
    assert len(hotspot_auprc(truth[:, :0], prediction[:, :0]).values) == 0


def test_predictions_that_differ_in_the_tenth_decimal_are_tied():
    truth = np.arange(100.0)[:, None]
    assert hotspot_auprc(truth, 0.3 + 4e-12 * truth).values == pytest.approx([0.1])


def test_single_precision_loses_no_digit():
    rng = np.random.default_rng(3)
    truth = np.log1p(rng.poisson(2.0, (403, 8)) * rng.lognormal(0, 0.5, (403, 1))).astype(np.float32)
    prediction = (0.4 * truth + rng.normal(0, 0.5, truth.shape) + 3).astype(np.float32)
    prediction[:, 0] = 3 + np.arange(403) * np.float32(2.0**-22)
    double = hotspot_auprc(truth.astype(np.float64), prediction.astype(np.float64))
    np.testing.assert_array_equal(hotspot_auprc(truth, prediction).values, double.values)
