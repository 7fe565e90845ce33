"""User properties of an item: flat names, builtin scalars, one place that writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_stbench.results.record import ScoreRecord

PREFIX = "stbench."
SCORE_FIELDS = (
    "task", "family", "dataset", "variant", "split", "fold", "seed", "model", "metric", "value", "ci_low",
    "ci_high", "n_patients", "n_units", "n_genes", "trivial", "baseline", "ceiling", "skill", "organ",
    "disease", "technology", "resolution", "input_class",
)  # fmt: skip


def score_properties(record: ScoreRecord) -> dict[str, Any]:
    """Return the properties of a score."""
    found = {name: getattr(record, name) for name in SCORE_FIELDS}
    counted = record.undefined or {}
    found["undefined"] = ",".join(f"{reason}:{count}" for reason, count in counted.items())
    return found


def add_properties(item: pytest.Item, properties: Mapping[str, Any]) -> None:
    """Append to the item's user properties what is known; None and nan stand for not known."""
    for name, value in properties.items():
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        item.user_properties.append((PREFIX + name, value))
