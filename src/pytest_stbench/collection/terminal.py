"""The summary at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.failures import first_line
from pytest_stbench.checks.wording import count
from pytest_stbench.collection.ci import write_ci
from pytest_stbench.collection.keep_option import KEEP_ERROR
from pytest_stbench.collection.reports import (
    SAVE_ERROR,
    UNAPPLIED,
    UPDATE_ERROR,
    gathered_of,
    results_of,
    save_path,
)
from pytest_stbench.collection.trial_option import trial_lines
from pytest_stbench.report.comparing.told import told_lines
from pytest_stbench.report.depth import depth_lines
from pytest_stbench.report.findings import check_name, checklist_lines
from pytest_stbench.report.summary import check_lines, scored_lines
from pytest_stbench.report.tables import make_tables
from pytest_stbench.report.verdicts import several_lines
from pytest_stbench.report.width import line_width, wrapped
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.run.settings import IN_PROCESS_PLUGIN

if TYPE_CHECKING:
    import pytest

    from pytest_stbench.collection.reports import Gathered
    from pytest_stbench.results.check_record import CheckRecord

AS_PAGE = "to see it as a page: the same command with --stbench-report=report.html"


def write_summary(reporter: Any, config: pytest.Config) -> None:
    """Write tables, verdicts, checks, comparisons and what the store did."""
    width = line_width(watched=reporter.isatty)
    whole = reporter
    reporter = _Wrapped(reporter, width) if width else reporter
    gathered = gathered_of(config)
    results = results_of(gathered)
    tasks = {task.name: task for task in results.tasks}
    tables = make_tables(results)
    titled = ""
    for table in tables:
        task = tasks.get(table.place[0])
        if task is None:
            continue
        if task.name != titled:
            reporter.section(f"stbench: {task.name} v{task.version}")
            titled = task.name
        for line, markup in scored_lines(table, task, results, ended=gathered.ended, width=width):
            reporter.write_line(line, **markup)
    for line in several_lines(results.verdicts):
        reporter.write_line(line)
    if not tables:
        reporter.section("stbench")
    for line in trial_lines(gathered.tried):
        reporter.write_line(line)
    for line in depth_lines(results.datasets, width):
        reporter.write_line(line)
    for line, markup in check_lines(results.checks, gathered.blocked):
        reporter.write_line(line, **markup)
    if not tables:
        for line in checklist_lines(checklist_of(results)):
            reporter.write_line(line)
    _write_blocked(reporter, gathered, results.checks)
    for reason, n in gathered.skipped.items():
        reporter.write_line(f"skipped {count(n, 'item')}: {first_line(reason)}")
    compared = list(told_lines(gathered.records["comparisons"]))
    for line, markup in compared:
        reporter.write_line(line, **markup)
    for text in config.stash.get(UNAPPLIED, []):
        reporter.write_line(f"gate    {text} was applied to no score of this run: it is not passed", red=True)
    _write_store(reporter, config, gathered)
    asked = config.getoption("stbench_save") or config.getoption("stbench_report")
    if tables and not asked:
        reporter.write_line(AS_PAGE)
    write_ci(whole, gathered, [line for line, _ in compared])


class _Wrapped:
    """A reporter that breaks long lines between words; tables fit already."""

    def __init__(self, reporter: Any, width: int) -> None:
        self._reporter, self._width = reporter, width

    def section(self, title: str) -> None:
        self._reporter.section(title)

    def write_line(self, line: str, **markup: bool) -> None:
        for part in wrapped(line, width=self._width):
            self._reporter.write_line(part, **markup)


def _write_blocked(reporter: Any, gathered: Gathered, checks: tuple[CheckRecord, ...]) -> None:
    """One line per cause that no line above stands for; a cause of several tasks is one."""
    shown = {(check.task, check_name(check)) for check in checks if check.status != "pass"}
    counts: dict[tuple[str, str], int] = {}
    for (task, cause), (detail, n) in gathered.blocked.items():
        if (task, cause) not in shown:
            key = (cause, first_line(detail))
            counts[key] = counts.get(key, 0) + n
    for (cause, detail), n in counts.items():
        reporter.write_line(f"blocked {count(n, 'item')} by {cause}: {detail}", red=True)


def _write_store(reporter: Any, config: pytest.Config, gathered: Gathered) -> None:
    computed, found, memory_only = (
        gathered.tally.get(k, set()) for k in ("computed", "reused", "memory_only")
    )
    # What one process of the run has computed and another one has read is none of an earlier run.
    reused = found - computed
    store = config.getoption("stbench_store")
    if computed or reused:
        reporter.write_line(f"store   {store}: {len(computed)} cells computed, {len(reused)} reused")
    for label in sorted(memory_only):
        reporter.write_line(
            f"store   {label} has no identity (attributes `name` and `revision`): its predictions are not "
            "kept and are computed again by the next run"
        )
    if SAVE_ERROR in config.stash:
        reporter.write_line(f"results NOT saved: {config.stash[SAVE_ERROR]}", red=True, bold=True)
    elif config.getoption("stbench_save") and not config.pluginmanager.has_plugin(IN_PROCESS_PLUGIN):
        reporter.write_line(f"results saved to {save_path(config)}")
        if not config.getoption("stbench_report"):
            reporter.write_line("to see them: stbench report FILE -o report.html, with that file")
    if UPDATE_ERROR in config.stash:
        message = f"results are saved as they were: {config.stash[UPDATE_ERROR]}"
        reporter.write_line(message, red=True, bold=True)
    if KEEP_ERROR in config.stash:
        reporter.write_line(f"kept    NOT all: {config.stash[KEEP_ERROR]}", red=True, bold=True)
