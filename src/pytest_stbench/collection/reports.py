"""From items to the reporting process, and from there to the results file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.collector import Told
from pytest_stbench.collection.keeping import KEEP_ERROR, begin, files
from pytest_stbench.collection.outcomes import PAYLOAD, RERUN
from pytest_stbench.collection.plan_items import MODEL_NAME
from pytest_stbench.collection.project import updated
from pytest_stbench.collection.session import RUNNER, run_settings
from pytest_stbench.errors import ResultsError, StbenchError, TaskFileError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.collection.plan_items import TaskItems
    from pytest_stbench.results.schema import Results

TOLD: pytest.StashKey[Told] = pytest.StashKey()
VERDICT_KEY = ("task", "dataset", "variant", "split", "model", "metric")
ENDS = frozenset({"outcome", "cause", "detail", "skipped", "ended", "scores", "verdicts", "comparisons"})
"""What a report tells of how its item ended."""
SAVE_ERROR: pytest.StashKey[str] = pytest.StashKey()
UPDATE_ERROR: pytest.StashKey[str] = pytest.StashKey()
UNAPPLIED: pytest.StashKey[list[str]] = pytest.StashKey()


def told_of(config: pytest.Config) -> Told:
    """Return what the items of this run told so far."""
    return config.stash.setdefault(TOLD, Told())


def attach(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put on `report` what the item told in this phase."""
    told = item.stash.get(PAYLOAD, {})
    item.stash[PAYLOAD] = {}
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
    items: TaskItems = item.getparent(pytest.Module).obj.__stbench__  # type: ignore[union-attr]  # items always have a module
    callspec = getattr(item, "callspec", None)
    chosen = callspec.params.get(MODEL_NAME) if callspec else None
    model = items.choices.index(chosen) if chosen is not None else 0
    return [str(item.path), *items.order(item), model, callspec.id if callspec else ""]


def hear(config: pytest.Config, report: pytest.TestReport) -> None:
    """Take in a report; one after which the item is run again tells of facts alone, not how it ended."""
    if report.outcome == RERUN:
        told = report.stbench
        report.stbench = {name: value for name, value in told.items() if name not in ENDS}  # type: ignore[attr-defined]
    told_of(config).hear(report)


def check_files(config: pytest.Config) -> None:
    """Refuse results files that cannot be used before anything is run."""
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
            load(settings.compare)
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
    gated = {data["metric"] for data in told_of(config).records["verdicts"] if data["gated"]}
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
    from pytest_stbench.run.provenance.environment import run_record
    from pytest_stbench.store.lock import one_writer

    path = save_path(session.config)
    told = told_of(session.config)
    if path is None or told.empty:
        return
    try:
        given = session.config.invocation_params
        run = run_record(["pytest", *given.args], given.dir, started)
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


def results_of(told: Told, run: object = None) -> Results:
    """Return the records of a run, the latest of each key."""
    from pytest_stbench.results.check_record import CheckRecord
    from pytest_stbench.results.provenance import DatasetRecord, LockRecord, ModelRecord, TaskRecord
    from pytest_stbench.results.record import ContaminationRecord, ScoreRecord, VerdictRecord
    from pytest_stbench.results.schema import Results
    from pytest_stbench.results.several import settled

    kinds: dict[str, Any] = {
        "models": ModelRecord,
        "tasks": TaskRecord,
        "datasets": DatasetRecord,
        "checks": CheckRecord,
        "scores": ScoreRecord,
        "verdicts": VerdictRecord,
        "lock": LockRecord,
        "contamination": ContaminationRecord,
    }
    found = {}
    told_records = told.records
    for name, kind in kinds.items():
        records = (kind.from_dict(data) for data in told_records[name])
        found[name] = tuple({record.key: record for record in records}.values())
    return settled(Results(run=run, **found))  # type: ignore[arg-type]  # one tuple of its kind per field
