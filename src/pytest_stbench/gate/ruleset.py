"""The rules that apply to one metric: those of the task file and the one rule of the primary metric."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_stbench.gate.margins import NO_FLOOR, Floor
from pytest_stbench.gate.rules import (
    Rule,
    at_least,
    at_most,
    beats,
    lower_at_least,
    not_worse_than,
    patient_difference_at_least,
    worst_at_least,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.registry import Family
    from pytest_stbench.spec.model import GateSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rules on the pooled score of one metric; what is None or empty is not asked.

    ``beats`` gives the margin over each reference, ``floor`` the least one of all of them; ``shown`` are
    further references of the one rule, which the primary metric is compared with though the file does not
    ask: they decide nothing. ``gated`` says whether the task file asks anything, so that the item can fail.
    ``min_patient_difference`` gives the smallest difference of a patient to each reference. All in the
    units of the metric.
    """

    beats: Mapping[str, float] = field(default_factory=dict)
    shown: Mapping[str, float] = field(default_factory=dict)
    floor: Floor = NO_FLOOR
    min_patient_difference: Mapping[str, float] = field(default_factory=dict)
    not_worse_than: float | None = None
    min: float | None = None
    min_lower: float | None = None
    min_patient: float | None = None
    max: float | None = None
    gated: bool = True

    @property
    def references(self) -> dict[str, float]:
        """Every reference that is compared with, and its margin."""
        return {**self.beats, **self.shown}

    @property
    def compares(self) -> bool:
        """Whether a rule is asked that needs patients as replicates."""
        return bool(self.beats or self.min_patient_difference) or not (
            self.not_worse_than is None and self.min_lower is None
        )

    def each(self) -> list[Rule]:
        """Return the rules one by one, those that decide first."""
        asked = [beats(name, margin, self.floor) for name, margin in self.beats.items()]
        asked += [patient_difference_at_least(*limit) for limit in self.min_patient_difference.items()]
        limits = (
            (not_worse_than, self.not_worse_than),
            (at_least, self.min),
            (lower_at_least, self.min_lower),
            (worst_at_least, self.min_patient),
            (at_most, self.max),
        )
        asked += [rule(limit) for rule, limit in limits if limit is not None]
        shown = [
            replace(beats(name, margin, self.floor), declared=False) for name, margin in self.shown.items()
        ]
        return [*(replace(rule, declared=self.gated) for rule in asked), *shown]


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
    floor: Floor = NO_FLOOR,
) -> Rules:
    """Return the rules on one metric.

    Parameters
    ----------
    gate
        What the task file says about the metric, or None.
    required
        Required references with their default margins, see :func:`required_references`.
    primary
        Whether this is the primary metric: it is held to every required reference. Where the file gates
        it, those the file does not name are shown and decide nothing.
    resolve
        What an alias in the file stands for, such as ``{"ridge": "he_colour"}``.
    floor
        The least margin of `beats`, see :func:`~pytest_stbench.gate.margins.margin_floor`.

    Returns
    -------
    Rules
        References in the order in which the file names them, or in that of `required`.
        ``min_patient_difference`` holds against every reference of ``beats``, and where there is none
        against the required ones.
    """
    held = dict(required) if primary else {}
    if gate is None:
        return Rules(beats=held, floor=floor, gated=False)
    names = resolve or {}
    beats: dict[str, float] = {}
    if gate.beats is not None:
        written = "margin" in gate.beats.model_fields_set
        named = gate.beats.baselines if gate.beats.baselines is not None else tuple(required)
        for name in (names.get(name, name) for name in named):
            beats[name] = gate.beats.margin if written else required.get(name, 0.0)
    limit = gate.min_patient_difference
    return Rules(
        beats=beats,
        shown={name: margin for name, margin in held.items() if name not in beats},
        floor=floor,
        min_patient_difference={} if limit is None else dict.fromkeys(beats or required, limit),
        not_worse_than=gate.not_worse_than.margin if gate.not_worse_than else None,
        min=gate.min,
        min_lower=gate.min_lower,
        min_patient=gate.min_patient,
        max=gate.max,
    )
