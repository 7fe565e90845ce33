"""What the items do: each function prepares one and returns what its call runs."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.calls.failures import Blocked, CellFailed, NotSupported
from pytest_stbench.collection import trial_option
from pytest_stbench.collection.item_outcomes import (
    NOT_EVALUABLE,
    BlockedItem,
    GateNotMet,
    GateUndecided,
    ItemFailed,
    payload,
)
from pytest_stbench.collection.model_choice import NOT_GIVEN
from pytest_stbench.collection.plan_items import CELL, CONTRACT, function_of, items_of
from pytest_stbench.collection.project import call_hook
from pytest_stbench.collection.properties import add_properties, gate_properties, score_properties
from pytest_stbench.collection.remarks import warn
from pytest_stbench.collection.session import task_run_of
from pytest_stbench.collection.under_test import contestant_of
from pytest_stbench.errors import CheckWarning, DataError, DataMissing, StbenchError
from pytest_stbench.report.findings import SAVED, further_lines
from pytest_stbench.run.cells import Cell, Pool
from pytest_stbench.run.quality.check_records import check_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.checks.result import CheckResult
    from pytest_stbench.collection.plan_items import DatasetCell, ItemFunction, TaskItems
    from pytest_stbench.registry import Check
    from pytest_stbench.results.record import ScoreRecord, VerdictRecord
    from pytest_stbench.run.scores.recorder import Recorder
    from pytest_stbench.run.task_run import TaskRun


def check(item: pytest.Item, cell: DatasetCell | Pool | None = None) -> Callable[[], None]:
    """Prepare a check: of a data set, of a split, or of the task file."""
    _, function, run, recorder = parts(item)
    assert function.check is not None
    record = function.check
    view = cell.view if cell is not None else ""
    with Preparing(item):
        try:
            if view:
                run.views.dataset(view)
            result = run.checking.run(record, view, cell if isinstance(cell, Pool) else None)
        except DataError as error:
            raise Blocked(cause=f"data[{view}]", detail=str(error)) from None

    def call() -> None:
        split = cell.split if isinstance(cell, Pool) else None
        _tell_once(item, "tasks", "", recorder.facts.task)
        if view:
            _tell_once(item, "datasets", view, lambda: recorder.facts.dataset(view))
        judged(item, run, record, result, dataset=view, split=split)

    return call


def judged(
    item: pytest.Item,
    run: TaskRun,
    record: Check,
    result: CheckResult,
    *,
    dataset: str = "",
    split: str | None = None,
    model: str | None = None,
) -> None:
    """Tell what a check found, and end the item as it did."""
    found = check_record(run.spec, record, result, dataset, split, model)
    payload(item)["checks"] = [found.to_dict()]
    add_properties(
        item,
        {
            "task": run.spec.name,
            "family": run.spec.family,
            "dataset": dataset or None,
            "model": model,
            "check": record.name,
            "verdict": result.status,
            "value": result.statistic,
        },
    )
    place = dataset or model
    message = f"{record.name}[{place}]: {result.message}" if place else f"{record.name}: {result.message}"
    if result.status == "fail":
        raise ItemFailed("\n".join([f"{record.name}: {result.message}", *further_lines(found, SAVED)]))
    if result.status == "warn":
        warn(item, message, CheckWarning)
    if result.status == "skip":
        skip(item, f"{record.name}: {result.message}")


def baselines(item: pytest.Item, cell: Cell) -> Callable[[], None]:
    """Prepare the run of all baselines of a cell."""
    items, _, run, _ = parts(item)
    with Preparing(item):
        if not items.choices:
            raise Blocked(cause=NOT_GIVEN.cause, detail=NOT_GIVEN.message)
        run.require_data(cell)
        run.fold(cell)

    def call() -> None:
        ladder = run.ladder(cell.dataset)
        if ladder.missing:
            raise ItemFailed("\n".join(f"baseline {name} cannot run: {why}" for name, why in ladder.missing))
        for record in ladder.baselines:
            try:
                run.baseline_scores(record, cell)
            except CellFailed as error:
                raise ItemFailed(f"baseline {error}") from None

    return call


def model_item(item: pytest.Item, cell: Cell | Pool, given: Any) -> Callable[[], None]:
    """Prepare the contract item or a metric item of one model."""
    _, function, run, recorder = parts(item)
    with Preparing(item):
        contestant = contestant_of(item, cell.dataset, cell.id, given, run)
        run.require_data(cell)
        run.require_method(contestant)
        if contestant.handle.own_names:
            run.checking.require_names(cell.view)
        if function.kind == CONTRACT:
            assert isinstance(cell, Cell)
            run.fold(cell)
        else:
            recorder.prepare(contestant, cell)
    if isinstance(cell, Pool):
        return lambda: _pooled(item, run, recorder, contestant, cell, function.name)
    if function.kind == CONTRACT and item.config.getoption("stbench_try"):
        return lambda: trial_option.contract(item, run, contestant, cell)
    if function.kind == CONTRACT:
        return lambda: _contract(item, run, recorder, contestant, cell)
    return lambda: _fold(item, recorder, contestant, cell, function.name)


def _contract(
    item: pytest.Item, run: TaskRun, recorder: Recorder, contestant: Contestant, cell: Cell
) -> None:
    _tell_facts(item, recorder, contestant, cell)
    place = recorder.facts.place(cell)
    place.pop("task_version")
    add_properties(item, {**place, "fold": cell.fold.name, "model": contestant.label})
    try:
        remarks = run.contract(contestant, cell)
    except CellFailed as error:
        raise ItemFailed(str(error)) from None
    for remark in remarks:
        warn(item, remark)


def _fold(item: pytest.Item, recorder: Recorder, contestant: Contestant, cell: Cell, metric: str) -> None:
    record = recorder.fold(contestant, cell, metric)
    payload(item)["scores"] = [record.to_dict()]
    _tell_facts(item, recorder, contestant, cell)
    add_properties(item, score_properties(record))
    if record.value is None:
        payload(item)["outcome"] = NOT_EVALUABLE
    _scored(item, record)


def _pooled(
    item: pytest.Item, run: TaskRun, recorder: Recorder, contestant: Contestant, pool: Pool, metric: str
) -> None:
    pooled = recorder.pooled(contestant, pool, metric)
    told = payload(item)
    told["scores"] = [record.to_dict() for record in pooled.scores]
    told["verdicts"] = [pooled.verdict.to_dict()] if pooled.verdict else []
    told["comparisons"] = [pooled.comparison] if pooled.comparison else []
    _tell_facts(item, recorder, contestant, pool)
    add_properties(item, score_properties(pooled.scores[0]))
    verdict = pooled.verdict
    if verdict is not None and verdict.gated:
        add_properties(item, gate_properties(verdict))
    if pooled.scores[0].value is None:
        told["outcome"] = NOT_EVALUABLE
    _scored(item, pooled.scores[0])
    if verdict is not None and verdict.gated:
        told["outcome"] = _OUTCOMES.get(verdict.verdict, told.get("outcome", ""))
        _raise_unless_met(
            item, run, verdict, named=contestant.baseline is not None, compared=bool(pooled.comparison)
        )


def _scored(item: pytest.Item, score: ScoreRecord) -> None:
    try:
        call_hook(item.ihook.pytest_stbench_scored, item=item, score=score)
    except StbenchError as error:
        raise ItemFailed(str(error)) from None


_OUTCOMES = {"underpowered": "underpowered", "not_evaluable": NOT_EVALUABLE}


def _raise_unless_met(
    item: pytest.Item, run: TaskRun, verdict: VerdictRecord, *, named: bool, compared: bool
) -> None:
    """Fail the item where its gates are not met, or not decided and that counts as a failure.

    A baseline under its own name shows what the yardstick is; under another name it is a copy.
    """
    strict = run.spec.claim == "population" or item.config.getoption("stbench_no_skip")
    open_rules = [gate for gate in verdict.gates if gate.declared and gate.outcome == "not_evaluable"]
    without_run = not compared and all(gate.kind == "not_worse_than" for gate in open_rules)
    if verdict.verdict == "fail" or (verdict.verdict == "reference" and not named):
        raise GateNotMet(verdict.message)
    if verdict.verdict == "not_evaluable" and (strict or not open_rules or not without_run):
        raise GateUndecided(verdict.message)
    if verdict.verdict == "underpowered" and run.spec.claim == "population":
        raise GateUndecided(verdict.message)


TOLD_ONCE: pytest.StashKey[set[tuple[str, str, str, bool]]] = pytest.StashKey()


def _tell_facts(item: pytest.Item, recorder: Recorder, contestant: Contestant, cell: Cell | Pool) -> None:
    """Tell what a score stands on: without it, a run of selected items could not be compared with."""
    _tell_once(item, "tasks", "", recorder.facts.task)
    _tell_once(item, "datasets", cell.view, lambda: recorder.facts.dataset(cell.view))
    _tell_once(item, "models", contestant.key, lambda: recorder.facts.model(contestant))
    known = item.config.stash.setdefault(TOLD_ONCE, set())
    place = (str(item.path), "locks", cell.id, isinstance(cell, Pool))
    if place not in known:
        known.add(place)
        for part in cell.cells if isinstance(cell, Pool) else (cell,):
            _tell_once(item, "lock", part.id, partial(recorder.facts.lock, part))


def _tell_once(item: pytest.Item, kind: str, key: str, make: Callable[[], Any]) -> None:
    """Put a record on the report of the first item of this process that needs it.

    Items of one fold tell it though a pooled item, which xdist may run earlier, did: records are
    saved in the order of the items that tell them. Data that cannot be read have no record: they
    have no scores either.
    """
    known = item.config.stash.setdefault(TOLD_ONCE, set())
    callspec = getattr(item, "callspec", None)
    pooled = isinstance(callspec.params.get(CELL), Pool) if callspec else False
    place = (str(item.path), kind, key, pooled)
    if place in known:
        return
    known.add(place)
    with contextlib.suppress(DataError, DataMissing):
        payload(item).setdefault(kind, []).append(make().to_dict())


def parts(item: pytest.Item) -> tuple[TaskItems, ItemFunction, TaskRun, Recorder]:
    """Return all that an item belongs to: items of its file, function, run, recorder."""
    items = items_of(item)
    try:
        return items, function_of(item), *task_run_of(item.config, items)
    except StbenchError as error:
        raise ItemFailed(str(error)) from None


def skip(item: pytest.Item, reason: str) -> None:
    """Skip the item, or fail it under ``--stbench-no-skip``."""
    if item.config.getoption("stbench_no_skip"):
        raise ItemFailed(f"{reason} (skips are failures under --stbench-no-skip)") from None
    payload(item)["skipped"] = reason
    pytest.skip(reason)


class Preparing:
    """Turns what keeps an item from its score into the outcome it has in pytest."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DataMissing | NotSupported):
            skip(self._item, str(error))
        if type(error) is StbenchError:
            raise ItemFailed(str(error)) from None
        if isinstance(error, Blocked):
            raise BlockedItem(cause=error.cause, detail=error.detail) from None
