from __future__ import annotations

import pytest

from pytest_stbench.gate import Rules, judge, judge_within
from pytest_stbench.gate.wording import WITHIN_SLIDE

VALUES = {name: 0.5 + 0.01 * place for place, name in enumerate("ABCDEF")}
REFERENCE = {"train_mean": dict.fromkeys("ABCDEF", 0.0)}
FACTS = {
    "task": "t",
    "dataset": "d",
    "split": "within",
    "model": "m",
    "metric": "pearson_gene",
    "better": "up",
    "references": REFERENCE,
}


def test_what_passes_over_patients_cannot_pass_within_slides():
    rules = Rules(beats={"train_mean": 0.0})
    assert judge(VALUES, rules, **FACTS).verdict == "pass"
    found = judge_within(VALUES, rules, **FACTS)
    assert found.verdict == "underpowered"
    assert found.message.startswith(f"pearson_gene 0.525 ({WITHIN_SLIDE}): no comparison")
    assert found.gates == ()


@pytest.mark.parametrize("rule", [{"not_worse_than": 0.1}, {"min_lower": 0.1}])
def test_every_rule_on_an_interval_is_undecided(rule):
    found = judge_within(VALUES, Rules(**rule), stored=VALUES, **FACTS)
    assert found.verdict == "underpowered"


@pytest.mark.parametrize(
    ("limit", "verdict"), [({"min": 0.4}, "pass"), ({"min": 0.6}, "fail"), ({"max": 0.6}, "pass")]
)
def test_limits_on_values_hold_and_show_no_interval(limit, verdict):
    found = judge_within(VALUES, Rules(**limit), **FACTS)
    assert found.verdict == verdict
    assert "[" not in found.message
    assert [gate.low for gate in found.gates] == [None]


def test_a_limit_that_fails_comes_before_what_is_undecided():
    rules = Rules(beats={"train_mean": 0.0}, min=0.9)
    assert judge_within(VALUES, rules, **FACTS).verdict == "fail"


def test_a_reference_stays_one_and_nothing_asked_is_nothing_said():
    found = judge_within(VALUES, Rules(beats={"train_mean": 0.0}), baseline="train_mean", **FACTS)
    assert found.verdict == "reference"
    assert "[" not in found.message
    assert judge_within(VALUES, Rules(), **FACTS) is None


def test_no_value_is_not_evaluable():
    nothing = dict.fromkeys("AB", None)
    assert judge_within(nothing, Rules(beats={"train_mean": 0.0}), **FACTS).verdict == "not_evaluable"


def test_a_metric_is_primary_only_where_that_is_said():
    rules = Rules(beats={"train_mean": 0.0})
    for judged in (judge, judge_within):
        assert not judged(VALUES, rules, **FACTS).primary
        assert judged(VALUES, rules, primary=True, **FACTS).primary
