"""What the items of a run told, gathered in the one process that reports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

KINDS = (
    "models", "tasks", "datasets", "checks", "scores", "verdicts", "lock", "contamination", "comparisons",
)  # fmt: skip


@dataclass(slots=True)
class Told:
    """What was told, in the order of the items in their task files, whoever reported first."""

    tally: dict[str, set[str]] = field(default_factory=dict)
    _heard: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, report: pytest.TestReport) -> None:
        """Take in what one report carries."""
        told: dict[str, Any] = getattr(report, "stbench", {})
        for kind, names in told.get("tally", {}).items():
            self.tally.setdefault(kind, set()).update(names)
        if "order" in told and any(told.get(kind) for kind in ("cause", "skipped", *KINDS)):
            self._heard.append(told)

    @property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """Records by kind."""
        in_order = self._in_order()
        return {kind: [record for told in in_order for record in told.get(kind, ())] for kind in KINDS}

    @property
    def blocked(self) -> dict[tuple[str, str], tuple[str, int]]:
        """Items held back, by task and cause: the message of the first, and how many."""
        found: dict[tuple[str, str], tuple[str, int]] = {}
        for told in self._in_order():
            if "cause" in told:
                key = (told["task"], told["cause"])
                detail, count = found.get(key, (told["detail"], 0))
                found[key] = (detail, count + 1)
        return found

    @property
    def skipped(self) -> dict[str, int]:
        """How many items were skipped, by reason."""
        return dict(Counter(told["skipped"] for told in self._in_order() if "skipped" in told))

    @property
    def ended(self) -> dict[tuple[str, ...], tuple[str, str]]:
        """How the item of each verdict ended, and what it says, by the key of the verdict."""
        return {
            tuple(key): (how, why) for told in self._in_order() for key, how, why in told.get("ended", ())
        }

    def _in_order(self) -> list[dict[str, Any]]:
        return sorted(self._heard, key=lambda told: told["order"])

    @property
    def empty(self) -> bool:
        """Whether no item of a task file reported."""
        return not self._heard
