"""From the rules on a metric to its verdict; within slides limits alone decide, never a comparison."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from pytest_stbench.gate.intervals import ANY
from pytest_stbench.gate.pairing import PatientValues, defined
from pytest_stbench.gate.rules import apply_rule
from pytest_stbench.gate.wording import WITHIN_SLIDE, headline, number
from pytest_stbench.results.record import GateRecord, Outcome, Verdict, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.gate.rules import Rule, Scored
    from pytest_stbench.gate.ruleset import Rules

# What is decided against the model comes first; a rule that could not be applied is never a pass.
ORDER: tuple[Outcome, ...] = ("fail", "not_evaluable", "underpowered", "pass")


def aggregate(gates: Iterable[GateRecord]) -> Outcome:
    """Return the outcome of several rules together: all must pass.

    fail > not evaluable > underpowered > pass. No correction between references is needed: the
    claim is that all are beaten (intersection-union).

    Raises
    ------
    ValueError
        Without gates: nothing was asked, so nothing was passed.
    """
    outcomes = {gate.outcome for gate in gates}
    if not outcomes:
        raise ValueError("no gate to aggregate: a metric without gates has no verdict")
    return next(outcome for outcome in ORDER if outcome in outcomes)


def apply_rules(
    values: PatientValues,
    rules: Rules,
    *,
    references: Mapping[str, PatientValues],
    stored: PatientValues | None = None,
    **scored: Unpack[Scored],
) -> tuple[GateRecord, ...]:
    """Apply every rule that is asked, and compare with the references that are shown.

    Parameters
    ----------
    values
        Values of the model by patient.
    rules
        The rules on the metric.
    references
        Values by patient of every reference; a missing one is not evaluable.
    stored
        Values by patient of the stored run; None when no run is compared with, and
        ``not_worse_than`` is then not evaluable. Empty when that run lacks the metric.
    metric, better, bounds, stored_name, refused
        As in :func:`~pytest_stbench.gate.rules.apply_rule`.

    Returns
    -------
    tuple of GateRecord
        Those that decide first; what is only shown is not ``declared``.

    Raises
    ------
    StbenchError
        For a comparison on a metric without a better direction.
    """

    def reference(rule: Rule) -> PatientValues | None:
        if not rule.paired:
            return None
        return stored if rule.reference is None else references.get(rule.reference, {})

    return tuple(apply_rule(rule, values, reference(rule), **scored) for rule in rules.each())


def judge(
    values: PatientValues,
    rules: Rules,
    *,
    task: str,
    dataset: str,
    split: str,
    model: str,
    references: Mapping[str, PatientValues],
    stored: PatientValues | None = None,
    variant: str = "",
    baseline: str | None = None,
    same_as: tuple[str, ...] = (),
    primary: bool = False,
    **scored: Unpack[Scored],
) -> VerdictRecord | None:
    """Return the verdict on one metric of one model, or None when nothing is asked of it.

    Parameters
    ----------
    values, rules, references, stored, metric, better, bounds, stored_name, refused
        As in :func:`apply_rules`.
    task, dataset, variant, split, model
        Where the score belongs.
    baseline
        Name of the built-in baseline that stands in the model's place; None for a user's model.
        One of the references itself gets the verdict ``reference``, and no rule is applied.
    same_as
        References whose predictions the model's are, whatever it is called: ``reference`` as well.
    primary
        Whether this is the primary metric of the task.

    Returns
    -------
    VerdictRecord or None
        ``reference``; ``not_evaluable`` when no patient has a value; else what all rules that decide come
        to together, with the message of the rule that decided by the least or failed by the most.
    """
    gates = apply_rules(values, rules, references=references, stored=stored, **scored)
    if all(gate.declared != rules.gated for gate in gates):
        return None
    metric = scored["metric"]
    head = headline(metric, values.values(), scored.get("bounds", ANY))
    verdict: Verdict = "reference"
    p = None
    if baseline is not None and baseline in rules.references:
        why = "is itself one of the baselines that the rule compares with, so there is nothing to decide"
        message, gates = f"{head}: {baseline} {why}", ()
    elif same_as:
        message, gates = f"{head}: reference, its predictions are those of {' and '.join(same_as)}", ()
    elif defined(values):
        verdict, message, p = _decided([gate for gate in gates if gate.declared == rules.gated])
    else:
        verdict, gates, message = "not_evaluable", (), f"{metric}: not evaluable, no patient has a value"
    return VerdictRecord(
        task=task, dataset=dataset, variant=variant, split=split, model=model, metric=metric, verdict=verdict,
        gated=rules.gated, primary=primary, p=p, same_as=same_as, gates=gates, message=message,
    )  # fmt: skip


def _decided(gates: list[GateRecord]) -> tuple[Outcome, str, float | None]:
    """Return what the rules that decide come to, the message of the one that did, and the largest p."""
    verdict = aggregate(gates)
    message = min((gate for gate in gates if gate.outcome == verdict), key=_slack).message
    known = [gate.p for gate in gates if gate.kind == "beats"]
    return verdict, message, None if None in known else max((p for p in known if p is not None), default=None)


def _slack(gate: GateRecord) -> float:
    """Return how far the lower bound lies above the margin; rules without one come last."""
    if gate.kind != "beats" or gate.low is None or gate.margin is None:
        return math.inf
    return gate.low - gate.margin


def judge_within(values: PatientValues, rules: Rules, **facts: Any) -> VerdictRecord | None:
    """Return the verdict on a score of a split within slides, or None when nothing is asked.

    Train and test units lie on one slide, so patients are no replicates of what is asked: rules that
    compare, and ``min_lower``, cannot be decided and come out as ``underpowered`` (unless the model is a
    reference itself); limits on the estimate and on patients hold as elsewhere. `facts` are the further
    arguments of :func:`judge`.
    """
    head = f"{facts['metric']} {_mean(values)} ({WITHIN_SLIDE})"
    if facts.get("baseline") in rules.references or facts.get("same_as"):
        return _without_interval(judge(values, rules, **facts), head)
    limits = replace(
        rules, beats={}, shown={}, min_patient_difference={}, not_worse_than=None, min_lower=None
    )
    found = _without_interval(judge(values, limits, **facts), head)
    if not rules.compares or (found is not None and found.verdict != "pass"):
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


def _without_interval(verdict: VerdictRecord | None, head: str) -> VerdictRecord | None:
    """Return the verdict with `head` in the place of a headline that shows an interval."""
    if verdict is None:
        return None

    def headed(message: str) -> str:
        return f"{head}: {message.partition(': ')[2]}"

    gates = tuple(
        replace(gate, low=None, high=None, ci_method=None, message=headed(gate.message))
        for gate in verdict.gates
    )
    return replace(verdict, gates=gates, message=headed(verdict.message))
