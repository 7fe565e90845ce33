"""The sentences of gates: headline, finding of each rule, what is asked, and who is left out."""

from __future__ import annotations

import math
from statistics import stdev
from typing import TYPE_CHECKING

from pytest_stbench.gate.intervals import ANY, MIN_INTERVAL, Reported, interval_for
from pytest_stbench.kernels.guarded import MIN_PATIENTS, TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.gate.rules import Judged, Rule
    from pytest_stbench.kernels.mean_interval import Interval, Range

SHOWN_NAMES = 5
WITHIN_SLIDE = "within-slide, not generalisation"
"""What stands in the place of an interval on splits within slides."""
NO_RUN = "no earlier run was given: name one by --stbench-compare=FILE (--stbench-save=FILE writes it)"


def number(value: float, places: int = 3) -> str:
    """Return `value` with `places` decimals, or with few digits where it would print as zero."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 1e-12:
        return f"{0:.{places}f}"
    if abs(value) < 0.5 * 10**-places:
        return f"{value:.1g}"
    if abs(value) >= 1000:
        return f"{value:.4g}"
    return f"{value:.{places}f}"


def patients(n: int) -> str:
    """Return ``"6 patients"``."""
    return f"{n} patient" if n == 1 else f"{n} patients"


def headline(metric: str, values: Iterable[float | None], bounds: Range = ANY) -> str:
    """Return ``"spearman_gene 0.081 [0.02, 0.14] n=6 patients"`` for values by patient.

    The interval stays within `bounds`, the ends of the metric. Below four patients the smallest and the
    largest value stand in round brackets in its place.
    """
    reported = interval_for(values, bounds)
    if reported.n == 0:
        return f"{metric} undefined n=0 patients"
    return f"{metric} {number(reported.mean)}{_spread(reported)} n={patients(reported.n)}"


def difference(estimate: float, interval: Interval | None) -> str:
    """Return ``"0.027, guarded [0.021, 0.034]"``."""
    if interval is None:
        return number(estimate)
    name = ", guarded" if interval.method == "guarded" else ""
    return f"{number(estimate)}{name} [{number(interval.low)}, {number(interval.high)}]"


def left_out(names: tuple[str, ...]) -> str:
    """Return ``"; 1 patient without a value left out: P7"``, empty when there is none."""
    if not names:
        return ""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"; {patients(len(names))} without a value left out: {', '.join(names[:SHOWN_NAMES])}{more}"


def by(margin: float) -> str:
    """Return ``" by 0.02"``, empty for no margin."""
    return f" by {margin:.3g}" if margin else ""


def asked(rule: Rule) -> str:
    """Return what a rule asks: ``"beats ridge by 0.02"``, ``"min_lower 0.1"``."""
    if rule.strict:
        return f"{rule.kind} {rule.reference or 'the stored run'}{by(rule.margin)}"
    return f"{rule.kind} {rule.limit:g}{f' to {rule.reference}' if rule.reference else ''}"


def finding(rule: Rule, found: Judged) -> str:
    """Return what a rule found, without headline and patients left out."""
    if rule.kind == "not_worse_than" and not found.has_reference:
        why = f"not comparable with {found.against}: {found.refused}" if found.refused else NO_RUN
        return f"not_worse_than{by(rule.margin)} is not decided, {why}"
    if not found.values:
        if rule.paired:
            return f"not evaluable against {found.against}: no patient has a value on both sides"
        return "not evaluable: no patient has a value"
    if rule.kind == "beats":
        return _beats(rule, found)
    if rule.kind == "not_worse_than":
        return _not_worse_than(rule, found)
    return _limit(rule, found)


def _beats(rule: Rule, found: Judged) -> str:
    against, margin, reported = found.against, rule.margin, found.reported
    shown = difference(reported.mean, reported.interval)
    if found.outcome == "underpowered":
        return _underpowered(rule, found)
    if found.outcome == "pass":
        why = f", {rule.floor_why}" if rule.floor_why is not None else ""
        return f"beats {against} by {shown}" + (f" (margin {margin:.3g}{why})" if margin else "")
    if not found.worse:
        short = f"not shown to beat {against}{by(margin)}"
    elif reported.interval is not None and reported.interval.high > -TOLERANCE:
        short = f"worse than {against} plus the margin of {margin:.3g}"
    else:
        short = f"worse than {against}"
    return f"{short} (difference {shown}, p={found.p:.2g})"


def _underpowered(rule: Rule, found: Judged) -> str:
    d = list(found.values.values())
    text = f"underpowered: {len(d)} of the {rule.needs} patients needed to show that it {asked(rule)}"
    if len(d) >= MIN_INTERVAL:
        one_sided = min(d) - rule.limit > TOLERANCE or rule.limit - max(d) > TOLERANCE
        text += ", consistent direction" if one_sided else ", indistinguishable"
    if found.smallest is None or math.isnan(found.smallest):
        return f"{text}; one patient gives no SD"
    return (
        f"{text}; at the observed SD {number(stdev(d))} the smallest difference "
        f"{MIN_PATIENTS} patients would show is {number(found.smallest)}, here {number(found.reported.mean)}"
    )


def _not_worse_than(rule: Rule, found: Judged) -> str:
    against, margin = found.against, rule.margin
    allowed = f"at most {margin:.3g} worse than {against}" if margin else f"better than {against}"
    if found.outcome == "underpowered":
        allowed = f"underpowered: {rule.needs} patients are needed to show it {allowed}"
    elif found.worse:
        allowed = f"worse than {against}{by(margin)} or more"
    elif found.outcome == "fail":
        allowed = f"not shown to be {allowed}"
    return f"{allowed} (difference {difference(found.reported.mean, found.reported.interval)})"


def _limit(rule: Rule, found: Judged) -> str:
    if found.outcome == "underpowered":
        return f"underpowered: {asked(rule)} needs {rule.needs} patients"
    if found.outcome == "not_evaluable":
        return f"not evaluable: {found.against} has a value for patient {found.lost} and the model has none"
    what = f"estimate {number(found.value)}"
    if rule.judges == "bound":
        what = f"guarded lower bound {number(found.value)}"
    elif rule.paired:
        what = f"patient {found.patient} {number(found.value)} against {found.against}"
    elif rule.judges == "worst patient":
        what = f"worst patient {found.patient} {number(found.value)}"
    passed, failed = ("<=", ">") if rule.at_most else (">=", "<")
    return f"{what} {passed if found.outcome == 'pass' else failed} {rule.kind} {rule.limit:g}"


def _spread(reported: Reported) -> str:
    if reported.interval is not None:
        about = " (approximate)" if reported.interval.approximate else ""
        if reported.interval.flat:
            about = " (all patients equal: no width)"
        return f" [{number(reported.interval.low, 2)}, {number(reported.interval.high, 2)}]{about}"
    if reported.n > 1:
        return f" ({number(reported.smallest, 2)} to {number(reported.largest, 2)})"
    return ""
