"""Rules on pooled scores: gates, verdicts, and what a study of a given size could show."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_stbench.gate.intervals import Reported, interval_for
    from pytest_stbench.gate.limits import at_least, at_most, lower_at_least, worst_at_least
    from pytest_stbench.gate.plan import PlannedGate, plan_gates
    from pytest_stbench.gate.rules import beats, not_worse_than
    from pytest_stbench.gate.ruleset import Rules, refusals, required_references, rules_for
    from pytest_stbench.gate.verdict import aggregate, apply_rules, judge
    from pytest_stbench.gate.within_slide import judge_within

_HOMES = {
    "PlannedGate": "plan",
    "Reported": "intervals",
    "Rules": "ruleset",
    "aggregate": "verdict",
    "apply_rules": "verdict",
    "at_least": "limits",
    "at_most": "limits",
    "beats": "rules",
    "interval_for": "intervals",
    "judge": "verdict",
    "judge_within": "within_slide",
    "lower_at_least": "limits",
    "not_worse_than": "rules",
    "plan_gates": "plan",
    "refusals": "ruleset",
    "required_references": "ruleset",
    "rules_for": "ruleset",
    "worst_at_least": "limits",
}
__all__ = [
    "PlannedGate",
    "Reported",
    "Rules",
    "aggregate",
    "apply_rules",
    "at_least",
    "at_most",
    "beats",
    "interval_for",
    "judge",
    "judge_within",
    "lower_at_least",
    "not_worse_than",
    "plan_gates",
    "refusals",
    "required_references",
    "rules_for",
    "worst_at_least",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first asked for."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
