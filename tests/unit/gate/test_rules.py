from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_stbench.errors import StbenchError
from pytest_stbench.gate import Floor, apply_rule, beats, not_worse_than, patient_difference_at_least
from pytest_stbench.kernels.guarded import smallest_detectable, spread, wilcoxon_p
from pytest_stbench.kernels.mean_interval import mean_interval

GOLDEN = (0.03, 0.05, -0.01, 0.02, 0.04, 0.06)
CLEAR = (0.030, 0.025, 0.040, 0.035, 0.028, 0.033)
RIDGE = (0.28, 0.30, 0.25, 0.31, 0.27, 0.29, 0.26, 0.32)


def by_patient(values):
    return {f"P{i}": value for i, value in enumerate(values, start=1)}


def against_ridge(differences, *, better="up", margin=0.0, **changes):
    """Gate of a model that is better than ridge by `differences`."""
    n = len(differences)
    sign = 1 if better == "up" else -1
    model = np.add(RIDGE[:n], np.multiply(sign, differences))
    return apply_rule(
        beats("ridge", margin, **changes),
        by_patient(model.tolist()),
        by_patient(RIDGE[:n]),
        metric="spearman_gene" if better == "up" else "rmse",
        better=better,
    )


@pytest.mark.parametrize("better", ["up", "down"])
class TestBeats:
    def test_passes_a_clear_difference(self, better):
        gate = against_ridge(CLEAR, better=better, margin=0.02)
        assert gate.outcome == "pass"
        assert gate.estimate == pytest.approx(np.mean(CLEAR))
        assert (gate.low, gate.high) == pytest.approx(spread(CLEAR).bounds(), abs=1e-9)
        assert gate.p == pytest.approx(spread(CLEAR).p(0.02))
        assert gate.wilcoxon_p == 2 / 64
        assert gate.ci_method == "guarded"
        assert "beats ridge by 0.032, guarded [0.026, 0.049] (margin 0.02)" in gate.message

    def test_fails_what_is_not_shown(self, better):
        gate = against_ridge(GOLDEN, better=better, margin=0.02)
        assert gate.outcome == "fail"
        assert not gate.worse
        assert gate.p == pytest.approx(spread(GOLDEN).p(0.02))
        assert gate.wilcoxon_p == pytest.approx(wilcoxon_p(np.subtract(GOLDEN, 0.02)))
        assert (
            "not shown to beat ridge by 0.02 (difference 0.032, guarded [-0.049, 0.058], p=" in gate.message
        )

    def test_fails_what_is_worse(self, better):
        gate = against_ridge(np.negative(CLEAR), better=better)
        assert gate.outcome == "fail"
        assert gate.worse
        assert gate.estimate == pytest.approx(-np.mean(CLEAR))
        assert ": worse than ridge (difference -0.032, guarded [-0.049, -0.026]" in gate.message

    def test_is_underpowered_below_six_patients(self, better):
        differences = (0.50, 0.51, 0.49, 0.52, 0.50)
        gate = against_ridge(differences, better=better, margin=0.02)
        assert gate.outcome == "underpowered"
        assert gate.n == 5
        assert (gate.p, gate.wilcoxon_p) == (None, 2 / 32)
        assert gate.ci_method == "t"
        assert gate.smallest == pytest.approx(smallest_detectable(differences, margin=0.02), abs=1e-9)
        assert (
            "5 of the 6 patients needed to show that it beats ridge by 0.02, consistent direction"
            in gate.message
        )
        assert f"the smallest difference 6 patients would show is {gate.smallest:.3f}" in gate.message


def test_message_has_the_form_of_the_report():
    values = (0.01, 0.15, 0.03, 0.12, 0.04, 0.136)
    gate = apply_rule(
        beats("ridge", 0.02),
        by_patient(values),
        by_patient([0.08] * 6),
        metric="spearman_gene",
        better="up",
    )
    head, _, finding = gate.message.partition(": ")
    interval = mean_interval(values)
    assert head == f"spearman_gene 0.081 [{interval.low:.2f}, {interval.high:.2f}] n=6 patients"
    assert finding.startswith("not shown to beat ridge by 0.02 ")


def test_worse_is_measured_against_the_margin():
    gate = against_ridge((0.010, 0.012, 0.008, 0.011, 0.009, 0.010), margin=0.02)
    assert gate.worse
    assert "worse than ridge plus the margin of 0.02" in gate.message


# Mostly a bit better, once much worse: the bound of Student's t lies above zero, the guarded one below.
LEFT = (0.022, 0.034, 0.035, 0.031, 0.033, 0.008)


def test_a_left_tail_is_not_passed():
    student = stats.ttest_1samp(LEFT, 0).confidence_interval(0.95)
    assert student.low > 0.01
    gate = against_ridge(LEFT)
    assert (gate.outcome, gate.worse) == ("fail", False)
    assert gate.low < 0 < gate.estimate < gate.high


