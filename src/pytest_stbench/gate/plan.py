"""What a study of a given number of patients can decide, before anything is run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.gate.wording import asked, number, patients
from pytest_stbench.kernels.guarded import detectable_effect, steps

if TYPE_CHECKING:
    from pytest_stbench.gate.rules import Rule
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
    then = f"{claim} claim: {'fails as underpowered' if claim == 'population' else 'shown only'}"
    then = then if rules.gated else "no gate in the file: shown only"
    return tuple(_planned(rule, n, metric, then, sd) for rule in rules.each())


def _planned(rule: Rule, n: int, metric: str, then: str, sd: float | None) -> PlannedGate:
    effect = _effect(rule, n)
    return PlannedGate(
        kind=rule.kind,
        reference=rule.reference,
        n=n,
        needs=rule.needs,
        decidable=n >= rule.needs,
        offset=rule.limit,
        effect_sd=effect,
        effect=rule.limit + effect * sd if sd is not None and math.isfinite(effect) else None,
        message=f"{metric} {asked(rule)}: {_finding(rule, n, effect, then, sd)}",
    )


def _effect(rule: Rule, n: int) -> float:
    """Return how many SDs above the limit an estimate of `n` patients must lie."""
    if rule.strict:
        return detectable_effect(n)
    if rule.judges == "bound":
        return float(steps(n)) / math.sqrt(n) if n >= rule.needs else math.inf
    return 0.0 if n else math.inf


def _finding(rule: Rule, n: int, effect: float, then: str, sd: float | None) -> str:
    if n < rule.needs:
        text = f"cannot be decided, {n} of the {rule.needs} patients needed ({then})"
        if rule.kind != "beats":
            return text
        return f"{text}; {_smallest(rule, detectable_effect(rule.needs), rule.needs, sd)}"
    if not effect:
        return f"can be decided with {patients(n)}"
    return f"can be decided; {_smallest(rule, effect, n, sd)}"


def _smallest(rule: Rule, effect: float, n: int, sd: float | None) -> str:
    what = "mean paired difference" if rule.paired else "value"
    start = f"{rule.limit:g} + " if rule.limit else ""
    units = f" = {number(rule.limit + effect * sd)} at SD {number(sd)}" if sd is not None else ""
    return f"the smallest {what} that could pass with {patients(n)} is {start}{effect:.2f} SD{units}"
