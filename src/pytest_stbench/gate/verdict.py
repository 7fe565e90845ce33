"""From the rules on a metric to its verdict."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_stbench.gate.intervals import ANY
from pytest_stbench.gate.limits import at_least, at_most, lower_at_least, worst_at_least
from pytest_stbench.gate.pairing import PatientValues, defined
from pytest_stbench.gate.rules import beats, not_worse_than, patient_difference_at_least
from pytest_stbench.gate.wording import headline
from pytest_stbench.results.record import GateRecord, Outcome, Verdict, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.gate.ruleset import Rules
    from pytest_stbench.kernels.mean_interval import Range

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
    metric: str,
    better: str,
    references: Mapping[str, PatientValues],
    stored: PatientValues | None = None,
    stored_name: str = "the stored run",
    refused: str = "",
    bounds: Range = ANY,
) -> tuple[GateRecord, ...]:
    """Apply every rule that is asked, and compare with the references that are shown.

    Parameters
    ----------
    values
        Values of the model by patient.
    rules
        The rules on the metric.
    metric, better
        Name and direction (``up``, ``down`` or ``context``) of the metric.
    references
        Values by patient of every reference; a missing one is not evaluable.
    stored
        Values by patient of the stored run; None when no run is compared with, and
        ``not_worse_than`` is then not evaluable. Empty when that run lacks the metric.
    stored_name
        What the message calls the stored run.
    refused
        Why a stored run that was given cannot be compared with.
    bounds
        Lower and upper end of the metric, None for no end.

    Returns
    -------
    tuple of GateRecord
        Those that decide first; what is only shown is not ``declared``.

    Raises
    ------
    StbenchError
        For a comparison on a metric without a better direction.
    """

    def beaten(name: str, margin: float) -> GateRecord:
        return beats(
            values, references.get(name, {}), metric=metric, against=name, better=better, margin=margin,
            floor=rules.floor, bounds=bounds,
        )  # fmt: skip

    gates = [beaten(name, margin) for name, margin in rules.beats.items()]
    gates += [
        patient_difference_at_least(
            values, references.get(name, {}), metric=metric, against=name, better=better, threshold=limit,
            bounds=bounds,
        )
        for name, limit in rules.min_patient_difference.items()
    ]  # fmt: skip
    if rules.not_worse_than is not None:
        gates.append(
            not_worse_than(
                values, stored, metric=metric, against=stored_name, better=better,
                margin=rules.not_worse_than, refused=refused, bounds=bounds,
            )
        )  # fmt: skip
    limits = (
        (at_least, rules.min),
        (lower_at_least, rules.min_lower),
        (worst_at_least, rules.min_patient),
        (at_most, rules.max),
    )
    gates += [
        rule(values, metric=metric, threshold=limit, bounds=bounds)
        for rule, limit in limits
        if limit is not None
    ]
    gates = [replace(gate, declared=rules.gated) for gate in gates]
    return (*gates, *(replace(beaten(*item), declared=False) for item in rules.shown.items()))


def judge(
    values: PatientValues,
    rules: Rules,
    *,
    task: str,
    dataset: str,
    split: str,
    model: str,
    metric: str,
    better: str,
    references: Mapping[str, PatientValues],
    variant: str = "",
    baseline: str | None = None,
    same_as: tuple[str, ...] = (),
    primary: bool = False,
    stored: PatientValues | None = None,
    stored_name: str = "the stored run",
    refused: str = "",
    bounds: Range = ANY,
) -> VerdictRecord | None:
    """Return the verdict on one metric of one model, or None when nothing is asked of it.

    Parameters
    ----------
    values, rules, metric, better, references, stored, stored_name, refused, bounds
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
    gates = apply_rules(
        values, rules, metric=metric, better=better, references=references, stored=stored,
        stored_name=stored_name, refused=refused, bounds=bounds,
    )  # fmt: skip
    deciding = [gate for gate in gates if gate.declared == rules.gated]
    if not deciding:
        return None
    verdict: Verdict
    p = None
    if baseline is not None and baseline in rules.references:
        verdict, gates = "reference", ()
        message = (
            f"{headline(metric, values.values(), bounds)}: {baseline} is itself one of the baselines that "
            "the rule compares with, so there is nothing to decide"
        )
    elif same_as:
        verdict, gates = "reference", ()
        message = (
            f"{headline(metric, values.values(), bounds)}: reference, its predictions are those of "
            f"{' and '.join(same_as)}"
        )
    elif defined(values):
        verdict = aggregate(deciding)
        message = min((gate for gate in deciding if gate.outcome == verdict), key=_slack).message
        known = [gate.p for gate in deciding if gate.kind == "beats"]
        p = max((value for value in known if value is not None), default=None) if None not in known else None
    else:
        verdict, gates = "not_evaluable", ()
        message = f"{metric}: not evaluable, no patient has a value"
    return VerdictRecord(
        task=task,
        dataset=dataset,
        variant=variant,
        split=split,
        model=model,
        metric=metric,
        verdict=verdict,
        gated=rules.gated,
        primary=primary,
        p=p,
        same_as=same_as,
        gates=gates,
        message=message,
    )


def _slack(gate: GateRecord) -> float:
    """Return how far the lower bound lies above the margin; rules without one come last."""
    if gate.kind != "beats" or gate.low is None or gate.margin is None:
        return math.inf
    return gate.low - gate.margin
