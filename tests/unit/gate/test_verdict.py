from __future__ import annotations

import itertools

import numpy as np
import pytest

from pytest_stbench.errors import StbenchError
from pytest_stbench.gate import Rules, aggregate, apply_rules, judge
from pytest_stbench.results import GateRecord

RIDGE = dict(zip("ABCDEF", (0.28, 0.30, 0.25, 0.31, 0.27, 0.29), strict=True))
MEAN = dict.fromkeys("ABCDEF", 0.0)
REFERENCES = {"train_mean": MEAN, "ridge": RIDGE}
ONE_RULE = Rules(beats={"train_mean": 0.0, "ridge": 0.02})
CLEAR = (0.030, 0.025, 0.040, 0.035, 0.028, 0.033)
STRENGTH = ("fail", "not_evaluable", "underpowered", "pass")


def model(differences=CLEAR):
    return {name: RIDGE[name] + d for name, d in zip(RIDGE, differences, strict=False)}


def judged(values, rules=ONE_RULE, **changes):
    settings = {
        "task": "t",
        "dataset": "d",
        "split": "lopo",
        "model": "mine",
        "metric": "spearman_gene",
        "better": "up",
        "references": REFERENCES,
        "primary": True,
    }
    return judge(values, rules, **(settings | changes))


def record(outcome):
    return GateRecord(kind="min", n=6, outcome=outcome, message="")


@pytest.mark.parametrize("outcomes", list(itertools.product(STRENGTH, repeat=2)))
def test_all_rules_must_pass(outcomes):
    expected = min(outcomes, key=STRENGTH.index)
    assert aggregate([record(outcome) for outcome in outcomes]) == expected


def test_nothing_asked_is_nothing_passed():
    with pytest.raises(ValueError, match="no gate to aggregate"):
        aggregate([])


def test_pass_needs_every_reference():
    verdict = judged(model())
    assert verdict.verdict == "pass"
    assert [(gate.reference, gate.margin, gate.outcome) for gate in verdict.gates] == [
        ("train_mean", 0.0, "pass"),
        ("ridge", 0.02, "pass"),
    ]
    assert "beats ridge by 0.032" in verdict.message


def test_one_reference_not_beaten_fails():
    verdict = judged(model(np.subtract(CLEAR, 0.01)))
    assert verdict.verdict == "fail"
    assert [gate.outcome for gate in verdict.gates] == ["pass", "fail"]
    assert "not shown to beat ridge" in verdict.message


def test_message_is_that_of_the_reference_missed_by_the_most():
    verdict = judged(dict.fromkeys(RIDGE, -0.1))
    assert "worse than ridge" in verdict.message


def test_message_is_that_of_the_reference_passed_by_the_least():
    easy = {name: value - 0.01 for name, value in RIDGE.items()}
    rules = Rules(beats={"ridge": 0.0, "easy": 0.03})
    verdict = judged(model(), rules, references={"ridge": RIDGE, "easy": easy})
    first, second = verdict.gates
    assert (verdict.verdict, verdict.message) == ("pass", second.message)
    assert first.low < second.low


def test_underpowered_below_six_patients():
    verdict = judged(model(CLEAR[:5]))
    assert verdict.verdict == "underpowered"
    assert {gate.outcome for gate in verdict.gates} == {"underpowered"}


def test_a_failed_limit_fails_what_is_underpowered():
    rules = Rules(beats={"ridge": 0.0}, min=0.9)
    assert judged(model(CLEAR[:5]), rules).verdict == "fail"


def test_a_reference_is_neither_pass_nor_fail():
    for baseline, values in REFERENCES.items():
        verdict = judged(values, Rules(beats=ONE_RULE.beats, min=0.9), baseline=baseline)
        assert (verdict.verdict, verdict.gates) == ("reference", ())
    assert judged(model(), baseline="coords").verdict == "pass"


def test_a_model_with_the_name_of_a_baseline_is_judged():
    assert judged(model(), model="ridge").verdict == "pass"


@pytest.mark.parametrize("values", [{}, {"A": None, "B": float("nan")}])
def test_no_defined_patient_is_not_evaluable(values):
    verdict = judged(values)
    assert (verdict.verdict, verdict.gates) == ("not_evaluable", ())
    assert "no patient has a value" in verdict.message


def test_a_missing_reference_is_never_a_pass():
    assert judged(model(), references={"train_mean": MEAN}).verdict == "not_evaluable"


def test_without_rules_there_is_no_verdict():
    assert judged(model(), Rules()) is None


def test_verdict_says_where_it_belongs():
    verdict = judged(model(), variant="raw")
    assert verdict.key == ("t", "d", "raw", "lopo", "mine", "spearman_gene")
    assert verdict.primary


