from __future__ import annotations

import math

import pytest

from pytest_stbench.gate import apply_rule, at_least, at_most, lower_at_least, worst_at_least
from pytest_stbench.kernels.mean_interval import guarded_interval

VALUES = {"A": 0.28, "B": 0.30, "C": 0.25, "D": 0.31, "E": 0.27, "F": 0.29}
MEAN = sum(VALUES.values()) / 6


def limited(rule, values, **scored):
    return apply_rule(rule, values, better="up", **scored)


def first(n):
    return dict(list(VALUES.items())[:n])


@pytest.mark.parametrize(("threshold", "outcome", "sign"), [(0.2, "pass", ">="), (0.2834, "fail", "<")])
def test_min_compares_the_estimate(threshold, outcome, sign):
    gate = limited(at_least(threshold), VALUES, metric="r")
    assert (gate.kind, gate.outcome, gate.n) == ("min", outcome, 6)
    assert gate.estimate == pytest.approx(MEAN)
    assert gate.message == f"r 0.283 [0.26, 0.31] n=6 patients: estimate 0.283 {sign} min {threshold:g}"


@pytest.mark.parametrize(("threshold", "outcome", "sign"), [(0.2834, "pass", "<="), (0.2, "fail", ">")])
def test_max_compares_the_estimate(threshold, outcome, sign):
    gate = limited(at_most(threshold), VALUES, metric="rmse")
    assert (gate.kind, gate.outcome, gate.threshold) == ("max", outcome, threshold)
    assert f"estimate 0.283 {sign} max {threshold:g}" in gate.message


def test_an_estimate_at_the_limit_meets_it():
    # The mean of six times 0.1 is below 0.1 in the last bit.
    same = dict.fromkeys("ABCDEF", 0.1)
    for rule in (at_least, at_most, lower_at_least, worst_at_least):
        assert limited(rule(0.1), same, metric="r").outcome == "pass"
    half = dict.fromkeys("ABCDEF", 0.5)
    assert limited(at_most(math.nextafter(0.5, 0)), half, metric="r").outcome == "pass"
    assert limited(at_least(math.nextafter(0.5, 1)), half, metric="r").outcome == "pass"


@pytest.mark.parametrize("n", [4, 6])
def test_min_lower_compares_the_guarded_bound(n):
    interval = guarded_interval(list(first(n).values()))
    above = limited(lower_at_least(interval.low + 1e-6), first(n), metric="r")
    below = limited(lower_at_least(interval.low - 1e-6), first(n), metric="r")
    assert (above.outcome, below.outcome) == ("fail", "pass")
    assert (below.low, below.high) == (interval.low, interval.high)
    assert below.ci_method == "guarded"
    assert f"guarded lower bound {interval.low:.3f} >= min_lower" in below.message


def test_min_lower_promises_nothing_below_the_range():
    left = dict(zip("ABCDEF", (0.95, 0.97, 0.12, 0.91, 0.88, 0.99), strict=True))
    assert limited(lower_at_least(0.0), left, metric="r").outcome == "fail"
    gate = limited(lower_at_least(0.0), left, metric="r", bounds=(0.0, 1.0))
    assert (gate.outcome, gate.low) == ("pass", 0.0)


@pytest.mark.parametrize("n", [1, 3])
def test_min_lower_needs_four_patients(n):
    gate = limited(lower_at_least(0.0), first(n), metric="r")
    assert gate.outcome == "underpowered"
    assert "min_lower 0 needs 4 patients" in gate.message


def test_min_patient_compares_the_worst():
    gate = limited(worst_at_least(0.26), VALUES, metric="r")
    assert (gate.outcome, gate.estimate, gate.low) == ("fail", 0.25, None)
    assert "worst patient C 0.250 < min_patient 0.26" in gate.message
    assert limited(worst_at_least(0.2), VALUES, metric="r").outcome == "pass"
    assert "worst patient A 0.280" in limited(worst_at_least(0), {"B": 0.28, "A": 0.28}, metric="r").message


@pytest.mark.parametrize("rule", [at_least, at_most, lower_at_least, worst_at_least])
class TestEveryLimit:
    def test_without_a_defined_patient_is_not_evaluable(self, rule):
        gate = limited(rule(0.0), {"A": None, "B": math.nan}, metric="r")
        assert (gate.outcome, gate.n, gate.estimate) == ("not_evaluable", 0, None)
        assert gate.message.startswith("r undefined n=0 patients: not evaluable")
        assert gate.excluded == ("A", "B")

    def test_names_undefined_patients(self, rule):
        gate = limited(rule(0.0), VALUES | {"Z": None}, metric="r")
        assert gate.n == 6
        assert gate.message.endswith("; 1 patient without a value left out: Z")
