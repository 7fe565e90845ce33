from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_stbench.errors import StbenchError
from pytest_stbench.gate import beats, not_worse_than
from pytest_stbench.kernels.detectable import smallest_detectable
from pytest_stbench.kernels.resampling import sign_flip_p, studentised_interval, wilcoxon_p

GOLDEN = (0.03, 0.05, -0.01, 0.02, 0.04, 0.06)
CLEAR = (0.030, 0.025, 0.040, 0.035, 0.028, 0.033)
RIDGE = (0.28, 0.30, 0.25, 0.31, 0.27, 0.29, 0.26, 0.32)


def by_patient(values):
    return {f"P{i}": value for i, value in enumerate(values, start=1)}


def against_ridge(differences, *, better="up", margin=0.0):
    """Gate of a model that is better than ridge by `differences`."""
    n = len(differences)
    sign = 1 if better == "up" else -1
    model = np.add(RIDGE[:n], np.multiply(sign, differences))
    return beats(
        by_patient(model.tolist()),
        by_patient(RIDGE[:n]),
        metric="spearman_gene" if better == "up" else "rmse",
        against="ridge",
        better=better,
        margin=margin,
    )


@pytest.mark.parametrize("better", ["up", "down"])
class TestBeats:
    def test_passes_a_clear_difference(self, better):
        gate = against_ridge(CLEAR, better=better, margin=0.02)
        assert gate.outcome == "pass"
        assert gate.estimate == pytest.approx(np.mean(CLEAR))
        interval = studentised_interval(CLEAR)
        assert (gate.low, gate.high) == pytest.approx((interval.low, interval.high), abs=1e-9)
        assert gate.p == 2 / 64
        assert gate.wilcoxon_p == 2 / 64
        assert gate.ci_method == "studentised"
        assert "beats ridge by 0.032 [0.027, 0.038] (margin 0.02)" in gate.message

    def test_fails_what_is_not_shown(self, better):
        gate = against_ridge(GOLDEN, better=better, margin=0.02)
        assert gate.outcome == "fail"
        assert not gate.worse
        assert gate.p == pytest.approx(sign_flip_p(np.subtract(GOLDEN, 0.02)))
        assert gate.wilcoxon_p == pytest.approx(wilcoxon_p(np.subtract(GOLDEN, 0.02)))
        assert (
            "not shown to beat ridge by 0.02 (difference 0.032 [-0.004, 0.053], sign-flip p=" in gate.message
        )

    def test_fails_what_is_worse(self, better):
        gate = against_ridge(np.negative(CLEAR), better=better)
        assert gate.outcome == "fail"
        assert gate.worse
        assert gate.estimate == pytest.approx(-np.mean(CLEAR))
        assert ": worse than ridge (difference -0.032 [-0.038, -0.027]" in gate.message

    def test_is_underpowered_below_six_patients(self, better):
        differences = (0.50, 0.51, 0.49, 0.52, 0.50)
        gate = against_ridge(differences, better=better, margin=0.02)
        assert gate.outcome == "underpowered"
        assert gate.n == 5
        assert gate.p == 2 / 32
        assert gate.ci_method == "t"
        assert gate.smallest == pytest.approx(smallest_detectable(differences, margin=0.02), abs=1e-9)
        assert (
            "5 of the 6 patients needed to show that it beats ridge by 0.02, consistent direction"
            in gate.message
        )
        assert f"the smallest difference 6 patients would show is {gate.smallest:.3f}" in gate.message


def test_message_has_the_form_of_the_report():
    values = (0.01, 0.15, 0.03, 0.12, 0.04, 0.136)
    gate = beats(
        by_patient(values),
        by_patient([0.08] * 6),
        metric="spearman_gene",
        against="ridge",
        better="up",
        margin=0.02,
    )
    head, _, finding = gate.message.partition(": ")
    interval = studentised_interval(values)
    assert head == f"spearman_gene 0.081 [{interval.low:.2f}, {interval.high:.2f}] n=6 patients"
    assert finding.startswith("not shown to beat ridge by 0.02 ")


def test_worse_is_measured_against_the_margin():
    gate = against_ridge((0.010, 0.012, 0.008, 0.011, 0.009, 0.010), margin=0.02)
    assert gate.worse
    assert "worse than ridge plus the margin of 0.02" in gate.message


