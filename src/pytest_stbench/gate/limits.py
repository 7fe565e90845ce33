"""Rules on the score alone: limits of the mean, its lower bound, and the worst patient.

Every rule takes values by patient (None or nan where undefined). A value may miss its limit by
1e-12, so that rounding errors fail nothing. The limits bound the value itself whatever direction
is better; :func:`~pytest_stbench.gate.ruleset.refusals` keeps the ones that make no sense out of
task files.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_stbench.gate.entry import gate_record
from pytest_stbench.gate.intervals import MIN_INTERVAL, Reported, interval_for
from pytest_stbench.gate.pairing import PatientValues, defined
from pytest_stbench.gate.wording import number
from pytest_stbench.kernels.resampling import TOLERANCE

if TYPE_CHECKING:
    from typing import Literal

    from pytest_stbench.results.record import GateRecord, Outcome


def at_least(model: PatientValues, *, metric: str, threshold: float) -> GateRecord:
    """Hold the mean over patients to a lower limit: `min`, estimate >= threshold."""
    reported, excluded = _alone(model)
    passed = reported.mean - threshold >= -TOLERANCE
    finding = f"estimate {number(reported.mean)} {'>=' if passed else '<'} min {threshold:g}"
    return _limit("min", model, metric, threshold, reported, excluded, passed=passed, finding=finding)


def at_most(model: PatientValues, *, metric: str, threshold: float) -> GateRecord:
    """Hold the mean over patients to an upper limit: `max`, estimate <= threshold."""
    reported, excluded = _alone(model)
    passed = reported.mean - threshold <= TOLERANCE
    finding = f"estimate {number(reported.mean)} {'<=' if passed else '>'} max {threshold:g}"
    return _limit("max", model, metric, threshold, reported, excluded, passed=passed, finding=finding)


def lower_at_least(model: PatientValues, *, metric: str, threshold: float) -> GateRecord:
    """Hold the lower bound of the 95% interval to a limit: `min_lower`, bound >= threshold.

    The interval is that of the report: t with four or five patients, studentised from six on;
    below four patients underpowered.
    """
    reported, excluded = _alone(model)
    if reported.interval is None:
        finding = f"underpowered: min_lower {threshold:g} needs {MIN_INTERVAL} patients"
        return _limit("min_lower", model, metric, threshold, reported, excluded, passed=None, finding=finding)
    passed = reported.interval.low - threshold >= -TOLERANCE
    sign = ">=" if passed else "<"
    finding = f"lower bound {number(reported.interval.low)} {sign} min_lower {threshold:g}"
    return _limit("min_lower", model, metric, threshold, reported, excluded, passed=passed, finding=finding)


def worst_at_least(model: PatientValues, *, metric: str, threshold: float) -> GateRecord:
    """Hold the patient with the smallest value to a limit: `min_patient`, value >= threshold."""
    reported, excluded = _alone(model)
    worst = min(defined(model).items(), key=lambda item: (item[1], item[0]), default=("", math.nan))
    passed = worst[1] - threshold >= -TOLERANCE
    sign = ">=" if passed else "<"
    finding = f"worst patient {worst[0]} {number(worst[1])} {sign} min_patient {threshold:g}"
    return _limit(
        "min_patient",
        model,
        metric,
        threshold,
        reported,
        excluded,
        passed=passed,
        finding=finding,
        estimate=worst[1],
    )


def _alone(model: PatientValues) -> tuple[Reported, tuple[str, ...]]:
    values = defined(model)
    return interval_for(values.values()), tuple(sorted(model.keys() - values.keys()))


def _limit(
    kind: Literal["min", "min_lower", "min_patient", "max"],
    model: PatientValues,
    metric: str,
    threshold: float,
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
        finding=finding,
        outcome=outcome,
        reported=reported,
        threshold=threshold,
        excluded=excluded,
        estimate=estimate,
    )
