"""Which items a task file has: functions, their parameters, and the order they run in."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.item_outcomes import GateNotMet
from pytest_stbench.collection.model_choice import model_label
from pytest_stbench.run.cells import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_stbench.registry import Check, Metric, Registry
    from pytest_stbench.run.cells import Grid
    from pytest_stbench.spec.model import MetricSpec, TaskFile

CONTRACT = "contract"
BASELINES = "baselines"
CELL = "stbench_cell"
MODEL_NAME = "stbench_model_name"
_FIXTURES = {
    "check": "stbench_check_item",
    "task check": "stbench_task_item",
    "model check": "stbench_about_item",
    "results check": "stbench_about_item",
    BASELINES: "stbench_baselines_item",
}
_OF_MODEL = ("stbench_model_item", "stbench_about_item")
_LAST = 1_000_000


def items_of(item: pytest.Item) -> TaskItems:
    """Return the items of the task file that an item is of."""
    items: TaskItems = item.getparent(pytest.Module).obj.__stbench__  # type: ignore[union-attr]  # items always have a module
    return items


def function_of(item: pytest.Item) -> ItemFunction:
    """Return the test function that an item of a task file is of."""
    return items_of(item).functions[item.originalname]  # type: ignore[attr-defined]  # items are functions


@dataclass(frozen=True, slots=True)
class DatasetCell:
    """The parameter of a check of one data set, or of it with the units of a variant."""

    view: str

    @property
    def id(self) -> str:
        """Part of the node id in brackets."""
        return self.view


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFunction:
    """One test function of a task module.

    ``kind``: check, task check, model check, results check, contract, baselines, metric.
    """

    name: str
    kind: str
    summary: str
    place: tuple[Path, int]
    check: Check | None = None
    metric: Metric | None = None
    spec: MetricSpec | None = None

    @property
    def fixture(self) -> str:
        """The fixture that prepares its items."""
        return _FIXTURES.get(self.kind, "stbench_model_item")

    @property
    def marks(self) -> tuple[str, ...]:
        """Markers of its items beside those of the file."""
        kind = {
            "task check": "check",
            "model check": "model_check",
            "results check": "model_check",
            BASELINES: CONTRACT,
        }.get(self.kind, self.kind)
        return (f"stbench_{kind}",)


@dataclass(frozen=True, kw_only=True)
class TaskItems:
    """All items of one task file."""

    task: TaskFile
    grid: Grid
    registry: Registry
    metrics: tuple[MetricSpec, ...]
    choices: list[str] = field(default_factory=list)

    @cached_property
    def functions(self) -> dict[str, ItemFunction]:
        """Checks in running order, then contract, baselines and metrics, by name.

        Without a model nothing is asked of one.
        """
        found: dict[str, ItemFunction] = {}
        for check in self.registry.checks:
            of_model = check.scope in ("model", "results")
            if of_model and not self.choices:
                continue
            kind = f"{check.scope} check" if of_model or check.scope == "task" else "check"
            found[check.name] = ItemFunction(
                name=check.name,
                kind=kind,
                summary=check.summary,
                check=check,
                place=self.task.line("checks", check.name),
            )
        place = self.task.line("family")
        found[CONTRACT] = ItemFunction(
            name=CONTRACT, kind=CONTRACT, summary="The model ran and returned what it must.", place=place
        )
        found[BASELINES] = ItemFunction(
            name=BASELINES, kind=BASELINES, summary="Every baseline ran.", place=self.task.line("baselines")
        )
        for position, spec in enumerate(self.metrics):
            metric = self.registry.metrics[spec.name]
            found[spec.name] = ItemFunction(
                name=spec.name, kind="metric", summary=metric.summary, metric=metric, spec=spec,
                place=self._metric_place(position, spec.name),
            )  # fmt: skip
        return found

    def _metric_place(self, position: int, name: str) -> tuple[Path, int]:
        written = self.task.spec.metrics
        if position < len(written) and written[position].name == name:
            return self.task.line("metrics", position)
        return self.task.line("family")

    @cached_property
    def _cells(self) -> list[Any]:
        return [pytest.param(cell, id=cell.id) for pool in self.grid.pools for cell in pool.cells]

    @cached_property
    def _without_data(self) -> list[Any]:
        """Pools whose folds are not known, because the data are not on this machine."""
        return [pytest.param(pool, id=pool.id) for pool in self.grid.pools if not pool.cells]

    @cached_property
    def _datasets(self) -> list[Any]:
        views = [view for name in self.task.spec.datasets for view in self.grid.views(name)]
        return [pytest.param(DatasetCell(view), id=view) for view in views]

    @cached_property
    def _splits(self) -> list[Any]:
        return [pytest.param(pool, id=pool.id) for pool in self.grid.pools if not pool.variant]

    def _pools(self, metric: str) -> list[Any]:
        marks = []
        if metric in self.task.spec.gates:
            marks.append(pytest.mark.stbench_gate)
        if metric in self.task.spec.xfail:
            marks.append(
                pytest.mark.xfail(reason=self.task.spec.xfail[metric], strict=True, raises=GateNotMet)
            )
        return [pytest.param(pool, id=pool.id, marks=marks) for pool in self.grid.pools]

    def parametrise(self, metafunc: pytest.Metafunc) -> None:
        """Give a test function its cells; with several models, those first."""
        function = self.functions[metafunc.definition.name]
        if function.fixture in _OF_MODEL and len(self.choices) > 1:
            metafunc.parametrize(
                MODEL_NAME, self.choices, ids=[model_label(choice) for choice in self.choices]
            )
        parameters = self._parameters(function)
        if parameters is not None:
            metafunc.parametrize(CELL, parameters)

    def _parameters(self, function: ItemFunction) -> list[Any] | None:
        if function.kind.endswith(" check"):
            return None
        if function.check is not None:
            return self._datasets if function.check.scope == "dataset" else self._splits
        if function.kind in (CONTRACT, BASELINES):
            return [*self._cells, *self._without_data]
        return [*self._cells, *self._pools(function.name)]

    @cached_property
    def _rank(self) -> Mapping[str, tuple[int, int, int]]:
        """Place of every cell: data set, pool (checks of a view stand before its first), fold."""
        rank: dict[str, tuple[int, int, int]] = {}
        for number, name in enumerate(self.task.spec.datasets):
            rank[name] = (number, 0, 0)
            for place, pool in enumerate(self.grid.of(name), start=1):
                rank.setdefault(pool.view, (number, place, -2))
                rank[pool.id] = (number, place, _LAST)
                for position, cell in enumerate(pool.cells):
                    rank[cell.id] = (number, place, position)
        return rank

    @cached_property
    def _kinds(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.functions)}

    def order(self, item: pytest.Item | pytest.Collector) -> tuple[int, ...]:
        """Sort key: per data set its checks, then per split each fold and the pooled items.

        Checks of the task and of a model stand before all of that, checks of results after it.
        """
        function = self.functions[getattr(item, "originalname", item.name)]
        kind = self._kinds[function.name]
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        cell = parameters.get(CELL)
        if cell is None:
            return (_LAST if function.kind == "results check" else -1, 0, 0, kind)
        if function.check is not None and isinstance(cell, Pool):
            dataset, place, _ = self._rank[cell.id]
            return (dataset, place, -1, kind)
        return (*self._rank[cell.id], kind)
