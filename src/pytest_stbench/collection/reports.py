"""From items to the reporting process, and from there to the results file and the page of the run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.ci import on_github, place_of_failure
from pytest_stbench.collection.item_outcomes import PAYLOAD, RERUN
from pytest_stbench.collection.keep_option import KEEP_ERROR, begin, files
from pytest_stbench.collection.plan_items import MODEL_NAME, items_of
from pytest_stbench.collection.project import updated
from pytest_stbench.collection.session import RUNNER, run_settings
from pytest_stbench.collection.short_lines import shorten_title
from pytest_stbench.errors import ResultsError, StbenchError, TaskFileError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.results.provenance import RunRecord
    from pytest_stbench.results.schema import Results

KINDS = (
    "models", "tasks", "datasets", "checks", "scores", "verdicts", "lock", "contamination", "comparisons",
)  # fmt: skip


@dataclass(slots=True)
class Gathered:
    """What was told, in the order of the items in their task files, whoever reported first."""

    tally: dict[str, set[str]] = field(default_factory=dict)
    _reported: list[dict[str, Any]] = field(default_factory=list)

    def take_report(self, report: pytest.TestReport) -> None:
        """Take in what one report carries."""
        told: dict[str, Any] = getattr(report, "stbench", {})
        for kind, names in told.get("tally", {}).items():
            self.tally.setdefault(kind, set()).update(names)
        if "order" in told and any(
            told.get(kind) for kind in ("cause", "skipped", "failure", "tried", *KINDS)
        ):
            self._reported.append(told)

    @property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """Records by kind."""
        return {kind: [one for told in self._in_order() for one in told.get(kind, ())] for kind in KINDS}

    @property
    def blocked(self) -> dict[tuple[str, str], tuple[str, int]]:
        """Items held back, by task and cause: the message of the first, and how many."""
        found: dict[tuple[str, str], tuple[str, int]] = {}
        for told in self._in_order():
            if "cause" in told:
                key = (told["task"], told["cause"])
                detail, count = found.get(key, (told["detail"], 0))
                found[key] = (detail, count + 1)
        return found

    @property
    def skipped(self) -> dict[str, int]:
        """How many items were skipped, by reason."""
        return dict(Counter(told["skipped"] for told in self._in_order() if "skipped" in told))

    @property
    def tried(self) -> list[dict[str, Any]]:
        """What models took of few units, under ``--stbench-try``."""
        return [trial for told in self._in_order() for trial in told.get("tried", ())]

    @property
    def ended(self) -> dict[tuple[str, ...], tuple[str, str]]:
        """How the item of each verdict ended, and what it says, by the key of the verdict."""
        return {
            tuple(key): (how, why) for told in self._in_order() for key, how, why in told.get("ended", ())
        }

    @property
    def failures(self) -> list[dict[str, Any]]:
        """What failed, and where a task file says it: gates first, then checks and the rest."""
        told = [told for told in self._in_order() if "failure" in told]
        return [one["failure"] for one in sorted(told, key=lambda one: not one.get("verdicts"))]

    def _in_order(self) -> list[dict[str, Any]]:
        return sorted(self._reported, key=lambda told: told["order"])

    @property
    def empty(self) -> bool:
        """Whether no item of a task file reported."""
        return not self._reported


GATHERED: pytest.StashKey[Gathered] = pytest.StashKey()
VERDICT_KEY = ("task", "dataset", "variant", "split", "model", "metric")
ENDS = frozenset(
    {"outcome", "cause", "detail", "skipped", "ended", "failure", "scores", "verdicts", "comparisons"}
)
"""What a report tells of how its item ended."""
SAVE_ERROR: pytest.StashKey[str] = pytest.StashKey()
REPORT_ERROR: pytest.StashKey[str] = pytest.StashKey()
UPDATE_ERROR: pytest.StashKey[str] = pytest.StashKey()
UNAPPLIED: pytest.StashKey[list[str]] = pytest.StashKey()


def gathered_of(config: pytest.Config) -> Gathered:
    """Return what the items of this run told so far."""
    return config.stash.setdefault(GATHERED, Gathered())


def attach(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put on `report` what the item told in this phase."""
    told, item.stash[PAYLOAD] = item.stash.get(PAYLOAD, {}), {}
    shorten_title(report)
    if report.failed and "cause" not in told and on_github():
        told["failure"] = place_of_failure(item, report)
    if told:
        told["order"] = place_of(item)
    if told.get("verdicts"):
        # Only now is it known: an expected failure, or one that did not come, turns the outcome.
        how = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
        why = str(report.longreprtext).partition("\n")[0]
        told["ended"] = [([data[name] for name in VERDICT_KEY], how, why) for data in told["verdicts"]]
    runner = item.config.stash.get(RUNNER, None)
    if report.when == "teardown" and runner is not None:
        told["tally"] = runner.tally.news()
        if runner.keeper is not None and runner.keeper.problem:
            told["tally"]["not_kept"] = [runner.keeper.problem]
    report.stbench = told  # type: ignore[attr-defined]  # pytest keeps further attributes of reports


def place_of(item: pytest.Item) -> list[str | int]:
    """Return a sort key that is the same in all processes of a run: task file, cell, metric, model."""
    items = items_of(item)
    callspec = getattr(item, "callspec", None)
    chosen = callspec.params.get(MODEL_NAME) if callspec else None
    model = items.choices.index(chosen) if chosen is not None else 0
    return [str(item.path), *items.order(item), model, callspec.id if callspec else ""]


