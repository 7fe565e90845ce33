"""The rules that apply to one metric: those of the task file and the one rule of the primary metric."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_stbench.gate.pairing import no_direction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.registry import Family
    from pytest_stbench.spec.model import GateSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rules on the pooled score of one metric; what is None or empty is not asked.

    ``beats`` gives the margin over each reference. All in the units of the metric.
    """

    beats: Mapping[str, float] = field(default_factory=dict)
    not_worse_than: float | None = None
    min: float | None = None
    min_lower: float | None = None
    min_patient: float | None = None
    max: float | None = None


def required_references(family: Family, simple: str) -> dict[str, float]:
    """Return the references of the one rule with their default margins.

    They are the trivial baseline, the simple learned one (`simple`: what ``ridge`` stands for on
    the data at hand, with the margin of the family) and what the family requires beside them. A
    family without the rule has none.
    """
    if not family.rule:
        return {}
    return {family.trivial: 0.0, **dict.fromkeys(family.required, 0.0), simple: family.margin}


def rules_for(
    gate: GateSpec | None,
    *,
    required: Mapping[str, float],
    primary: bool,
    resolve: Mapping[str, str] | None = None,
) -> Rules:
    """Return the rules on one metric.

    Parameters
    ----------
    gate
        What the task file says about the metric, or None.
    required
        Required references with their default margins, see :func:`required_references`.
    primary
        Whether this is the primary metric: it is held to every required reference, whatever the
        file says; the file can set their margins and add references.
    resolve
        What an alias in the file stands for, such as ``{"ridge": "he_colour"}``.

    Returns
    -------
    Rules
        References in the order of `required`, then those the file adds.
    """
    names = resolve or {}
    margins = dict(required) if primary else {}
    if gate is None:
        return Rules(beats=margins)
    if gate.beats is not None:
        written = "margin" in gate.beats.model_fields_set
        named = gate.beats.baselines if gate.beats.baselines is not None else tuple(required)
        for name in (names.get(name, name) for name in named):
            margins[name] = gate.beats.margin if written else required.get(name, 0.0)
    return Rules(
        beats=margins,
        not_worse_than=gate.not_worse_than.margin if gate.not_worse_than else None,
        min=gate.min,
        min_lower=gate.min_lower,
        min_patient=gate.min_patient,
        max=gate.max,
    )


def refusals(gate: GateSpec, *, metric: str, better: str, primary: bool = False) -> list[str]:
    """Return why rules of a task file make no sense for a metric, one line each.

    A metric that gives context cannot be beaten, so it is no primary metric either; one where
    lower is better has no lower limit worth asking for.
    """
    lines: list[str] = []
    if better == "context":
        asked = [name for name in ("beats", "not_worse_than") if getattr(gate, name) is not None]
        asked += ["primary"] if primary else []
        lines += [f"{name}: {no_direction(metric)}" for name in asked]
    if better == "down":
        lines += [
            f"{name}: lower is better for {metric}, so a lower limit would ask for a bad score: use `max`"
            for name in ("min", "min_lower", "min_patient")
            if getattr(gate, name) is not None
        ]
    return lines