def test_the_same_values_leaning_to_the_right_pass():
    right = 2 * np.mean(LEFT) - np.array(LEFT)
    assert np.mean(right) == pytest.approx(np.mean(LEFT))
    assert against_ridge(right).outcome == "pass"


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
    gate = apply_rule(beats("ridge"), model, reference, metric="spearman_gene", better="up")
    assert (gate.outcome, gate.n, gate.excluded) == ("pass", 6, ("P3",))
    assert gate.message.endswith("; 1 patient without a value left out: P3")


def test_patients_of_one_side_only_are_left_out():
    model = by_patient(np.add(RIDGE[:6], 0.03).tolist()) | {"X": 0.5}
    gate = apply_rule(beats("ridge"), model, by_patient(RIDGE), metric="spearman_gene", better="up")
    assert (gate.n, gate.excluded) == (6, ("P7", "P8", "X"))


def test_no_common_patient_is_not_evaluable():
    gate = apply_rule(beats("ridge"), {"A": 0.1}, {"B": 0.1}, metric="spearman_gene", better="up")
    assert (gate.outcome, gate.n, gate.estimate) == ("not_evaluable", 0, None)
    assert "no patient has a value on both sides" in gate.message
    empty = apply_rule(beats("ridge"), {}, {}, metric="spearman_gene", better="up")
    assert empty.outcome == "not_evaluable"


def test_order_of_the_patients_does_not_matter():
    model, reference = by_patient(np.add(RIDGE[:6], GOLDEN).tolist()), by_patient(RIDGE[:6])
    turned = dict(reversed(model.items()))
    first = apply_rule(beats("ridge"), model, reference, metric="m", better="up")
    assert apply_rule(beats("ridge"), turned, reference, metric="m", better="up").low == first.low


@pytest.mark.parametrize("rule", [beats("ridge"), not_worse_than(0.0)])
def test_a_metric_of_context_cannot_be_compared(rule):
    with pytest.raises(StbenchError, match="calibration_slope gives context and has no better direction"):
        apply_rule(rule, by_patient(RIDGE), by_patient(RIDGE), metric="calibration_slope", better="context")


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
    assert forward.p == pytest.approx(1 - backward.p, abs=1e-9)
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
    return apply_rule(
        not_worse_than(margin),
        by_patient(model),
        by_patient(RIDGE[:n]),
        metric="spearman_gene",
        stored_name="runs/v1.json",
        better=better,
    )


@pytest.mark.parametrize("better", ["up", "down"])
def test_not_worse_than(better):
    small_loss = (-0.001, -0.002, 0.0, -0.001, 0.001, -0.002)
    passed = not_worse(small_loss, better=better)
    assert passed.outcome == "pass"
    assert (
        "at most 0.01 worse than runs/v1.json (difference -0.001, guarded [-0.002, 0.003])" in passed.message
    )
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
    gate = not_worse((-0.002, -0.013, 0.002, -0.008, -0.004, -0.006), margin=0.01)
    assert gate.low < -0.01 < gate.estimate < 0 < gate.high < 0.01
    assert (gate.outcome, gate.worse) == ("fail", False)


def test_not_worse_than_has_the_p_of_its_margin():
    gate = not_worse(np.subtract(CLEAR, 0.02), margin=0.01)
    assert gate.outcome == "pass"
    assert gate.p == pytest.approx(spread(np.subtract(CLEAR, 0.02)).p(-0.01))
    assert not_worse(CLEAR[:5]).p is None


def test_without_a_stored_run_not_worse_than_is_not_decided():
    gate = apply_rule(not_worse_than(0.01), by_patient(RIDGE), None, metric="m", better="up")
    assert (gate.outcome, gate.reference, gate.excluded) == ("not_evaluable", None, ())
    assert "not_worse_than by 0.01 is not decided, no earlier run was given" in gate.message
    assert "--stbench-compare=FILE" in gate.message


def test_a_refused_run_says_why():
    gate = apply_rule(
        not_worse_than(0.01), by_patient(RIDGE), None, metric="m", stored_name="v1.json", better="up",
        refused="version 2 here, 1 in the stored run",
    )  # fmt: skip
    assert gate.outcome == "not_evaluable"
    assert "not comparable with v1.json: version 2 here, 1 in the stored run" in gate.message


def test_the_same_run_again_is_not_worse_by_any_margin_above_zero():
    assert not_worse([0.0] * 6, margin=0.01).outcome == "pass"
    assert not_worse([0.0] * 6, margin=0.0).outcome == "fail"
    assert not_worse([-0.01] * 6, margin=0.01).outcome == "fail"


def test_not_worse_than_without_common_patients():
    gate = apply_rule(not_worse_than(0.01), {"A": 0.1}, {}, metric="m", stored_name="v1", better="up")
    assert (gate.outcome, gate.excluded) == ("not_evaluable", ("A",))