def take_report(config: pytest.Config, report: pytest.TestReport) -> None:
    """Take in a report; one after which the item is run again tells of facts alone, not how it ended."""
    if report.outcome == RERUN:
        told = report.stbench
        report.stbench = {name: value for name, value in told.items() if name not in ENDS}  # type: ignore[attr-defined]
    gathered_of(config).take_report(report)


def check_files(config: pytest.Config) -> None:
    """Refuse results files that cannot be used before anything is run."""
    from pytest_stbench.results.earlier import load_earlier
    from pytest_stbench.results.schema import load

    path = save_path(config)
    if path is None and config.getoption("stbench_keep"):
        raise pytest.UsageError(
            f"--stbench-keep={config.getoption('stbench_keep')} says what is kept beside the results: give "
            "--stbench-save=FILE as well"
        )
    if path is not None:
        begin(config, path)
    try:
        settings = run_settings(config)
        if settings.compare:
            load_earlier(settings.compare)
        if path is not None and path.exists():
            load(path)
    except ResultsError as error:
        raise pytest.UsageError(str(error)) from None


def check_given_gates(config: pytest.Config) -> None:
    """Refuse gates of the command line that no task file could take."""
    from pytest_stbench.run.installed import builtin_registry
    from pytest_stbench.spec.given_gates import check_gates

    try:
        check_gates(config.getoption("stbench_gate"), builtin_registry())
    except TaskFileError as error:
        raise pytest.UsageError(str(error)) from None


def require_given_gates(session: pytest.Session) -> None:
    """Fail the run where a gate of the command line was applied to no score: it was not passed."""
    from pytest_stbench.spec.given_gates import metric_of

    config = session.config
    if config.getoption("collectonly") or config.getoption("stbench_plan"):
        return
    gated = {data["metric"] for data in gathered_of(config).records["verdicts"] if data["gated"]}
    missing = [text for text in config.getoption("stbench_gate") if metric_of(text) not in gated]
    config.stash[UNAPPLIED] = missing
    if missing and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def save_path(config: pytest.Config) -> Path | None:
    """Return where the results are written."""
    file = config.getoption("stbench_save")
    return (config.invocation_params.dir / file).resolve() if file else None


def save(session: pytest.Session, started: float) -> None:
    """Write the results of the run, merged with what the file holds."""
    from pytest_stbench.results.schema import save as save_results
    from pytest_stbench.store.lock import one_writer

    path = save_path(session.config)
    told = gathered_of(session.config)
    if path is None or told.empty:
        return
    try:
        run = _run_record(session.config, started)
        keep = partial(files, session.config, path, told.tally.get("not_kept", set()))
        results = results_of(told, run)
        try:
            results = updated(session.config, results)
        except StbenchError as error:
            session.config.stash[UPDATE_ERROR] = str(error)
        with one_writer(path):
            save_results(path, results, keep)
    except ResultsError as error:
        session.config.stash[SAVE_ERROR] = str(error)
    if any(error in session.config.stash for error in (SAVE_ERROR, KEEP_ERROR, UPDATE_ERROR)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _run_record(config: pytest.Config, started: float) -> RunRecord:
    from pytest_stbench.run.provenance.environment import run_record

    given = config.invocation_params
    return run_record(["pytest", *given.args], given.dir, started)


def results_of(told: Gathered, run: object = None) -> Results:
    """Return the records of a run, the latest of each key."""
    from pytest_stbench.results.consistent import KINDS
    from pytest_stbench.results.merge import settled
    from pytest_stbench.results.schema import Results

    found = {}
    for name, told_records in told.records.items():
        if name in KINDS:
            records = (KINDS[name].from_dict(data) for data in told_records)
            found[name] = tuple({record.key: record for record in records}.values())
    return settled(Results(run=run, **found))  # type: ignore[arg-type]  # one tuple of its kind per field


def report_path(config: pytest.Config) -> Path:
    """Return where the report is written."""
    path: Path = config.invocation_params.dir / config.getoption("stbench_report")
    return path.resolve()


def check_report(config: pytest.Config) -> None:
    """Refuse a place at which no file can stand, before anything is run."""
    path = report_path(config)
    if path.is_dir():
        message = f"--stbench-report={path}: this is a folder; name a file, such as {path / 'report.html'}"
        raise pytest.UsageError(message)


def write_report(session: pytest.Session, started: float) -> None:
    """Write the page of what the results file holds, or of this run alone where none is saved."""
    from pytest_stbench.data.atomic import write_atomically
    from pytest_stbench.report.page.render import encoded
    from pytest_stbench.report.page.report_page import report_page
    from pytest_stbench.report.page.sources import read_sources, source_of

    config = session.config
    told = gathered_of(config)
    if told.empty:
        config.stash[REPORT_ERROR] = "no item of a task file was run, so there is nothing to report"
        return
    path, saved = report_path(config), save_path(config)
    try:
        if saved is not None and SAVE_ERROR not in config.stash:
            sources = read_sources([saved])
        else:
            sources = [source_of(results_of(told, _run_record(config, started)))]
        text = encoded(report_page(sources))
        write_atomically(path, lambda file: file.write(text))
    except StbenchError as error:
        config.stash[REPORT_ERROR] = str(error)
    except OSError as error:
        config.stash[REPORT_ERROR] = f"{path}: the report cannot be written: {error.strerror or error}"
    if REPORT_ERROR in config.stash:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def tell_report(reporter: Any, config: pytest.Config) -> None:
    """Say where the report is, or why there is none."""
    if REPORT_ERROR in config.stash:
        reporter.write_line(f"report  NOT written: {config.stash[REPORT_ERROR]}", red=True, bold=True)
    else:
        reporter.write_line(f"report  {report_path(config)}: open it in a browser")
