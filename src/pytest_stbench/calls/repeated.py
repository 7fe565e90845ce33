"""Mistakes in ``fit`` that repeat: tried twice, not in every fold."""

from __future__ import annotations

from collections import defaultdict

from pytest_stbench.calls.failures import CellFailed, first_line

TIMES = 2
FIT = "fit"
"""The phase that is looked at."""


class RepeatedMistakes:
    """What a model's ``fit`` did wrong in the latest folds of a process, by model and group of folds."""

    def __init__(self) -> None:
        self._latest: defaultdict[str, list[str]] = defaultdict(list)

    def refuse(self, group: str, label: str) -> None:
        """Raise ``CellFailed`` where the latest folds of a group failed alike."""
        latest = self._latest[group]
        if len(latest) >= TIMES and len(set(latest[-TIMES:])) == 1:
            raise CellFailed(
                f"{label} was not tried: the two folds before failed alike, {latest[-1]}. Their items show "
                "where; --stbench-retry tries every fold"
            )

    def note(self, group: str, label: str, error: CellFailed | None) -> None:
        """Take in how the fold `label` ended: with an error, or None."""
        if error is None:
            self._latest[group].clear()
        elif error.phase == FIT:
            self._latest[group].append(first_line(error).removeprefix(label).lstrip(": "))
