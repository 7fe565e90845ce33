"""Rules on the paired differences to a reference: the one rule, and non-inferiority.

Every rule takes values by patient (None or nan where undefined) and returns a
:class:`~pytest_stbench.results.record.GateRecord` whose message is one complete line. A strict
comparison must hold by more than 1e-12, so that rounding errors pass nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.gate.entry import gate_record
from pytest_stbench.gate.intervals import MIN_INTERVAL, Reported, interval_for
from pytest_stbench.gate.pairing import PatientValues, paired
from pytest_stbench.gate.wording import by, difference, number
from pytest_stbench.kernels.detectable import smallest_detectable
from pytest_stbench.kernels.resampling import (
    ALPHA,
    MIN_PATIENTS,
    TOLERANCE,
    sign_flip_p,
    wilcoxon_p,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.results.record import GateRecord, Outcome


def beats(
    model: PatientValues,
    reference: PatientValues,
    *,
    metric: str,
    against: str,
    better: str,
    margin: float = 0.0,
) -> GateRecord:
    """Hold the model to the one rule against one reference.

    Passes when there are at least six patients, the studentised lower bound of the mean paired
    difference is above `margin`, and the two-sided sign-flip p of (difference - margin) is below
    .05. Below six patients no data could pass: underpowered. A failure is ``worse`` when the
    upper bound is below `margin`, else not shown.

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

    Raises
    ------
    StbenchError
        For a metric without a better direction.
    """
    pairs = paired(model, reference, metric=metric, better=better)
    d = pairs.differences
    reported = interval_for(d)
    p = sign_flip_p(d - margin) if reported.n >= MIN_INTERVAL else None
    smallest = None
    worse = False
    outcome: Outcome
    if reported.n == 0:
        outcome = "not_evaluable"
        finding = f"not evaluable against {against}: no patient has a value on both sides"
    elif reported.interval is None or reported.n < MIN_PATIENTS:
        outcome = "underpowered"
        smallest = smallest_detectable(d, margin=margin)
        finding = _underpowered(d, against, margin, smallest)
    elif reported.interval.low - margin > TOLERANCE and p is not None and p < ALPHA:
        outcome = "pass"
        over = f" (margin {margin:g})" if margin else ""
        finding = f"beats {against} by {difference(reported.mean, reported.interval)}{over}"
    else:
        outcome = "fail"
        worse = margin - reported.interval.high > TOLERANCE
        finding = f"{_short_of(reported, against, margin, worse=worse)} ({_evidence(reported, p)})"
    return gate_record(
        "beats",
        metric=metric,
        model=model,
        finding=finding,
        outcome=outcome,
        reported=reported,
        reference=against,
        margin=margin,
        p=p,
        wilcoxon=wilcoxon_p(d - margin) if reported.n >= MIN_PATIENTS else None,
        smallest=smallest,
        worse=worse,
        excluded=pairs.excluded,
    )


def not_worse_than(
    model: PatientValues, stored: PatientValues, *, metric: str, against: str, better: str, margin: float
) -> GateRecord:
    """Hold the model to non-inferiority against a stored run.

    Passes when there are at least six patients and the studentised lower bound of the mean
    paired difference is above -`margin`. Below six patients: underpowered.

    Parameters
    ----------
    model, stored
        Values by patient of the candidate and of the stored run, same folds.
    metric, against
        Names of the metric and of the stored run, for the message.
    better
        ``up`` or ``down``.
    margin
        What may be lost, >= 0, in the units of the metric.

    Raises
    ------
    StbenchError
        For a metric without a better direction.
    """
    pairs = paired(model, stored, metric=metric, better=better)
    reported = interval_for(pairs.differences)
    allowed = f"at most {margin:g} worse than {against}" if margin else f"better than {against}"
    worse = False
    outcome: Outcome
    if reported.n == 0:
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
        finding=finding,
        outcome=outcome,
        reported=reported,
        reference=against,
        margin=margin,
        worse=worse,
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
        return f"worse than {against} plus the margin of {margin:g}"
    return f"worse than {against}"


def _evidence(reported: Reported, p: float | None) -> str:
    tested = f", sign-flip p={p:.2g}" if p is not None else ""
    return f"difference {difference(reported.mean, reported.interval)}{tested}"
