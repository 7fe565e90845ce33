"""Rules on the paired differences to a reference: the one rule, non-inferiority, and what one patient loses.

Every rule takes values by patient (None or nan where undefined) and returns a
:class:`~pytest_stbench.results.record.GateRecord` whose message is one complete line. A strict
comparison must hold by more than 1e-12, so that rounding errors pass nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.gate.entry import gate_record
from pytest_stbench.gate.intervals import ANY, MIN_INTERVAL, Reported, bound_for
from pytest_stbench.gate.margins import NO_FLOOR, Floor
from pytest_stbench.gate.pairing import PatientValues, defined, paired
from pytest_stbench.gate.wording import by, difference, number
from pytest_stbench.kernels.guarded import MIN_PATIENTS, TOLERANCE, smallest_detectable, wilcoxon_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.kernels.mean_interval import Range
    from pytest_stbench.results.record import GateRecord, Outcome

NO_RUN = "no earlier run was given: name one by --stbench-compare=FILE (--stbench-save=FILE writes it)"


def beats(
    model: PatientValues,
    reference: PatientValues,
    *,
    metric: str,
    against: str,
    better: str,
    margin: float = 0.0,
    floor: Floor = NO_FLOOR,
    bounds: Range = ANY,
) -> GateRecord:
    """Hold the model to the one rule against one reference.

    Passes when there are at least six patients and the guarded lower bound of the mean paired difference
    is above the margin. Below six patients no data could pass: underpowered. A failure is ``worse`` when
    the upper bound is below the margin, else not shown.

    Parameters
    ----------
    model, reference
        Values by patient, same folds.
    metric
        Name of the metric, for the message.
    against
        Name of the reference, for the message.
    better
        ``up`` or ``down``.
    margin
        What the difference must exceed, >= 0, in the units of the metric.
    floor
        The least margin: it holds where it is more than `margin`.
    bounds
        Lower and upper end of the metric, None for no end.

    Raises
    ------
    StbenchError
        For a metric without a better direction.
    """
    pairs = paired(model, reference, metric=metric, better=better)
    d = pairs.differences
    reported = bound_for(d)
    raised = floor.value > margin
    margin = max(margin, floor.value)
    p = float(reported.spread.p(margin)) if reported.spread else None
    smallest = None
    worse = False
    outcome: Outcome
    if reported.n == 0:
        outcome = "not_evaluable"
        finding = f"not evaluable against {against}: no patient has a value on both sides"
    elif reported.interval is None or p is None:
        outcome = "underpowered"
        smallest = smallest_detectable(d, margin=margin)
        finding = _underpowered(d, against, margin, smallest)
    elif reported.interval.low - margin > TOLERANCE:
        outcome = "pass"
        over = f" (margin {margin:.3g}{f', {floor.why}' if raised else ''})" if margin else ""
        finding = f"beats {against} by {difference(reported.mean, reported.interval)}{over}"
    else:
        outcome = "fail"
        worse = margin - reported.interval.high > TOLERANCE
        finding = f"{_short_of(reported, against, margin, worse=worse)} ({_evidence(reported, p)})"
    return gate_record(
        "beats",
        metric=metric,
        model=model,
        bounds=bounds,
        finding=finding,
        outcome=outcome,
        reported=reported,
        reference=against,
        margin=margin,
        margin_floor=floor.why if raised else None,
        p=p,
        wilcoxon=wilcoxon_p(d - margin) if reported.n >= MIN_INTERVAL else None,
        smallest=smallest,
        worse=worse,
        excluded=pairs.excluded,
    )


def not_worse_than(
    model: PatientValues,
    stored: PatientValues | None,
    *,
    metric: str,
    against: str,
    better: str,
    margin: float,
    refused: str = "",
    bounds: Range = ANY,
) -> GateRecord:
    """Hold the model to non-inferiority against a stored run.

    Passes when there are at least six patients and the guarded lower bound of the mean paired difference
    is above -`margin`. Below six patients: underpowered. Without a stored run nothing was shown: not
    evaluable.

    Parameters
    ----------
    model, stored
        Values by patient of the candidate and of the stored run, same folds; None where no run was given.
    metric, against
        Names of the metric and of the stored run, for the message.
    better
        ``up`` or ``down``.
    margin
        What may be lost, >= 0, in the units of the metric.
    refused
        Why a run that was given cannot be compared with.
    bounds
        Lower and upper end of the metric, None for no end.

    Raises
    ------
    StbenchError
        For a metric without a better direction.
    """
    pairs = paired(model, stored or {}, metric=metric, better=better)
    reported = bound_for(pairs.differences)
    allowed = f"at most {margin:.3g} worse than {against}" if margin else f"better than {against}"
    worse = False
    outcome: Outcome
    if stored is None:
        outcome = "not_evaluable"
        why = f"not comparable with {against}: {refused}" if refused else NO_RUN
        finding = f"not_worse_than{by(margin)} is not decided, {why}"
    elif reported.n == 0:
        outcome = "not_evaluable"
        finding = f"not evaluable against {against}: no patient has a value on both sides"
    elif reported.interval is None or reported.n < MIN_PATIENTS:
        outcome = "underpowered"
        shown = difference(reported.mean, reported.interval)
        finding = (
            f"underpowered: {MIN_PATIENTS} patients are needed to show it {allowed} (difference {shown})"
        )
    elif reported.interval.low + margin > TOLERANCE:
        outcome = "pass"
        finding = f"{allowed} (difference {difference(reported.mean, reported.interval)})"
    else:
        outcome = "fail"
        worse = -margin - reported.interval.high > TOLERANCE
        shown = difference(reported.mean, reported.interval)
        verb = f"worse than {against}{by(margin)} or more" if worse else f"not shown to be {allowed}"
        finding = f"{verb} (difference {shown})"
    return gate_record(
        "not_worse_than",
        metric=metric,
        model=model,
        bounds=bounds,
        finding=finding,
        outcome=outcome,
        reported=reported,
        reference=against if stored is not None else None,
        margin=margin,
        p=float(reported.spread.p(-margin)) if reported.spread else None,
        worse=worse,
        excluded=pairs.excluded if stored is not None else (),
    )


def patient_difference_at_least(
    model: PatientValues,
    reference: PatientValues,
    *,
    metric: str,
    against: str,
    better: str,
    threshold: float,
    bounds: Range = ANY,
) -> GateRecord:
    """Hold every patient's difference to a limit: `min_patient_difference`, difference >= threshold.

    It bounds what one patient may lose against a baseline, which no rule on the mean can. A patient whom
    the baseline has a value for and the model has none is not passed over: not evaluable.

    Parameters
    ----------
    model, reference
        Values by patient, same folds.
    metric, against
        Names of the metric and of the reference, for the message.
    better
        ``up`` or ``down``: a positive difference is in favour of the model.
    threshold
        The smallest difference allowed, in the units of the metric: -0.05 allows a loss of 0.05.
    bounds
        Lower and upper end of the metric, None for no end.

    Raises
    ------
    StbenchError
        For a metric without a better direction.
    """
    pairs = paired(model, reference, metric=metric, better=better)
    found = dict(zip(pairs.patients, pairs.differences.tolist(), strict=True))
    patient, least = min(found.items(), key=lambda item: (item[1], item[0]), default=("", math.nan))
    lost = sorted(defined(reference).keys() - defined(model).keys())
    outcome: Outcome = "pass" if least - threshold >= -TOLERANCE else "fail"
    sign = ">=" if outcome == "pass" else "<"
    finding = (
        f"patient {patient} {number(least)} against {against} {sign} min_patient_difference {threshold:g}"
    )
    if not found:
        outcome = "not_evaluable"
        finding = f"not evaluable against {against}: no patient has a value on both sides"
    elif lost and outcome == "pass":
        outcome = "not_evaluable"
        finding = f"not evaluable: {against} has a value for patient {lost[0]} and the model has none"
    return gate_record(
        "min_patient_difference",
        metric=metric,
        model=model,
        bounds=bounds,
        finding=finding,
        outcome=outcome,
        reported=bound_for(pairs.differences),
        reference=against,
        threshold=threshold,
        estimate=least,
        excluded=pairs.excluded,
    )


def _underpowered(d: NDArray[np.float64], against: str, margin: float, smallest: float) -> str:
    needed = f"{len(d)} of the {MIN_PATIENTS} patients needed"
    text = f"underpowered: {needed} to show that it beats {against}{by(margin)}"
    if len(d) >= MIN_INTERVAL:
        one_sided = bool(np.all(d - margin > TOLERANCE) or np.all(margin - d > TOLERANCE))
        text += ", consistent direction" if one_sided else ", indistinguishable"
    if math.isnan(smallest):
        return f"{text}; one patient gives no SD"
    return (
        f"{text}; at the observed SD {number(float(d.std(ddof=1)))} the smallest difference "
        f"{MIN_PATIENTS} patients would show is {number(smallest)}, here {number(float(d.mean()))}"
    )


def _short_of(reported: Reported, against: str, margin: float, *, worse: bool) -> str:
    if not worse:
        return f"not shown to beat {against}{by(margin)}"
    if reported.interval is not None and reported.interval.high > -TOLERANCE:
        return f"worse than {against} plus the margin of {margin:.3g}"
    return f"worse than {against}"


def _evidence(reported: Reported, p: float) -> str:
    return f"difference {difference(reported.mean, reported.interval)}, p={p:.2g}"
