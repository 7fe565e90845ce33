"""``--stbench-try``: the contract of one fold of every kind, on few units, and what the whole will cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.calls.failures import CellFailed
from pytest_stbench.checks.wording import count
from pytest_stbench.collection.item_outcomes import ItemFailed, payload
from pytest_stbench.collection.plan_items import CELL, CONTRACT, MODEL_NAME, function_of
from pytest_stbench.data.wording import byte_size
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.task_run import TaskRun

OF_SCORES = ("save", "report", "compare", "keep", "gate", "keep_models")
MINUTE, HOUR = 60.0, 3600.0


def check_options(config: pytest.Config) -> None:
    """Refuse options that have no sense where nothing is scored. Raises ``UsageError``."""
    names = [name for name in OF_SCORES if config.getoption(f"stbench_{name}")]
    given = [f"--stbench-{name.replace('_', '-')}" for name in names]
    if given:
        raise pytest.UsageError(f"--stbench-try scores and keeps nothing: leave out {', '.join(given)}")


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep, of task files, the contract of the first selected fold of each pool and model."""
    seen: set[tuple[str, str, str]] = set()
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        (kept if _is_tried(item, seen) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def _is_tried(item: pytest.Item, seen: set[tuple[str, str, str]]) -> bool:
    if item.get_closest_marker("stbench") is None:
        return True
    if function_of(item).kind != CONTRACT:
        return False
    parameters: dict[str, Any] = item.callspec.params  # type: ignore[attr-defined]  # a contract is of a cell
    cell = parameters[CELL]
    place = cell.pool
    model = item.callspec.id.removesuffix(cell.id)  # type: ignore[attr-defined]
    key = (str(item.path), place, f"{parameters.get(MODEL_NAME)} {model}")
    new = key not in seen
    seen.add(key)
    return new


def contract(item: pytest.Item, run: TaskRun, contestant: Contestant, cell: Cell) -> None:
    """Try a model, and tell what that took."""
    if contestant.files is not None:
        raise ItemFailed(f"{contestant.label} is a folder of predictions: there is no model to try")
    try:
        trial = run.tried(contestant, cell)
    except (CellFailed, DataError) as error:
        raise ItemFailed(str(error)) from None
    told = {**asdict(trial), "model": contestant.label, "place": f"{run.spec.name} {cell.id}"}
    payload(item)["tried"] = [told]


def trial_lines(trials: Sequence[dict[str, Any]]) -> list[str]:
    """Return what was tried, what it took, and what all of it will cost."""
    lines = [
        f"tried   {told['model']} on {told['place']}, {count(told['units'], 'unit')}: "
        f"{_time(told['seconds'])}{_memory(', ', told['memory_mb'])}; all {count(told['cells'], 'cell')}: "
        f"about {_time(told['whole_seconds'])}{_memory(', up to ', told['whole_memory_mb'])}"
        for told in trials
    ]
    if trials:
        whole = sum(told["whole_seconds"] for told in trials)
        most = max((told["whole_memory_mb"] or 0.0 for told in trials), default=0.0) or None
        lines.append(
            f"tried   the whole will take about {_time(whole)}{_memory(' and up to ', most)} for the models, "
            "in one process, in proportion to units; baselines and scores come on top"
        )
    return lines


def _memory(before: str, megabytes: float | None) -> str:
    return "" if megabytes is None else f"{before}{byte_size(round(megabytes * 1e6))}"


def _time(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{seconds:.2g} s" if seconds < MINUTE / 6 else f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"
