"""The rule of a gate: what is compared with what, which way, by which margin, and when it cannot be judged.

Every rule of a task file is one :class:`Rule`, and :func:`apply_rule` is the one place where rules are
applied. It takes values by patient (None or nan where undefined). A strict comparison must hold by more
than 1e-12, so that rounding errors pass nothing; a value may miss a limit by 1e-12, so that they fail
nothing. Limits bound the value itself whatever direction is better;
:mod:`pytest_stbench.spec.rules.scores` keeps the ones that make no sense out of task files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Required, TypedDict, Unpack

import numpy as np

from pytest_stbench.gate.intervals import ANY, MIN_INTERVAL, Reported, bound_for, interval_for
from pytest_stbench.gate.margins import NO_FLOOR, Floor
from pytest_stbench.gate.pairing import PatientValues, defined, paired
from pytest_stbench.gate.wording import finding, headline, left_out
from pytest_stbench.kernels.guarded import MIN_PATIENTS, TOLERANCE, smallest_detectable, wilcoxon_p
from pytest_stbench.results.record import GateRecord, Outcome

if TYPE_CHECKING:
    from pytest_stbench.kernels.mean_interval import Range
    from pytest_stbench.results.record import Rule as Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule on the pooled score of a metric.

    ``judges`` says what of the values is compared with ``limit``: their mean, its guarded lower bound, or
    the patient with the smallest value. The values are those of the model, or where the rule is ``paired``
    the differences to a reference (positive = model better). The limit is a lower one that may be met, an
    upper one where ``at_most``, one that must be exceeded where ``strict``. Fewer than ``needs`` patients
    cannot decide it: underpowered. ``reference`` is None for rules on the score alone and for the stored
    run. ``floor_why`` says what sets the limit where it is more than the declared margin. ``declared`` is
    False for what is only shown. All in the units of the metric.
    """

    kind: Kind
    limit: float
    judges: Literal["mean", "bound", "worst patient"] = "mean"
    paired: bool = False
    strict: bool = False
    at_most: bool = False
    needs: int = 1
    reference: str | None = None
    floor_why: str | None = None
    declared: bool = True

    @property
    def margin(self) -> float:
        """The margin of ``beats`` (to be exceeded) and of ``not_worse_than`` (what may be lost)."""
        return -self.limit if self.kind == "not_worse_than" else self.limit

    def met(self, value: float) -> bool:
        """Return whether `value` keeps to the limit, False for nan."""
        over = self.limit - value if self.at_most else value - self.limit
        return over > TOLERANCE if self.strict else over >= -TOLERANCE


def beats(reference: str, margin: float = 0.0, floor: Floor = NO_FLOOR) -> Rule:
    """Return the one rule against a reference: the guarded bound of the difference exceeds the margin.

    The margin is at least that of `floor`. Below six patients no data could pass.
    """
    return Rule(
        kind="beats", limit=max(margin, floor.value), judges="bound", paired=True, strict=True,
        needs=MIN_PATIENTS, reference=reference, floor_why=floor.why if floor.value > margin else None,
    )  # fmt: skip


def not_worse_than(margin: float) -> Rule:
    """Return non-inferiority to a stored run: the guarded bound of the difference exceeds -`margin`."""
    return Rule(
        kind="not_worse_than", limit=-margin, judges="bound", paired=True, strict=True, needs=MIN_PATIENTS
    )


def patient_difference_at_least(reference: str, threshold: float) -> Rule:
    """Return a limit of every patient's difference: -0.05 allows each a loss of 0.05 against `reference`.

    It bounds what one patient may lose, which no rule on the mean can. A patient whom the reference has a
    value for and the model has none is not passed over: not evaluable.
    """
    return Rule(
        kind="min_patient_difference", limit=threshold, judges="worst patient", paired=True,
        reference=reference,
    )  # fmt: skip


def at_least(threshold: float) -> Rule:
    """Return the lower limit `min` of the mean over patients."""
    return Rule(kind="min", limit=threshold)


def lower_at_least(threshold: float) -> Rule:
    """Return the limit `min_lower` of the guarded lower bound of the mean, clipped to the metric's range.

    The bound lies lower than the interval that is reported where patients lean to the left.
    """
    return Rule(kind="min_lower", limit=threshold, judges="bound", needs=MIN_INTERVAL)


def worst_at_least(threshold: float) -> Rule:
    """Return the lower limit `min_patient` of the patient with the smallest value."""
    return Rule(kind="min_patient", limit=threshold, judges="worst patient")