def test_every_rule_is_applied_once():
    rules = Rules(
        beats={"ridge": 0.0}, min_patient_difference={"ridge": 0.0}, not_worse_than=0.01, min=0.1,
        min_lower=0.1, min_patient=0.1, max=0.9, shown={"train_mean": 0.0},
    )  # fmt: skip
    gates = apply_rules(
        model(), rules, metric="m", better="up", references=REFERENCES, stored=RIDGE, stored_name="v1.json"
    )
    assert [gate.kind for gate in gates] == [
        "beats",
        "min_patient_difference",
        "not_worse_than",
        "min",
        "min_lower",
        "min_patient",
        "max",
        "beats",
    ]
    assert {gate.outcome for gate in gates} == {"pass"}
    assert gates[2].reference == "v1.json"
    assert [gate.threshold for gate in gates] == [None, 0.0, None, 0.1, 0.1, 0.1, 0.9, None]
    assert [gate.declared for gate in gates] == [True] * 7 + [False]


def test_a_limit_of_zero_is_a_limit():
    gates = apply_rules(model(), Rules(min_patient=0.0), metric="m", better="up", references={})
    assert [gate.kind for gate in gates] == ["min_patient"]


def test_not_worse_than_without_a_stored_run_is_never_a_pass():
    rules = Rules(not_worse_than=0.01)
    for stored in (None, {}):
        (gate,) = apply_rules(model(), rules, metric="m", better="up", references={}, stored=stored)
        assert gate.outcome == "not_evaluable"
    both = judged(model(), Rules(beats={"ridge": 0.0}, not_worse_than=0.01))
    assert both.verdict == "not_evaluable"
    assert "no earlier run was given" in both.message
    refused = judged(model(), rules, refused="other data", stored_name="v1.json")
    assert "not comparable with v1.json: other data" in refused.message


def test_what_is_only_shown_decides_nothing():
    weak = model(np.subtract(CLEAR, 0.2))
    verdict = judged(weak, Rules(shown={"ridge": 0.0}, min=0.05))
    assert (verdict.verdict, verdict.gated) == ("pass", True)
    assert [(gate.kind, gate.declared, gate.outcome) for gate in verdict.gates] == [
        ("min", True, "pass"),
        ("beats", False, "fail"),
    ]
    assert "min 0.05" in verdict.message


def test_the_one_rule_without_a_gate_has_a_verdict_that_fails_no_item():
    verdict = judged(model(np.subtract(CLEAR, 0.2)), Rules(beats={"ridge": 0.0}, gated=False))
    assert (verdict.verdict, verdict.gated) == ("fail", False)
    assert [gate.declared for gate in verdict.gates] == [False]


def test_predictions_of_a_reference_are_one_under_any_name():
    verdict = judged(model(), same_as=("ridge",))
    assert (verdict.verdict, verdict.gates, verdict.same_as) == ("reference", (), ("ridge",))
    assert verdict.message.endswith("reference, its predictions are those of ridge")
    assert judged(model(), Rules(), same_as=("ridge",)) is None


def test_p_is_that_of_the_reference_passed_by_the_least():
    verdict = judged(model())
    assert verdict.p == max(gate.p for gate in verdict.gates)
    assert judged(model(CLEAR[:5])).p is None
    assert judged(model(), Rules(min=0.1)).p is None


def test_the_floor_and_the_range_reach_every_rule():
    from pytest_stbench.gate import Floor

    floor = Floor(0.05, "2% of the distance between T and S")
    verdict = judged(model(), Rules(beats={"ridge": 0.0}, floor=floor), bounds=(-1, 1))
    assert (verdict.verdict, verdict.gates[0].margin) == ("fail", 0.05)
    wide = dict(zip("ABCDEF", (0.95, 0.97, 0.62, 0.91, 0.88, 0.99), strict=True))
    for rules in (Rules(min=0.1), Rules(beats={"ridge": 0.0}), Rules(min_lower=-1.0)):
        assert judged(wide, rules, bounds=(-1, 1)).message.startswith("spearman_gene 0.887 [0.63, 0.97] ")


def test_direction_is_handed_on():
    worse_error = {name: value + 0.03 for name, value in RIDGE.items()}
    rules = Rules(beats={"ridge": 0.0}, not_worse_than=0.01)
    for better, outcome in (("up", "pass"), ("down", "fail")):
        gates = apply_rules(
            worse_error, rules, metric="m", better=better, references=REFERENCES, stored=RIDGE
        )
        assert [gate.outcome for gate in gates] == [outcome] * 2


def test_a_metric_of_context_is_refused():
    with pytest.raises(StbenchError, match="no better direction"):
        judged(model(), better="context")
