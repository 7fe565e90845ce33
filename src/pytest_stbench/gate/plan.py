"""What a study of a given number of patients can decide, before anything is run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.gate.intervals import MIN_INTERVAL
from pytest_stbench.gate.wording import by, number, patients
from pytest_stbench.kernels.guarded import MIN_PATIENTS, detectable_effect, steps

if TYPE_CHECKING:
    from pytest_stbench.gate.ruleset import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedGate:
    """Whether one rule can be decided with the patients at hand.

    ``offset`` and ``effect_sd`` give the smallest estimate that could pass: offset + effect_sd
    SDs, the SD being that of the paired differences over patients (of the patient values for
    ``min_lower``); ``effect`` is the same in the units of the metric when an SD was supplied.
    ``effect_sd`` is 0 for rules on the estimate alone, inf where nothing could pass.
    """

    kind: str
    reference: str | None
    n: int
    needs: int
    decidable: bool
    offset: float
    effect_sd: float
    effect: float | None
    message: str


def plan_gates(
    n: int, rules: Rules, *, metric: str, claim: str = "population", sd: float | None = None
) -> tuple[PlannedGate, ...]:
    """Return for each rule whether `n` test patients can decide it and what could pass.

    The smallest effects are those of patients without skew
    (:func:`~pytest_stbench.kernels.guarded.detectable_effect`): what must be seen to pass, not an effect
    found with a stated power. The least margin that the run will ask for is known only with the scores of
    T and S: it is in ``rules.floor`` where an earlier run tells them.

    Parameters
    ----------
    n
        Number of test patients with a value.
    rules
        The rules on the metric.
    metric
        Name of the metric, for the messages.
    claim
        ``population`` (an undecided rule fails) or ``exploratory`` (it is shown only).
    sd
        SD over patients, in the units of the metric, of an earlier run if there is one.
    """
    wanted: list[tuple[str, str | None, int, float, float, str]] = [
        ("beats", name, MIN_PATIENTS, margin, detectable_effect(n), f"beats {name}{by(margin)}")
        for name, margin in ((name, max(own, rules.floor.value)) for name, own in rules.references.items())
    ]
    wanted += [
        ("min_patient_difference", name, 1, limit, _any(n), f"min_patient_difference {limit:g} to {name}")
        for name, limit in rules.min_patient_difference.items()
    ]
    if rules.not_worse_than is not None:
        margin = rules.not_worse_than
        text = f"not_worse_than the stored run{by(margin)}"
        wanted.append(("not_worse_than", None, MIN_PATIENTS, -margin, detectable_effect(n), text))
    if rules.min_lower is not None:
        text = f"min_lower {rules.min_lower:g}"
        wanted.append(("min_lower", None, MIN_INTERVAL, rules.min_lower, _interval_distance(n), text))
    for kind, limit in (("min", rules.min), ("min_patient", rules.min_patient), ("max", rules.max)):
        if limit is not None:
            wanted.append((kind, None, 1, limit, _any(n), f"{kind} {limit:g}"))
    then = f"{claim} claim: {'fails as underpowered' if claim == 'population' else 'shown only'}"
    then = then if rules.gated else "no gate in the file: shown only"
    return tuple(
        PlannedGate(
            kind=kind,
            reference=reference,
            n=n,
            needs=needs,
            decidable=n >= needs,
            offset=offset,
            effect_sd=effect,
            effect=offset + effect * sd if sd is not None and math.isfinite(effect) else None,
            message=f"{metric} {text}: {_finding(n, needs, kind, offset, effect, then, sd)}",
        )
        for kind, reference, needs, offset, effect, text in wanted
    )


def _any(n: int) -> float:
    """Rules on estimates need one patient, and ask for no distance from their limit."""
    return 0.0 if n else math.inf


def _interval_distance(n: int) -> float:
    return float(steps(n)) / math.sqrt(n) if n >= MIN_INTERVAL else math.inf


def _finding(n: int, needs: int, kind: str, offset: float, effect: float, then: str, sd: float | None) -> str:
    if n < needs:
        text = f"cannot be decided, {n} of the {needs} patients needed ({then})"
        if kind != "beats":
            return text
        return f"{text}; {_smallest(kind, offset, detectable_effect(needs), needs, sd)}"
    if not effect:
        return f"can be decided with {patients(n)}"
    return f"can be decided; {_smallest(kind, offset, effect, n, sd)}"


def _smallest(kind: str, offset: float, effect: float, n: int, sd: float | None) -> str:
    what = "value" if kind == "min_lower" else "mean paired difference"
    start = f"{offset:g} + " if offset else ""
    units = f" = {number(offset + effect * sd)} at SD {number(sd)}" if sd is not None else ""
    return f"the smallest {what} that could pass with {patients(n)} is {start}{effect:.2f} SD{units}"
