"""What pytest itself writes of failed items, in lines that a log of CI or a viewer of junit can show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.failures import first_line
from pytest_stbench.report.width import CI_WIDTH, line_width, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

BEFORE = len("NOT EVALUABLE  - ")
"""Characters around the name of an item in the short summary."""
LEAST = 40


def shorten_title(report: pytest.TestReport) -> None:
    """Keep of the message of a failure what one line holds: the title in junit and in the short summary.

    The whole message stays the text of the failure.
    """
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return
    room = max(CI_WIDTH - BEFORE - len(report.nodeid), LEAST)
    title = first_line(crash.message)
    crash.message = title if len(title) <= room else f"{title[: room - 4].rstrip()} ..."


def break_lines(reporter: Any) -> None:
    """Break long lines of our messages of failures between words, where CI keeps a log of `reporter`."""
    width = None if reporter is None or reporter.isatty else line_width(watched=False)
    if width is None:
        return
    for report in [report for reports in reporter.stats.values() for report in reports]:
        if not hasattr(report, "stbench"):
            continue
        if isinstance(report.longrepr, str):
            report.longrepr = "\n".join(_broken(report.longrepr.splitlines(), width))
        traceback = getattr(report.longrepr, "reprtraceback", None)
        for entry in getattr(traceback, "reprentries", ()):
            if entry.style == "value":  # what was raised in somebody's code stays as it is
                entry.lines = _broken(entry.lines, width)


def _broken(lines: Sequence[str], width: int) -> list[str]:
    return [part for line in lines for part in wrapped(line, width=width)]
