"""What ``stbench check`` found in its sources, as text and as a results file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pytest_stbench.report.findings import (
    checklist_lines,
    concession_lines,
    counted,
    finding_line,
    further_lines,
)
from pytest_stbench.results.check_record import LeftOutRecord
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.results.schema import Results

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.results.check_record import CheckRecord
    from pytest_stbench.results.provenance import DatasetRecord, RunRecord, TaskRecord
    from pytest_stbench.run.quality.slide_views import SlideView

WHOLE = "`--format json` or `html`"
KINDS_LEFT_OUT: tuple[tuple[Literal["check", "data"], str], ...] = (
    ("check", "not_run"),
    ("data", "unreadable"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One source: its name and kind, records, notes, and what was not run or not read, with reasons."""

    title: str
    what: str
    checks: tuple[CheckRecord, ...] = ()
    datasets: tuple[DatasetRecord, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    notes: tuple[str, ...] = ()
    not_run: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    views: tuple[SlideView, ...] = ()

    @property
    def results(self) -> Results:
        """The records as a results file has them."""
        return Results(checks=self.checks, datasets=self.datasets, tasks=self.tasks)

    @property
    def not_run_by_reason(self) -> dict[str, list[str]]:
        """The checks that were not run, by the reason."""
        found: dict[str, list[str]] = {}
        for name, reason in self.not_run.items():
            found.setdefault(reason, []).append(name)
        return found

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(check.status == "fail" for check in self.checks)


def lint_data(reports: Iterable[Report], run: RunRecord | None = None) -> dict[str, Any]:
    """Return everything as a results file (``stbench-results/1``), with what is left out."""
    reports = list(reports)
    results = Results(
        checks=tuple(check for report in reports for check in report.checks),
        datasets=tuple(dataset for report in reports for dataset in report.datasets),
        tasks=tuple(task for report in reports for task in report.tasks),
    )
    left_out = tuple(
        LeftOutRecord(source=report.title, kind=kind, name=name, reason=reason)
        for report in reports
        for kind, named in KINDS_LEFT_OUT
        for name, reason in getattr(report, named).items()
    )
    return replace(results, run=run, checklist=checklist_of(results), left_out=left_out).to_dict()


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
    lines += checklist_lines(checklist_of(report.results))
    not_run = report.not_run_by_reason.items()
    return [*lines, *(f"not run ({reason}): {', '.join(names)}" for reason, names in not_run)]
