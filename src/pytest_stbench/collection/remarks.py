"""Warnings of this package: from the line they are about, once in a run, as wide as the terminal."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from pytest_stbench.collection.item_outcomes import ItemFailed
from pytest_stbench.errors import CheckWarning, StbenchWarning
from pytest_stbench.report.width import line_width, wrapped
from pytest_stbench.spec import TASK_SUFFIX

INDENT = 2
"""Columns that pytest puts before a warning."""
AS_ERROR = "(warnings are errors in this run)"
SAID: pytest.StashKey[set[tuple[str, str]]] = pytest.StashKey()


def warn(item: pytest.Item, message: str, category: type[StbenchWarning] = StbenchWarning) -> None:
    """Warn from the line of the task file that the item stands for."""
    file, line, _ = item.location
    try:
        warnings.warn_explicit(message, category, file, (line or 0) + 1)
    except StbenchWarning:
        raise ItemFailed(f"{message} {AS_ERROR}") from None


def say_once(reporter: Any, config: pytest.Config, warning: warnings.WarningMessage) -> None:
    """Leave the latest warning of `reporter` out where its words were said, else make it readable.

    What a check warns of is said by the summary, with its statistic and what to do. Items of several folds
    and the processes of ``-n`` meet the same thing; that a file of this package noticed it helps nobody.
    """
    reports = reporter.stats.get("warnings")
    if not reports:
        return
    said = config.stash.setdefault(SAID, set())
    name, text = warning.category.__name__, str(warning.message)
    if (name, text) in said or issubclass(warning.category, CheckWarning):
        reports.pop()
        return
    said.add((name, text))
    place = f"{warning.filename}:{warning.lineno}: " if warning.filename.endswith(TASK_SUFFIX) else ""
    lines = [f"{place}{name}: {text}"]
    width = line_width(watched=reporter.isatty)
    reports[-1].message = "\n".join(wrapped(lines[0], INDENT, width) if width else lines)
