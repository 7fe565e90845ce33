"""Rules on the score alone: limits of the mean, its lower bound, and the worst patient.

Every rule takes values by patient (None or nan where undefined). A value may miss its limit by
1e-12, so that rounding errors fail nothing. The limits bound the value itself whatever direction
is better; :mod:`pytest_stbench.spec.rules.scores` keeps the ones that make no sense out of task files.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_stbench.gate.entry import gate_record
from pytest_stbench.gate.intervals import ANY, MIN_INTERVAL, Reported, bound_for, interval_for
from pytest_stbench.gate.pairing import PatientValues, defined
from pytest_stbench.gate.wording import number
from pytest_stbench.kernels.guarded import TOLERANCE

if TYPE_CHECKING:
    from pytest_stbench.kernels.mean_interval import Range
    from pytest_stbench.results.record import GateRecord, Outcome, Rule


def at_least(model: PatientValues, *, metric: str, threshold: float, bounds: Range = ANY) -> GateRecord:
    """Hold the mean over patients to a lower limit: `min`, estimate >= threshold."""
    reported, excluded = _alone(model, bounds)
    passed = reported.mean - threshold >= -TOLERANCE
    finding = f"estimate {number(reported.mean)} {'>=' if passed else '<'} min {threshold:g}"
    return _limit("min", model, metric, threshold, bounds, reported, excluded, passed=passed, finding=finding)


def at_most(model: PatientValues, *, metric: str, threshold: float, bounds: Range = ANY) -> GateRecord:
    """Hold the mean over patients to an upper limit: `max`, estimate <= threshold."""
    reported, excluded = _alone(model, bounds)
    passed = reported.mean - threshold <= TOLERANCE
    finding = f"estimate {number(reported.mean)} {'<=' if passed else '>'} max {threshold:g}"
    return _limit("max", model, metric, threshold, bounds, reported, excluded, passed=passed, finding=finding)


def lower_at_least(model: PatientValues, *, metric: str, threshold: float, bounds: Range = ANY) -> GateRecord:
    """Hold the guarded lower bound of the mean to a limit: `min_lower`, bound >= threshold.

    The bound is clipped to the range of the metric. It lies lower than the interval that is reported where
    patients lean to the left. Below four patients underpowered.
    """
    values = defined(model)
    reported = bound_for(values.values(), bounds, least=MIN_INTERVAL)
    excluded = tuple(sorted(model.keys() - values.keys()))
    if reported.interval is None:
        passed = None
        finding = f"underpowered: min_lower {threshold:g} needs {MIN_INTERVAL} patients"
    else:
        passed = reported.interval.low - threshold >= -TOLERANCE
        sign = ">=" if passed else "<"
        finding = f"guarded lower bound {number(reported.interval.low)} {sign} min_lower {threshold:g}"
    return _limit(
        "min_lower", model, metric, threshold, bounds, reported, excluded, passed=passed, finding=finding
    )


def worst_at_least(model: PatientValues, *, metric: str, threshold: float, bounds: Range = ANY) -> GateRecord:
    """Hold the patient with the smallest value to a limit: `min_patient`, value >= threshold."""
    reported, excluded = _alone(model, bounds)
    worst = min(defined(model).items(), key=lambda item: (item[1], item[0]), default=("", math.nan))
    passed = worst[1] - threshold >= -TOLERANCE
    sign = ">=" if passed else "<"
    finding = f"worst patient {worst[0]} {number(worst[1])} {sign} min_patient {threshold:g}"
    return _limit(
        "min_patient",
        model,
        metric,
        threshold,
        bounds,
        reported,
        excluded,
        passed=passed,
        finding=finding,
        estimate=worst[1],
    )


def _alone(model: PatientValues, bounds: Range) -> tuple[Reported, tuple[str, ...]]:
    values = defined(model)
    return interval_for(values.values(), bounds), tuple(sorted(model.keys() - values.keys()))


def _limit(
    kind: Rule,
    model: PatientValues,
    metric: str,
    threshold: float,
    bounds: Range,
    reported: Reported,
    excluded: tuple[str, ...],
    *,
    passed: bool | None,
    finding: str,
    estimate: float | None = None,
) -> GateRecord:
    outcome: Outcome = "underpowered" if passed is None else "pass" if passed else "fail"
    if reported.n == 0:
        outcome, finding = "not_evaluable", "not evaluable: no patient has a value"
    return gate_record(
        kind,
        metric=metric,
        model=model,
        bounds=bounds,
        finding=finding,
        outcome=outcome,
        reported=reported,
        threshold=threshold,
        excluded=excluded,
        estimate=estimate,
    )
