"""Rules on what is scored and judged: metrics, baselines, gates, expected failures, checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_stbench.registry import SIMPLE, nearest
from pytest_stbench.spec.defaults import baselines_of, metrics_of
from pytest_stbench.spec.messages import allowed, unknown
from pytest_stbench.spec.rules.common import Known, Mistakes, Rule, listed_twice, parameters

if TYPE_CHECKING:
    from pytest_stbench.registry import Metric
    from pytest_stbench.spec.model import CheckSpec, GateSpec, TaskSpec
    from pytest_stbench.spec.yaml_lines import Key

SCORES = {
    "labels": ("labels", "clusters"),
    "detection": ("detection", "labels", "clusters"),
    "signatures": ("expression", "signatures"),
}
"""Which metrics (by what they need) can score what a family predicts, where that is not its like alone."""

LIMITS = ("min", "min_lower", "min_patient", "max")
COMPARISONS = ("beats", "not_worse_than", "min_patient_difference")
"""Rules that need a metric with a better direction."""


def _metrics(task: TaskSpec, known: Known) -> Mistakes:
    metrics = known.registry.metrics
    for index, metric in enumerate(task.metrics):
        key: Key = ("metrics", index)
        if metric.name and metric.name not in metrics:
            yield key, unknown("metric", metric.name, metrics.names)
        elif metric.name:
            yield from _fitting(key, task, metrics[metric.name], known)
            yield from parameters(key, metric.params, metrics[metric.name].params, f"metric {metric.name!r}")
    yield from listed_twice("metrics", [metric.name for metric in task.metrics])
    if task.primary is None:
        return
    if task.primary not in metrics:
        yield ("primary",), unknown("metric", task.primary, metrics.names)
    elif metrics[task.primary].better == "context":
        judged = [metric.name for metric in metrics if metric.better != "context"]
        message = f"metric {task.primary!r} has no better direction, so no model can be judged by it"
        yield ("primary",), f"{message}; {allowed(judged, task.primary)}"
    elif task.primary not in {metric.name for metric in task.metrics}:
        yield from _fitting(("primary",), task, metrics[task.primary], known)


def _fitting(key: Key, task: TaskSpec, metric: Metric, known: Known) -> Mistakes:
    """Yield a mistake for a metric that cannot score what models of the family predict."""
    family = known.family_of(task)
    unread = any(known.gone(task.family, key) for key in ("mode", "wraps"))
    if family is None or unread:
        return
    predicted = family.predicts
    if not _scores(metric, predicted):
        fitting = [other.name for other in known.registry.metrics if _scores(other, predicted)]
        message = f"metric {metric.name!r} scores {metric.needs}; models of this task predict {predicted}"
        yield key, f"{message}; {allowed(fitting, metric.name)}"


def _scores(metric: Metric, predicted: str) -> bool:
    """Return whether a metric can score what a family predicts.

    A signature is scored as a gene is; metrics over units, and of chosen sets of genes, have no
    meaning for it.
    """
    of_one_gene = metric.over == "gene" and metric.genes == "evaluated"
    if predicted == "signatures" and metric.needs == "expression" and not of_one_gene:
        return False
    return metric.needs in SCORES.get(predicted, (predicted,))


def _baselines(task: TaskSpec, known: Known) -> Mistakes:
    records = known.registry.baselines
    family = known.family_of(task)
    names = _baseline_names(task, known)
    for index, name in enumerate(task.baselines):
        key: Key = ("baselines", index)
        if name == SIMPLE:
            continue
        record = records.get(name)
        if record is None:
            yield key, unknown("baseline", name, names)
        elif family and not family.served_by(record):
            families = ", ".join(record.families) or "none"
            message = f"baseline {name!r} is not made for family {task.family!r}, only for {families}"
            yield key, f"{message}; {allowed(names, name)}"
    yield from listed_twice("baselines", list(task.baselines))


def _baseline_names(task: TaskSpec, known: Known) -> list[str]:
    """Return the baselines the family of `task` may list; all where the family is unknown."""
    records = known.registry.baselines
    family = known.family_of(task)
    fitting = [record.name for record in records if family is None or family.served_by(record)]
    return [SIMPLE, *(name for name in fitting if name != SIMPLE)]


def _scored(task: TaskSpec, known: Known) -> set[str] | None:
    """Return the names of the metrics that the file scores; None where that is not known."""
    family = known.family_of(task)
    if family is None or known.lacks("metrics") or any(not metric.name for metric in task.metrics):
        return None
    return {metric.name for metric in metrics_of(task, family)}


def _scored_key(key: Key, name: str, what: str, scored: set[str] | None, known: Known) -> Mistakes:
    if name not in known.registry.metrics:
        yield key, unknown("metric", name, sorted(scored or known.registry.metrics.names))
    elif scored is not None and name not in scored:
        message = f"{what} on a metric that the file does not score{nearest(name, scored)}: add it to metrics"
        yield key, f"{message}; {allowed(sorted(scored), name)}"


def _gates(task: TaskSpec, known: Known) -> Mistakes:
    scored = _scored(task, known)
    for name, gate in task.gates.items():
        key: Key = ("gates", name)
        yield from _scored_key(key, name, "a gate", scored, known)
        yield from _limits(key, gate, known)
        yield from _references(key, task, gate, known)
        if name in known.registry.metrics:
            yield from _direction(key, gate, known.registry.metrics[name])


def _limits(key: Key, gate: GateSpec, known: Known) -> Mistakes:
    if all(getattr(gate, field) is None for field in (*COMPARISONS, *LIMITS)) and not known.lacks(*key):
        yield key, f"a gate without a rule; {allowed((*COMPARISONS, *LIMITS))}"
    if gate.min is not None and gate.max is not None and gate.min > gate.max:
        yield (*key, "min"), f"min {gate.min:g} is above max {gate.max:g}: nothing can pass"


def _direction(key: Key, gate: GateSpec, metric: Metric) -> Mistakes:
    if metric.better == "context":
        for field in COMPARISONS:
            if getattr(gate, field) is not None:
                yield (
                    (*key, field),
                    f"metric {metric.name!r} has no better direction: use min, min_lower, min_patient or max",
                )
    if metric.better == "down":
        for field in ("min", "min_lower", "min_patient"):
            if getattr(gate, field) is not None:
                message = f"lower is better for {metric.name!r}, so a lower limit would ask for a bad score"
                yield (*key, field), f"{message}: use max or min_patient_difference"
    low, high = metric.bounds
    for field in LIMITS:
        limit = getattr(gate, field)
        if limit is not None and ((low is not None and limit < low) or (high is not None and limit > high)):
            lowest = "-inf" if low is None else f"{low:g}"
            highest = "inf" if high is None else f"{high:g}"
            yield (*key, field), f"found {limit:g}; {metric.name!r} ranges from {lowest} to {highest}"
    least = gate.min_patient_difference
    if least is not None and low is not None and high is not None and abs(least) > high - low:
        message = f"found {least:g}; two values of {metric.name!r} differ by {high - low:g} at most"
        yield (*key, "min_patient_difference"), message


def _references(key: Key, task: TaskSpec, gate: GateSpec, known: Known) -> Mistakes:
    family = known.family_of(task)
    for field in ("beats", "min_patient_difference"):
        named = gate.beats is not None and gate.beats.baselines is not None
        if getattr(gate, field) is not None and not named and family is not None and not family.rule:
            message = f"the family {family.name} requires no baseline, so name those to compare with"
            yield (*key, field), f"{message} under `beats: {{baselines: [...]}}`"
    if gate.beats is None or gate.beats.baselines is None:
        return
    key = (*key, "beats", "baselines")
    if not gate.beats.baselines and not known.lacks(*key):
        yield key, "is empty: name a baseline, or leave the key out for those that the family requires"
    for index, name in enumerate(gate.beats.baselines):
        if name != SIMPLE and name not in known.registry.baselines:
            yield (*key, index), unknown("baseline", name, _baseline_names(task, known))
        elif family and not known.lacks("baselines") and name not in (run := baselines_of(task, family)):
            yield (
                (*key, index),
                f"{name!r} is not among the baselines of this file: add it there; {allowed(run, name)}",
            )


def _xfail(task: TaskSpec, known: Known) -> Mistakes:
    scored = _scored(task, known)
    for name, reason in task.xfail.items():
        key: Key = ("xfail", name)
        wrong = list(_scored_key(key, name, "an expected failure", scored, known))
        yield from wrong
        if not wrong and name not in task.gates and not known.lacks("gates"):
            message = f"metric {name!r} has no gate in this file, so it cannot fail"
            yield key, f"{message}; {allowed(sorted(task.gates), name)}"
        if not reason.strip():
            yield key, "needs a reason: say why the gate is known to fail"


def _checks(task: TaskSpec, known: Known) -> Mistakes:
    checks = known.registry.checks
    for name, change in task.checks.items():
        key: Key = ("checks", name)
        if name not in checks:
            yield key, unknown("check", name, checks.names)
            continue
        defaults = checks[name].params
        yield from parameters(key, change.params, defaults, f"check {name!r}")
        yield from _reason(key, change, dict(defaults), known)


def _reason(key: Key, change: CheckSpec, defaults: dict[str, Any], known: Known) -> Mistakes:
    if known.lacks(*key, "reason"):
        return
    if change.reason is not None:
        if not change.reason.strip():
            yield (*key, "reason"), "is empty: say why the check is changed"
        return
    changed = [
        name for name, value in change.params.items() if name in defaults and _differs(defaults[name], value)
    ]
    if change.waive:
        yield (*key, "reason"), "is missing: a waived check needs a written reason"
    elif changed:
        yield (*key, "reason"), f"is missing: {', '.join(changed)} differs from the default, say why"


def _differs(default: Any, value: Any) -> bool:
    """Return whether `value` changes a threshold; of a mapping it may name some entries only."""
    if isinstance(default, Mapping) and isinstance(value, Mapping):
        return {**default, **value} != dict(default)
    if isinstance(default, list | tuple) and isinstance(value, list | tuple):
        return list(default) != list(value)
    return bool(default != value)


SCORE_RULES: tuple[Rule, ...] = (_metrics, _baselines, _gates, _xfail, _checks)
