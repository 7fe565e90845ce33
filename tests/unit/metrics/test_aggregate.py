from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.metrics import Headline, Scores, headline, patient_values, pearson_gene, r2, slide_value
from pytest_stbench.metrics.aggregate import SlideValue, mean_value
from pytest_stbench.metrics.catalogue import METRICS
from pytest_stbench.metrics.scores import DATA_REASONS, MODEL_REASONS

# Bad input never gives a warning of numpy.
pytestmark = pytest.mark.filterwarnings("error")

RECORDS = {record.name: record for record in METRICS}


def scores_of(entries, flags=()):
    """Scores from numbers and reasons."""
    return Scores(
        values=np.array([np.nan if isinstance(e, str) else e for e in entries], np.float64),
        reasons=np.array([e if isinstance(e, str) else "" for e in entries], "U32"),
        labels=np.arange(len(entries)).astype(np.str_),
        flags=flags,
    )


def test_data_reasons_leave_the_mean_and_model_reasons_are_filled():
    entries = [0.5, 0.3, "gt_constant", "pred_constant", "gt_constant", "pred_collinear_with_libsize"]
    found = slide_value(scores_of(entries, flags=("ties",)), RECORDS["pearson_gene"])
    assert found.value == pytest.approx((0.5 + 0.3 + 0 + 0) / 4)
    assert (found.n_total, found.n_valid) == (6, 2)
    assert found.undefined == {"gt_constant": 2, "pred_constant": 1, "pred_collinear_with_libsize": 1}
    assert found.flags == ("ties",)
    assert found.raw_median == pytest.approx(0.4)


def test_the_fill_is_that_of_the_metric():
    entries = [0.2, "empty_pred", "empty_truth"]
    assert slide_value(scores_of(entries), RECORDS["jsd_map"]).value == pytest.approx(0.6)
    assert slide_value(scores_of(entries), RECORDS["cosine_gene"]).value == pytest.approx(0.1)


@pytest.mark.parametrize("reason", MODEL_REASONS)
def test_a_metric_without_fill_is_undefined_through_the_models_fault(reason):
    found = slide_value(scores_of([1.0, reason]), RECORDS["rmse"])
    assert math.isnan(found.value)
    assert (found.n_total, found.n_valid, found.undefined) == (2, 1, {reason: 1})


@pytest.mark.parametrize("reason", DATA_REASONS)
def test_nothing_left_is_nan(reason):
    found = slide_value(scores_of([reason] * 3), RECORDS["pearson_gene"])
    assert math.isnan(found.value)
    assert math.isnan(found.raw_median)
    assert (found.n_total, found.n_valid, found.undefined) == (3, 0, {reason: 3})
    empty = slide_value(scores_of([]), RECORDS["pearson_gene"])
    assert math.isnan(empty.value)
    assert (empty.n_total, empty.n_valid, empty.undefined) == (0, 0, {})


def test_only_the_models_fault_left_is_the_fill():
    assert slide_value(scores_of(["pred_constant", "gt_nan"]), RECORDS["pearson_gene"]).value == 0.0


def test_r2_is_floored_in_the_mean_alone():
    scores = scores_of([0.5, -30.0, -0.5, "gt_constant"])
    found = slide_value(scores, RECORDS["r2"])
    assert found.value == pytest.approx((0.5 - 1.0 - 0.5) / 3)
    assert found.raw_median == -0.5
    assert scores.values[1] == -30.0
    assert slide_value(scores_of([0.5, -30.0, -40.0]), RECORDS["r2"]).raw_median == -30.0
    assert slide_value(scores_of([-30.0]), RECORDS["pearson_gene"]).value == -30.0


def test_an_unknown_reason_is_refused():
    with pytest.raises(ValueError, match="unknown reason 'lost'"):
        slide_value(scores_of([0.1, "lost"]), RECORDS["pearson_gene"])


def test_constants_on_hard_genes_do_not_raise_the_mean():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(50, 10))
    honest = np.hstack([truth[:, :5] + rng.normal(size=(50, 5)), rng.normal(size=(50, 5))])
    evasive = honest.copy()
    evasive[:, 5:] = 1.0
    found = [slide_value(pearson_gene(truth, p), RECORDS["pearson_gene"]) for p in (honest, evasive)]
    assert abs(found[0].value - found[1].value) < 0.1
    assert found[1].undefined == {"pred_constant": 5}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.one_of(st.floats(-1, 1), st.sampled_from(DATA_REASONS + MODEL_REASONS)), max_size=30))
def test_every_score_is_accounted_for(entries):
    found = slide_value(scores_of(entries), RECORDS["pearson_gene"])
    numbers = [e for e in entries if not isinstance(e, str)]
    filled = [0.0 for e in entries if e in MODEL_REASONS]
    assert found.n_total == len(entries) == found.n_valid + sum(found.undefined.values())
    assert found.n_valid == len(numbers)
    if numbers or filled:
        assert found.value == pytest.approx(np.mean(numbers + filled), abs=1e-12)
    else:
        assert math.isnan(found.value)


def test_r2_of_a_slide_from_the_arrays():
    truth = np.random.default_rng(1).normal(size=(40, 3))
    prediction = truth.copy()
    prediction[:, 2] += 100
    found = slide_value(r2(truth, prediction), RECORDS["r2"])
    assert found.value == pytest.approx((1 + 1 - 1) / 3)


def test_slides_count_the_same_within_a_patient():
    nan = float("nan")
    slides = {"a1": 0.2, "b1": nan, "a2": 0.4, "c1": nan, "b2": 0.8, "a3": nan}
    patient_of = {slide: slide[0].upper() for slide in slides}
    found = patient_values(slides, patient_of)
    assert list(found) == ["A", "B", "C"]
    assert found["A"] == pytest.approx(0.3)
    assert found["B"] == 0.8
    assert math.isnan(found["C"])
    assert patient_values({}, patient_of) == {}


def test_a_slide_without_patient_is_refused():
    with pytest.raises(ValueError, match="slide 'x' has no patient"):
        patient_values({"x": 1.0}, {})


def test_the_headline_counts_patients():
    found = headline({"A": 0.1, "B": 0.7, "C": float("nan"), "D": 0.4, "E": 0.2})
    assert found.value == pytest.approx(0.35)
    assert found.median == pytest.approx(0.3)
    assert (found.min, found.max, found.n_patients, found.n_undefined) == (0.1, 0.7, 4, 1)


@pytest.mark.parametrize("values", [{}, {"A": float("nan")}])
def test_a_headline_without_patients_is_nan(values):
    found = headline(values)
    assert isinstance(found, Headline)
    assert all(math.isnan(v) for v in (found.value, found.median, found.min, found.max))
    assert (found.n_patients, found.n_undefined) == (0, len(values))


def test_repeated_values_of_a_slide_are_averaged():
    nan = math.nan
    first = SlideValue(value=0.2, n_total=5, n_valid=4, undefined={"gt_constant": 1}, raw_median=0.1)
    others = [
        SlideValue(value=0.6, n_total=7, n_valid=7, flags=("ties",), raw_median=nan),
        SlideValue(value=nan, n_total=5, n_valid=0, flags=("ties", "rank_one"), raw_median=0.3),
    ]
    found = mean_value([first, *others])
    assert (found.value, found.raw_median) == pytest.approx((0.4, 0.2))
    assert (found.n_total, found.n_valid, found.undefined) == (5, 4, {"gt_constant": 1})
    assert found.flags == ("ties", "rank_one")
    assert mean_value([others[0]]) is others[0]
    empty = mean_value([])
    assert math.isnan(empty.value)
    assert empty.n_total == empty.n_valid == 0
