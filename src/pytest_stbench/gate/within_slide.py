"""Verdicts on splits within slides: point values, never a comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.gate.pairing import PatientValues, defined
from pytest_stbench.gate.verdict import judge
from pytest_stbench.gate.wording import number
from pytest_stbench.results.record import VerdictRecord

if TYPE_CHECKING:
    from pytest_stbench.gate.ruleset import Rules

LABEL = "within-slide, not generalisation"


def judge_within(values: PatientValues, rules: Rules, **facts: Any) -> VerdictRecord | None:
    """Return the verdict on a score of a split within slides, or None when nothing is asked.

    Train and test units lie on one slide, so patients are no replicates of what is asked: rules that
    compare, and ``min_lower``, cannot be decided and come out as ``underpowered`` (unless the model is a
    reference itself); limits on the estimate and on patients hold as elsewhere. `facts` are the further
    arguments of :func:`judge`.
    """
    head = f"{facts['metric']} {_mean(values)} ({LABEL})"
    if facts.get("baseline") in rules.references or facts.get("same_as"):
        return _told(judge(values, rules, **facts), head)
    compared = bool(rules.beats or rules.min_patient_difference)
    compared = compared or rules.not_worse_than is not None or rules.min_lower is not None
    limits = replace(
        rules, beats={}, shown={}, min_patient_difference={}, not_worse_than=None, min_lower=None
    )
    found = _told(judge(values, limits, **facts), head)
    if not compared or (found is not None and found.verdict != "pass"):
        return found
    return VerdictRecord(
        **{name: facts[name] for name in ("task", "dataset", "split", "model", "metric")},
        variant=facts.get("variant", ""),
        verdict="underpowered" if defined(values) else "not_evaluable",
        gated=rules.gated,
        primary=facts.get("primary", False),
        gates=found.gates if found is not None else (),
        message=f"{head}: no comparison can be decided; add a split by patient (lopo, pgkf)",
    )


def _mean(values: PatientValues) -> str:
    known = list(defined(values).values())
    return number(sum(known) / len(known)) if known else "undefined"


def _told(verdict: VerdictRecord | None, head: str) -> VerdictRecord | None:
    """Return the verdict with `head` in the place of a headline that shows an interval."""
    if verdict is None:
        return None
    gates = tuple(
        replace(gate, low=None, high=None, ci_method=None, message=f"{head}: {_finding(gate.message)}")
        for gate in verdict.gates
    )
    return replace(verdict, gates=gates, message=f"{head}: {_finding(verdict.message)}")


def _finding(message: str) -> str:
    return message.partition(": ")[2]