def at_most(threshold: float) -> Rule:
    """Return the upper limit `max` of the mean over patients."""
    return Rule(kind="max", limit=threshold, at_most=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one rule found on one score: all that its sentence is made of.

    ``values`` are those that were judged, by patient, and ``value`` with ``patient`` what met the limit or
    did not. ``lost`` is the first patient with a value of the reference alone. ``against`` names the
    reference; ``refused`` says why the stored run cannot be compared with.
    """

    outcome: Outcome
    reported: Reported
    values: dict[str, float]
    value: float
    patient: str
    lost: str | None
    worse: bool
    p: float | None
    smallest: float | None
    against: str
    has_reference: bool
    refused: str


class Scored(TypedDict, total=False):
    """What :func:`apply_rule` is told of the metric and of the stored run beside the values."""

    metric: Required[str]
    better: Required[str]
    bounds: Range
    stored_name: str
    refused: str


def apply_rule(
    rule: Rule, model: PatientValues, reference: PatientValues | None = None, **scored: Unpack[Scored]
) -> GateRecord:
    """Hold the values of a model to one rule.

    Parameters
    ----------
    rule
        The rule.
    model, reference
        Values by patient, same folds; `reference` is None where the rule asks for none, or no run was given.
    metric, better
        Name of the metric, and ``up``, ``down`` or ``context``.
    bounds
        Lower and upper end of the metric, None for no end and by default.
    stored_name, refused
        What the message calls the stored run (``the stored run``), and why one that was given cannot be
        compared with.

    Returns
    -------
    GateRecord
        Its message is one complete line: headline of the model, finding, patients left out. A failure is
        ``worse`` where the whole interval is below the margin, else not shown.

    Raises
    ------
    StbenchError
        For a comparison by a metric without a better direction.
    """
    metric, bounds = scored["metric"], scored.get("bounds", ANY)
    values, excluded = _judged_values(rule, model, reference, metric, scored["better"])
    found = _judged(rule, values, model, reference, scored)
    reported, of_mean, d = found.reported, rule.judges != "worst patient", np.array(list(values.values()))
    # The interval belongs to the mean; a rule on one patient's value has none.
    interval = reported.interval if of_mean else None
    return GateRecord(
        kind=rule.kind,
        declared=rule.declared,
        reference=found.against if rule.paired and found.has_reference else None,
        margin=rule.margin if rule.strict else None,
        margin_floor=rule.floor_why,
        threshold=None if rule.strict else rule.limit,
        n=reported.n,
        estimate=reported.mean if of_mean else found.value,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        ci_method=interval.method if interval else None,
        p=found.p,
        wilcoxon_p=wilcoxon_p(d - rule.limit) if rule.kind == "beats" and len(d) >= MIN_INTERVAL else None,
        smallest=found.smallest,
        worse=found.worse,
        excluded=excluded,
        outcome=found.outcome,
        message=f"{headline(metric, model.values(), bounds)}: {finding(rule, found)}{left_out(excluded)}",
    )


def _judged_values(
    rule: Rule, model: PatientValues, reference: PatientValues | None, metric: str, better: str
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return what is judged by patient, and the patients without a value."""
    if not rule.paired:
        values = defined(model)
        return values, tuple(sorted(model.keys() - values.keys()))
    pairs = paired(model, reference or {}, metric=metric, better=better)
    values = dict(zip(pairs.patients, pairs.differences.tolist(), strict=True))
    return values, pairs.excluded if reference is not None else ()


def _judged(
    rule: Rule,
    values: dict[str, float],
    model: PatientValues,
    reference: PatientValues | None,
    scored: Scored,
) -> Judged:
    guarded = rule.judges == "bound"
    bounds = ANY if rule.paired else scored.get("bounds", ANY)
    reported = (
        bound_for(values.values(), bounds, least=rule.needs)
        if guarded
        else interval_for(values.values(), bounds)
    )
    patient, value = min(values.items(), key=lambda item: (item[1], item[0]), default=("", math.nan))
    if rule.judges != "worst patient":
        value = reported.interval.low if guarded and reported.interval else reported.mean
    lost = None
    if rule.paired and not guarded:
        lost = min(defined(reference or {}).keys() - defined(model).keys(), default=None)
    outcome: Outcome = "pass" if rule.met(value) else "fail"
    if not values or (lost is not None and outcome == "pass"):
        outcome = "not_evaluable"
    elif reported.n < rule.needs:
        outcome = "underpowered"
    compared, interval = rule.strict and reported.spread, reported.interval
    underpowered = rule.kind == "beats" and outcome == "underpowered"
    return Judged(
        outcome=outcome,
        reported=reported,
        values=values,
        value=value,
        patient=patient,
        lost=lost,
        worse=bool(compared and interval and outcome == "fail" and rule.limit - interval.high > TOLERANCE),
        p=float(compared.p(rule.limit)) if compared else None,
        smallest=smallest_detectable(list(values.values()), margin=rule.limit) if underpowered else None,
        against=rule.reference or scored.get("stored_name", "the stored run"),
        has_reference=reference is not None,
        refused=scored.get("refused", ""),
    )
