"""What is rendered of one source that ``stbench check`` judged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.results.check_record import LeftOutRecord
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.results.schema import Results

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.results.check_record import CheckRecord
    from pytest_stbench.results.provenance import DatasetRecord, RunRecord, TaskRecord
    from pytest_stbench.run.quality.slide_views import SlideView


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
    left_out: list[LeftOutRecord] = []
    for report in reports:
        left_out += [
            LeftOutRecord(source=report.title, kind="check", name=name, reason=reason)
            for name, reason in report.not_run.items()
        ]
        left_out += [
            LeftOutRecord(source=report.title, kind="data", name=name, reason=reason)
            for name, reason in report.unreadable.items()
        ]
    return replace(results, run=run, checklist=checklist_of(results), left_out=tuple(left_out)).to_dict()
