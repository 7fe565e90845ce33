"""Outcomes of items: the exceptions that make them, the letters that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

PAYLOAD: pytest.StashKey[dict[str, Any]] = pytest.StashKey()

NOT_EVALUABLE = "not evaluable"
LETTERS: Mapping[str, tuple[str, tuple[str, dict[str, bool]]]] = {
    "blocked": ("B", ("BLOCKED", {"red": True})),
    "underpowered": ("U", ("UNDERPOWERED", {"yellow": True})),
    NOT_EVALUABLE: ("N", ("NOT EVALUABLE", {"yellow": True})),
}


class ItemFailed(pytest.fail.Exception):  # type: ignore[misc, name-defined]  # set on the function by pytest
    """An item that failed with a message of ours and no traceback."""

    # Shown in short summaries before the message; pytest's own outcomes do the same.
    __module__ = "builtins"

    def __init__(self, message: str) -> None:
        super().__init__(msg=message, pytrace=False)


class GateNotMet(ItemFailed):
    """A score that does not meet its gate; raised by gates alone."""

    __module__ = "builtins"


class GateUndecided(ItemFailed):
    """A gate that no data of this size could decide, under a population claim."""

    __module__ = "builtins"


class BlockedItem(ItemFailed):
    """An item that was not measured because something before it failed: `cause`, with its message."""

    __module__ = "builtins"

    def __init__(self, *, cause: str, detail: str) -> None:
        self.cause = cause
        self.detail = detail
        super().__init__(f"blocked by {cause}: {detail}")


def payload(item: pytest.Item) -> dict[str, Any]:
    """Return what the item has to tell beyond its outcome: builtin values only."""
    return item.stash.setdefault(PAYLOAD, {})


RERUN = "rerun"
"""Outcome of a report after which pytest-rerunfailures runs the item again: another one will tell."""


def status(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Return category, letter and word of a report of ours, None where pytest's own are right."""
    told: dict[str, Any] = getattr(report, "stbench", {})
    outcome = str(told.get("outcome", ""))
    if outcome not in LETTERS or hasattr(report, "wasxfail") or report.outcome == RERUN:
        return None
    if report.when != ("setup" if outcome == "blocked" else "call"):
        return None
    letter, word = LETTERS[outcome]
    return outcome, letter, word