# One of six patients is negative, so p cannot reach .05, yet the lower bound is above zero.
INTERVAL_ALONE = (0.102, 0.088, 0.022, -0.001, 0.025, 0.052)
# All six patients are positive, yet one of them carries the mean and the interval reaches below zero.
P_ALONE = (0.001, 0.001, 0.001, 0.002, 0.001, 0.2)


def test_the_interval_alone_does_not_pass():
    assert studentised_interval(INTERVAL_ALONE).low > 0.01
    assert sign_flip_p(INTERVAL_ALONE) == 4 / 64
    assert against_ridge(INTERVAL_ALONE).outcome == "fail"


def test_p_alone_does_not_pass():
    assert studentised_interval(P_ALONE).low < -0.01
    assert sign_flip_p(P_ALONE) == 2 / 64
    assert against_ridge(P_ALONE).outcome == "fail"


def test_equal_differences_are_decided_without_spread():
    gate = against_ridge([0.05] * 6, margin=0.02)
    assert gate.outcome == "pass"
    assert gate.low == pytest.approx(0.05)
    assert gate.high == pytest.approx(0.05)


@pytest.mark.parametrize("margin", [0.0, 0.02, 0.3])
def test_a_difference_equal_to_the_margin_never_passes(margin):
    assert against_ridge([margin] * 8, margin=margin).outcome == "fail"


@pytest.mark.parametrize("n", [1, 2, 3])
def test_no_interval_and_no_p_below_four_patients(n):
    gate = against_ridge(CLEAR[:n])
    assert (gate.outcome, gate.n) == ("underpowered", n)
    assert (gate.low, gate.high, gate.p, gate.wilcoxon_p) == (None, None, None, None)
    assert "consistent" not in gate.message


def test_one_patient_has_no_smallest_difference():
    gate = against_ridge(CLEAR[:1])
    assert gate.smallest is None
    assert "n=1 patient: underpowered: 1 of the 6 patients needed" in gate.message
    assert "one patient gives no SD" in gate.message


def test_mixed_signs_of_five_patients_are_indistinguishable():
    assert "indistinguishable" in against_ridge(GOLDEN[:5]).message
    assert "consistent direction" in against_ridge(np.negative(CLEAR[:4])).message
    assert "indistinguishable" in against_ridge(CLEAR[:5], margin=0.029).message
    assert "consistent direction" in against_ridge(CLEAR[:5], margin=0.05).message


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
@pytest.mark.parametrize("side", ["model", "reference"])
def test_patients_without_a_value_are_left_out_and_named(side, missing):
    model = by_patient(np.add(RIDGE[:7], 0.03).tolist())
    reference = by_patient(RIDGE[:7])
    (model if side == "model" else reference)["P3"] = missing
    gate = beats(model, reference, metric="spearman_gene", against="ridge", better="up")
    assert (gate.outcome, gate.n, gate.excluded) == ("pass", 6, ("P3",))
    assert gate.message.endswith("; 1 patient without a value left out: P3")


def test_patients_of_one_side_only_are_left_out():
    model = by_patient(np.add(RIDGE[:6], 0.03).tolist()) | {"X": 0.5}
    gate = beats(model, by_patient(RIDGE), metric="spearman_gene", against="ridge", better="up")
    assert (gate.n, gate.excluded) == (6, ("P7", "P8", "X"))


def test_no_common_patient_is_not_evaluable():
    gate = beats({"A": 0.1}, {"B": 0.1}, metric="spearman_gene", against="ridge", better="up")
    assert (gate.outcome, gate.n, gate.estimate) == ("not_evaluable", 0, None)
    assert "no patient has a value on both sides" in gate.message
    empty = beats({}, {}, metric="spearman_gene", against="ridge", better="up")
    assert empty.outcome == "not_evaluable"


def test_order_of_the_patients_does_not_matter():
    model, reference = by_patient(np.add(RIDGE[:6], GOLDEN).tolist()), by_patient(RIDGE[:6])
    turned = dict(reversed(model.items()))
    first = beats(model, reference, metric="m", against="ridge", better="up")
    assert beats(turned, reference, metric="m", against="ridge", better="up").low == first.low


