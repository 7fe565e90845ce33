"""What the items of a run told, gathered in the one process that reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

KINDS = ("models", "tasks", "datasets", "checks", "scores", "verdicts", "lock", "comparisons")


@dataclass(slots=True)
class Told:
    """Records by kind, in the order of the reports, and items held back by cause."""

    records: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    blocked: dict[str, tuple[str, int]] = field(default_factory=dict)
    tallies: dict[str, dict[str, Any]] = field(default_factory=dict)

    def hear(self, report: pytest.TestReport) -> None:
        """Take in what one report carries."""
        told: dict[str, Any] = getattr(report, "stbench", {})
        for kind in KINDS:
            self.records[kind].extend(told.get(kind, ()))
        if told.get("outcome") == "blocked" and report.when == "setup":
            detail, count = self.blocked.get(told["cause"], (told["detail"], 0))
            self.blocked[told["cause"]] = (detail, count + 1)
        if "tally" in told:
            self.tallies[told["tally"]["process"]] = told["tally"]

    @property
    def empty(self) -> bool:
        """Whether no item of a task file reported."""
        return not self.blocked and not any(self.records.values())
