"""User properties of an item: flat names, builtin scalars, one place that writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_stbench.results.record import ScoreRecord, VerdictRecord

PREFIX = "stbench."
DIGITS, LONGEST = 6, 100
"""Significant digits of numbers and characters of texts."""
SCORE_FIELDS = (
    "task", "family", "dataset", "variant", "split", "fold", "seed", "model", "metric", "value", "ci_low",
    "ci_high", "n_patients", "n_units", "n_genes", "trivial", "baseline", "ceiling", "skill", "standing",
    "monte_carlo_se", "ceiling_se", "organ", "disease", "technology", "resolution", "input_class",
)  # fmt: skip

GATE_FIELDS = ("verdict", "difference", "difference_low", "margin", "against")


def score_properties(record: ScoreRecord) -> dict[str, Any]:
    """Return the properties of a score."""
    found = {name: getattr(record, name) for name in SCORE_FIELDS}
    counted = record.undefined or {}
    found["undefined"] = ",".join(f"{reason}:{count}" for reason, count in counted.items())
    return found


def gate_properties(verdict: VerdictRecord) -> dict[str, Any]:
    """Return the properties of a gated score: its verdict, and the comparison that decided it."""
    compared = [gate for gate in verdict.gates if gate.declared and gate.kind in ("beats", "not_worse_than")]
    decided = [gate for gate in compared if gate.message == verdict.message] or compared
    gate = decided[0] if decided else None
    values = (gate.estimate, gate.low, gate.margin, gate.reference) if gate else (None,) * 4
    return dict(zip(GATE_FIELDS, (verdict.verdict, *values), strict=True))


def add_properties(item: pytest.Item, properties: Mapping[str, Any]) -> None:
    """Append to the item's user properties what is known, short enough for a viewer of junit.

    None and nan stand for not known. The results file has all digits and whole texts.
    """
    for name, value in properties.items():
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        item.user_properties.append((PREFIX + name, _short(value)))


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[: LONGEST - 4]} ..."
    return value