@pytest.mark.parametrize("rule", [beats, not_worse_than])
def test_a_metric_of_context_cannot_be_compared(rule):
    with pytest.raises(StbenchError, match="calibration_slope gives context and has no better direction"):
        rule(
            by_patient(RIDGE),
            by_patient(RIDGE),
            metric="calibration_slope",
            against="ridge",
            better="context",
            margin=0.0,
        )


differences = st.lists(st.integers(-50, 100).map(lambda k: k / 1000), min_size=6, max_size=8)


@given(d=differences, margins=st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)))
@settings(deadline=None, max_examples=50)
def test_passing_a_margin_passes_every_smaller_one(d, margins):
    small, large = sorted(margins)
    if against_ridge(d, margin=large).outcome == "pass":
        assert against_ridge(d, margin=small).outcome == "pass"


@given(d=differences)
@settings(deadline=None, max_examples=30)
def test_model_and_reference_never_both_beat_each_other(d):
    forward, backward = against_ridge(d), against_ridge(np.negative(d))
    assert {forward.outcome, backward.outcome} != {"pass"}
    if forward.outcome == "pass":
        assert backward.worse
    assert forward.p == backward.p
    assert forward.low == pytest.approx(-backward.high, abs=1e-9)


@given(d=differences)
@settings(deadline=None, max_examples=30)
def test_direction_only_turns_the_values(d):
    up, down = against_ridge(d, margin=0.01), against_ridge(d, margin=0.01, better="down")
    assert up.outcome == down.outcome
    assert up.low == pytest.approx(down.low, abs=1e-9)


def not_worse(differences, *, margin=0.01, better="up"):
    n = len(differences)
    sign = 1 if better == "up" else -1
    model = np.add(RIDGE[:n], np.multiply(sign, differences)).tolist()
    return not_worse_than(
        by_patient(model),
        by_patient(RIDGE[:n]),
        metric="spearman_gene",
        against="runs/v1.json",
        better=better,
        margin=margin,
    )


@pytest.mark.parametrize("better", ["up", "down"])
def test_not_worse_than(better):
    small_loss = (-0.001, -0.002, 0.0, -0.001, 0.001, -0.002)
    passed = not_worse(small_loss, better=better)
    assert passed.outcome == "pass"
    assert "at most 0.01 worse than runs/v1.json (difference -0.001 [" in passed.message
    failed = not_worse(np.multiply(small_loss, 15), better=better)
    assert (failed.outcome, failed.worse) == ("fail", False)
    assert "not shown to be at most 0.01 worse than runs/v1.json" in failed.message
    worse = not_worse(np.subtract(small_loss, 0.05), better=better)
    assert (worse.outcome, worse.worse) == ("fail", True)
    assert "worse than runs/v1.json by 0.01 or more" in worse.message
    few = not_worse(small_loss[:5], better=better)
    assert few.outcome == "underpowered"
    assert "6 patients are needed" in few.message


def test_a_mean_within_the_margin_does_not_show_non_inferiority():
    gate = not_worse((0.0, -0.02, 0.01, -0.015, 0.005, -0.012), margin=0.01)
    assert gate.low < -0.01 < gate.estimate < 0 < gate.high < 0.01
    assert (gate.outcome, gate.worse) == ("fail", False)


def test_not_worse_than_takes_the_bound_alone():
    gate = not_worse(np.subtract(INTERVAL_ALONE, 0.01), margin=0.01)
    assert gate.outcome == "pass"
    assert gate.p is None


def test_the_same_run_again_is_not_worse_by_any_margin_above_zero():
    assert not_worse([0.0] * 6, margin=0.01).outcome == "pass"
    assert not_worse([0.0] * 6, margin=0.0).outcome == "fail"
    assert not_worse([-0.01] * 6, margin=0.01).outcome == "fail"


def test_not_worse_than_without_common_patients():
    gate = not_worse_than({"A": 0.1}, {}, metric="m", against="v1", better="up", margin=0.01)
    assert (gate.outcome, gate.excluded) == ("not_evaluable", ("A",))


def test_equal_scores_are_worse_than_the_margin_but_not_than_the_reference():
    gate = against_ridge([0.0] * 6, margin=0.1)
    assert gate.worse
    assert "worse than ridge plus the margin of 0.1" in gate.message
