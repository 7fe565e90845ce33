"""Rules on pooled scores: gates, verdicts, and what a study of a given size could show."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_stbench.gate.intervals import Reported, bound_for, interval_for, intervals_for
    from pytest_stbench.gate.limits import at_least, at_most, lower_at_least, worst_at_least
    from pytest_stbench.gate.margins import Floor, margin_floor
    from pytest_stbench.gate.plan import PlannedGate, plan_gates
    from pytest_stbench.gate.rules import beats, not_worse_than, patient_difference_at_least
    from pytest_stbench.gate.ruleset import Rules, required_references, rules_for
    from pytest_stbench.gate.standing import Stand, stand
    from pytest_stbench.gate.verdict import aggregate, apply_rules, judge
    from pytest_stbench.gate.within_slide import judge_within

_HOMES = {
    "Floor": "margins",
    "PlannedGate": "plan",
    "Reported": "intervals",
    "Rules": "ruleset",
    "Stand": "standing",
    "aggregate": "verdict",
    "apply_rules": "verdict",
    "at_least": "limits",
    "at_most": "limits",
    "beats": "rules",
    "bound_for": "intervals",
    "interval_for": "intervals",
    "intervals_for": "intervals",
    "judge": "verdict",
    "judge_within": "within_slide",
    "lower_at_least": "limits",
    "margin_floor": "margins",
    "not_worse_than": "rules",
    "patient_difference_at_least": "rules",
    "plan_gates": "plan",
    "required_references": "ruleset",
    "rules_for": "ruleset",
    "stand": "standing",
    "worst_at_least": "limits",
}
__all__ = [
    "Floor",
    "PlannedGate",
    "Reported",
    "Rules",
    "Stand",
    "aggregate",
    "apply_rules",
    "at_least",
    "at_most",
    "beats",
    "bound_for",
    "interval_for",
    "intervals_for",
    "judge",
    "judge_within",
    "lower_at_least",
    "margin_floor",
    "not_worse_than",
    "patient_difference_at_least",
    "plan_gates",
    "required_references",
    "rules_for",
    "stand",
    "worst_at_least",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
