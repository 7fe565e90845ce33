"""The summary at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.failures import first_line
from pytest_stbench.checks.wording import count
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
from pytest_stbench.gate.wording import WITHIN_SLIDE
from pytest_stbench.report.depth import depth_lines
from pytest_stbench.report.findings import (
    SAVED,
    check_name,
    checklist_lines,
    concession_lines,
    counted,
    finding_line,
    further_lines,
)
from pytest_stbench.report.tables import in_words, make_tables, table_lines, undefined_line
from pytest_stbench.report.verdicts import PASSED, several_lines, shown, verdict_lines
from pytest_stbench.report.width import terminal_width, wrapped
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.settings import IN_PROCESS_PLUGIN

if TYPE_CHECKING:
    import pytest

    from pytest_stbench.collection.reports import Gathered
    from pytest_stbench.report.tables import Table
    from pytest_stbench.results.check_record import CheckRecord
    from pytest_stbench.results.provenance import TaskRecord
    from pytest_stbench.results.schema import Results

CHANGES_SHOWN = 3
AS_PAGE = "to see it as a page: the same command with --stbench-report=report.html"


def write_summary(reporter: Any, config: pytest.Config) -> None:
    """Write tables, verdicts, checks, comparisons and what the store did."""
    width = terminal_width() if reporter.isatty else None
    reporter = _Wrapped(reporter) if reporter.isatty else reporter
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
        _write_table(reporter, table, task, results, gathered, width)
    for line in several_lines(results.verdicts):
        reporter.write_line(line)
    if not tables:
        reporter.section("stbench")
    for line in trial_lines(gathered.tried):
        reporter.write_line(line)
    for line in depth_lines(results.datasets, width):
        reporter.write_line(line)
    _write_checks(reporter, results.checks, gathered)
    if not tables:
        for line in checklist_lines(checklist_of(results)):
            reporter.write_line(line)
    _write_blocked(reporter, gathered, results.checks)
    for reason, n in gathered.skipped.items():
        reporter.write_line(f"skipped {count(n, 'item')}: {first_line(reason)}")
    _write_comparisons(reporter, gathered)
    for text in config.stash.get(UNAPPLIED, []):
        reporter.write_line(f"gate    {text} was applied to no score of this run: it is not passed", red=True)
    _write_store(reporter, config, gathered)
    asked = config.getoption("stbench_save") or config.getoption("stbench_report")
    if tables and not asked:
        reporter.write_line(AS_PAGE)


class _Wrapped:
    """A reporter that breaks long lines between words; tables fit already."""

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter

    def section(self, title: str) -> None:
        self._reporter.section(title)

    def write_line(self, line: str, **markup: bool) -> None:
        for part in wrapped(line):
            self._reporter.write_line(part, **markup)


def _write_table(
    reporter: Any, table: Table, task: TaskRecord, results: Results, gathered: Gathered, width: int | None
) -> None:
    registry = builtin_registry()
    family = registry.families[task.wraps or task.family]
    _, dataset, variant, split = table.place
    views = (f"{dataset}+{variant}", dataset)
    found = {d.name: d for d in results.datasets if d.task == task.name}
    facts = next((found[view] for view in views if view in found), None)
    head = [task.family, f"{task.claim} claim", f"{dataset}{f'+{variant}' if variant else ''}"]
    if facts is not None:
        head += [
            count(len(set(facts.patients.values())), "patient"),
            count(facts.n_slides, "slide"),
            count(facts.n_units, "unit"),
        ]
    genes = table.scores[0].n_genes
    scored = "signatures" if family.predicts == "signatures" else "genes"
    head += [f"{genes} {scored}"] if genes is not None else []
    within = any(lock.split == split and set(lock.train) & set(lock.test) for lock in results.lock)
    reporter.write_line(", ".join([*head, f"{split} ({WITHIN_SLIDE})" if within else split]))
    ladder_names = {name for scores in table.ladder.values() for name in scores}
    simple = next((name for name in family.simple if name in ladder_names), "")
    reporter.write_line(f"model {_model(table.model, results)}   T = {family.trivial}   S = {simple}")
    ended = gathered.ended
    for line in table_lines(table, task.primary, family.trivial, simple, ended, width and width - 2):
        reporter.write_line(f"  {line}")
    for verdict in table.verdicts.values():
        for rule in verdict_lines(verdict, ended.get(verdict.key, PASSED)):
            text, markup = shown(rule)
            reporter.write_line(f"  {text}", **markup)
    words = in_words(table, task.primary, family.trivial, simple, within=within)
    if words:
        reporter.write_line(f"  in words: {words}")
    counted = undefined_line(score for score in table.scores if score.metric == task.primary)
    if counted:
        reporter.write_line(f"  undefined    {counted}")
    reporter.write_line("")


def _model(name: str, results: Results) -> str:
    record = next((model for model in results.models if model.name == name), None)
    if record is None:
        return name
    named = " ".join(filter(None, (record.own_name or name, record.revision)))
    further = [f"given as {name}"] if record.own_name not in (None, name) else []
    further += [f"names of units {record.unit_names}"] if record.unit_names else []
    return f"{named} ({', '.join(further)})" if further else named


def _write_checks(reporter: Any, checks: tuple[CheckRecord, ...], gathered: Gathered) -> None:
    if not checks:
        return
    reporter.write_line(f"checks  {counted(checks)}")
    blocked = gathered.blocked
    several = len({check.task for check in checks}) > 1
    for check in checks:
        if check.status == "pass":
            continue
        held = blocked.get((check.task, check_name(check)), ("", 0))[1]
        behind = f"   blocks {held} items" if held else ""
        task = f"{check.task}: " if several else ""
        markup = {"fail": {"red": True}, "warn": {"yellow": True}}.get(check.status, {})
        reporter.write_line(f"  {check.status.upper():4}  {task}{finding_line(check)}{behind}", **markup)
        for line in further_lines(check, SAVED):
            reporter.write_line(f"        {line}")
    conceded = concession_lines(checks)
    if conceded:
        reporter.write_line("waivers and changed thresholds")
    for line in conceded:
        reporter.write_line(f"  {line}", yellow=True)


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


def _write_comparisons(reporter: Any, gathered: Gathered) -> None:
    refused: dict[str, list[str]] = {}
    without = {found["name"] for found in gathered.records["comparisons"] if not found["digests"]}
    for name in sorted(without):
        reporter.write_line(
            f"compare {name}: has no digests (an older version wrote it, or another tool): its scores follow "
            "from their patients, but whether a record was changed cannot be gathered"
        )
    for found in gathered.records["comparisons"]:
        place = f"{found['metric']}[{found['pool']}]"
        if found["refused"]:
            why = f"not comparable with {found['name']}: {'; '.join(found['refused'])}"
            refused.setdefault(why, []).append(place)
            continue
        if not found["changes"]:
            reporter.write_line(f"compare {place}: {found['name']} has no score to compare with")
            continue
        lost = [_change(change) for change in found["changes"][:CHANGES_SHOWN] if change["difference"] < 0]
        what = "lost most: " + ", ".join(lost) if lost else "no patient lost"
        reporter.write_line(
            f"compare {place} with {found['name']} ({found['model']} {found['value']:.3f}): {what}"
        )
    for why, places in refused.items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        reporter.write_line(f"compare {places[0]}{more}: {why}", yellow=True)


def _change(change: dict[str, Any]) -> str:
    slides = [slide for slide in change["slides"] if slide["difference"] < 0]
    worst = (
        f" (slide {slides[0]['slide']} {slides[0]['difference']:+.3f})"
        if len(change["slides"]) > 1 and slides
        else ""
    )
    return f"{change['patient']} {change['difference']:+.3f}{worst}"


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
