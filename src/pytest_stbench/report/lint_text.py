"""What ``stbench check`` found, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.report.findings import (
    checklist_lines,
    concession_lines,
    counted,
    finding_line,
    further_lines,
)
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.results.schema import Results

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.report.lint import Report


WHOLE = "`--format json` or `html`"


def lint_text(reports: Iterable[Report]) -> str:
    """Return one section for each source: findings, waivers, checklist, and what was not judged."""
    return "\n\n".join("\n".join(_section(report)) for report in reports) + "\n"


def _section(report: Report) -> list[str]:
    lines = [f"{report.title}: {report.what}"]
    lines += [f"  note: {note}" for note in report.notes]
    lines += [f"  UNREADABLE  {name}: {why}" for name, why in report.unreadable.items()]
    lines.append(f"checks  {counted(report.checks)}")
    for check in report.checks:
        if check.status != "pass":
            lines.append(f"  {check.status.upper():4}  {finding_line(check)}")
            lines += [f"        {line}" for line in further_lines(check, WHOLE)]
    conceded = concession_lines(report.checks)
    if conceded:
        lines += ["waivers and changed thresholds", *(f"  {line}" for line in conceded)]
    results = Results(checks=report.checks, datasets=report.datasets, tasks=report.tasks)
    lines += checklist_lines(checklist_of(results))
    reasons: dict[str, list[str]] = {}
    for name, reason in report.not_run.items():
        reasons.setdefault(reason, []).append(name)
    lines += [f"not run ({reason}): {', '.join(names)}" for reason, names in reasons.items()]
    return lines