def test_equal_scores_are_worse_than_the_margin_but_not_than_the_reference():
    gate = against_ridge([0.0] * 6, margin=0.1)
    assert gate.worse
    assert "worse than ridge plus the margin of 0.1" in gate.message


class TestFloor:
    """The least margin holds where it is more than the declared one, and says what sets it."""

    FLOOR = Floor(0.028, "2% of the distance between T and S")

    def test_it_raises_the_margin(self):
        assert against_ridge(CLEAR, margin=0.01).outcome == "pass"
        gate = against_ridge(CLEAR, margin=0.01, floor=self.FLOOR)
        assert (gate.outcome, gate.margin, gate.margin_floor) == ("fail", 0.028, self.FLOOR.why)
        assert "not shown to beat ridge by 0.028" in gate.message

    def test_it_is_named_where_it_is_passed(self):
        gate = against_ridge(np.add(CLEAR, 0.01), floor=self.FLOOR)
        assert gate.message.endswith("(margin 0.028, 2% of the distance between T and S)")

    def test_a_larger_declared_margin_stays(self):
        gate = against_ridge(np.add(CLEAR, 0.01), margin=0.03, floor=self.FLOOR)
        assert (gate.margin, gate.margin_floor) == (0.03, None)
        assert gate.message.endswith("(margin 0.03)")

    @given(tiny=st.floats(0, 1e-3))
    @settings(deadline=None, max_examples=20)
    def test_a_copy_with_a_constant_gain_below_it_never_passes(self, tiny):
        assert against_ridge([tiny] * 6, floor=Floor(1e-3, "")).outcome == "fail"


def loss(differences, threshold, *, better="up", **changes):
    sign = 1 if better == "up" else -1
    n = len(differences)
    model = by_patient(np.add(RIDGE[:n], np.multiply(sign, differences)).tolist()) | changes
    rule = patient_difference_at_least("ridge", threshold)
    return apply_rule(rule, model, by_patient(RIDGE[:n]), metric="m", better=better)


@pytest.mark.parametrize("better", ["up", "down"])
class TestMinPatientDifference:
    def test_it_looks_at_the_patient_who_loses_most(self, better):
        gate = loss((0.1, 0.1, -0.06, 0.1, 0.1, 0.1), -0.05, better=better)
        assert (gate.kind, gate.outcome, gate.reference) == ("min_patient_difference", "fail", "ridge")
        assert gate.estimate == pytest.approx(-0.06)
        assert (gate.low, gate.high, gate.threshold) == (None, None, -0.05)
        assert "patient P3 -0.060 against ridge < min_patient_difference -0.05" in gate.message
        assert loss((0.1, 0.1, -0.04, 0.1, 0.1, 0.1), -0.05, better=better).outcome == "pass"

    def test_a_difference_at_the_limit_meets_it(self, better):
        assert loss([-0.1] * 6, -0.1, better=better).outcome == "pass"
        assert loss([0.0], 0.0, better=better).outcome == "pass"

    def test_one_patient_is_enough(self, better):
        assert loss((-0.2,), -0.1, better=better).outcome == "fail"

    def test_a_patient_without_a_value_is_not_passed_over(self, better):
        gate = loss((0.1, 0.1, 0.1), -0.05, better=better, P2=None)
        assert (gate.outcome, gate.excluded) == ("not_evaluable", ("P2",))
        assert "ridge has a value for patient P2 and the model has none" in gate.message
        # What fails already stays a failure.
        assert loss((0.1, 0.1, -0.1), -0.05, better=better, P2=math.nan).outcome == "fail"

    def test_no_common_patient_is_not_evaluable(self, better):
        rule = patient_difference_at_least("ridge", 0.0)
        gate = apply_rule(rule, {"A": 0.1}, {}, metric="m", better=better)
        assert gate.outcome == "not_evaluable"

    @given(d=differences, limits=st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)))
    @settings(deadline=None, max_examples=30)
    def test_meeting_a_limit_meets_every_lower_one(self, better, d, limits):
        low, high = sorted(limits)
        if loss(d, high, better=better).outcome == "pass":
            assert loss(d, low, better=better).outcome == "pass"
            assert min(d) >= high - 1e-9


def test_a_metric_of_context_has_no_patient_who_loses():
    with pytest.raises(StbenchError, match="no better direction"):
        loss([0.1] * 6, 0.0, better="context")


def test_the_headline_of_a_message_stays_in_the_range():
    high = (0.95, 0.97, 0.62, 0.91, 0.88, 0.99)
    gate = apply_rule(
        beats("ridge"), by_patient(high), by_patient([0.1] * 6), metric="m", better="up", bounds=(-1, 1)
    )
    assert gate.message.startswith("m 0.887 [0.63, 0.97] n=6 patients: ")
