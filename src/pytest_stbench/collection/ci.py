"""What CI shows beside its log: annotations on lines of task files, and the summary of a step on GitHub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.failures import first_line
from pytest_stbench.collection.plan_items import function_of, items_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

    from pytest_stbench.collection.reports import Gathered

ANNOTATED = 10
"""GitHub shows so many errors of a step."""
LONGEST = 900
"""Characters of the message of an annotation."""


def on_github() -> bool:
    """Return whether the run is a step of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def place_of_failure(item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:
    """Return where the task file says what failed: the gate or check, else what comes nearest."""
    items, function = items_of(item), function_of(item)
    file, line = function.place
    if function.metric is not None and function.name in items.task.spec.gates:
        file, line = items.task.line("gates", function.name)
    _, _, name = item.nodeid.rpartition("::")
    return {"file": str(file), "line": line, "name": name, "message": first_line(str(report.longreprtext))}


def annotation_lines(failures: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the commands by which GitHub marks lines of task files; those of one line are one."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    by_line: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for failure in failures:
        by_line.setdefault((failure["file"], failure["line"]), []).append(failure)
    lines = []
    for (file, line), found in by_line.items():
        path = Path(file)
        shown = path.relative_to(root) if path.is_relative_to(root) else path
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        place = f"file={_property(shown.as_posix())},line={line}"
        title = _property(f"{found[0]['name']}{more}")
        lines.append(f"::error {place},title={title}::{_message(found[0]['message'][:LONGEST])}")
    return lines


def write_ci(reporter: Any, gathered: Gathered, compared: Sequence[str]) -> None:
    """On GitHub, mark the lines of what failed and append to the summary of the step."""
    if not on_github():
        return
    lines = annotation_lines(gathered.failures)
    for line in lines[:ANNOTATED]:
        reporter.write_line(line)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    from pytest_stbench.collection.reports import results_of
    from pytest_stbench.report.step_summary import step_summary

    text = step_summary(results_of(gathered), gathered.ended, compared)
    try:
        with Path(summary).open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        reporter.write_line(f"the summary of the step cannot be written: {error.strerror or error}", red=True)


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
