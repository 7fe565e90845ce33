"""``--stbench-plan``: what would run, which gates could be decided, before anything is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.plan_items import CELL
from pytest_stbench.gate import plan_gates, required_references, rules_for
from pytest_stbench.gate.within_slide import LABEL
from pytest_stbench.registry import SIMPLE
from pytest_stbench.run.cells import Cell, Pool
from pytest_stbench.spec.defaults import family_of, primary_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.collection.plan_items import TaskItems
    from pytest_stbench.results.schema import Results


def write_plan(session: pytest.Session) -> None:
    """Write the plan of every task file that has selected items."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    stored = _stored(session.config)
    selected: dict[int, tuple[TaskItems, list[pytest.Item]]] = {}
    for item in session.items:
        module = item.getparent(pytest.Module)
        items = getattr(module.obj, "__stbench__", None) if module is not None else None
        if items is not None:
            selected.setdefault(id(items), (items, []))[1].append(item)
    for items, chosen in selected.values():
        spec = items.task.spec
        reporter.section(f"stbench plan: {spec.name} v{spec.version}")
        for line in plan_lines(items, chosen, stored):
            reporter.write_line(line)
    if not selected:
        reporter.write_line("stbench plan: no item of a task file is selected")


def plan_lines(items: TaskItems, chosen: Iterable[pytest.Item], stored: Results | None) -> list[str]:
    """Return the plan of one task file."""
    spec = items.task.spec
    cells: dict[str, Cell] = {}
    pools: dict[str, Pool] = {}
    checks = metrics = 0
    for item in chosen:
        function = items.functions[item.originalname]  # type: ignore[attr-defined]  # items are functions
        parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
        cell = parameters.get(CELL)
        checks += function.check is not None
        metrics += function.metric is not None
        if function.check is None and isinstance(cell, Cell):
            cells[cell.id] = cell
        if function.check is None and isinstance(cell, Pool):
            pools[cell.id] = cell
            cells.update((part.id, part) for part in cell.cells)
    models = max(len(items.choices), 1)
    primary = primary_of(spec, family_of(spec, items.registry))
    lines = [
        f"{spec.family}, {spec.claim} claim, primary {primary}",
        (
            f"  {len(cells)} cells to fit for each of {models} model{'s' if models > 1 else ''}, "
            f"{checks} checks, {metrics} metric items"
        ),
    ]
    lines += [f"  {name}: not on this machine: {why}" for name, why in items.grid.missing.items()]
    for pool in pools.values():
        lines += _pool_lines(items, pool, stored)
    return lines


def _pool_lines(items: TaskItems, pool: Pool, stored: Results | None) -> list[str]:
    spec = items.task.spec
    family = family_of(spec, items.registry)
    patients = {s.slide: s.patient or s.slide for s in items.grid.samples[pool.dataset]}
    tested = {patients[slide] for slide in pool.test_slides}
    lines = [
        f"  {pool.id}: {len(pool.folds)} folds, {len(pool.test_slides)} test slides of {len(tested)} patients"
    ]
    if pool.within:
        return [*lines, f"    {LABEL}: no comparison can be decided; add a split by patient (lopo, pgkf)"]
    primary = primary_of(spec, family)
    for metric in dict.fromkeys([primary, *spec.gates]):
        rules = rules_for(
            spec.gates.get(metric), required=required_references(family, SIMPLE), primary=metric == primary
        )
        sd = _known_sd(stored, pool, metric, items)
        lines += [
            f"    {planned.message}"
            for planned in plan_gates(len(tested), rules, metric=metric, claim=spec.claim, sd=sd)
        ]
    return lines


def _known_sd(stored: Results | None, pool: Pool, metric: str, items: TaskItems) -> float | None:
    """SD over patients of (model - simple baseline) in the run to compare with, where it has both."""
    if stored is None:
        return None
    from statistics import stdev

    family = family_of(items.task.spec, items.registry)
    found = {
        (score.role, score.model): score.per_patient
        for score in stored.scores
        if (score.task, score.dataset, score.variant, score.split)
        == (items.task.spec.name, pool.dataset, pool.variant, pool.split)
        and score.fold is None
        and score.metric == metric
    }
    model = next((values for (role, _), values in found.items() if role == "model"), None)
    simple = next((found["baseline", name] for name in family.simple if ("baseline", name) in found), None)
    if model is None or simple is None:
        return None
    pairs = [(model[p], simple[p]) for p in model.keys() & simple.keys()]
    differences = [a - b for a, b in pairs if a is not None and b is not None]
    return stdev(differences) if len(differences) > 1 else None


def _stored(config: pytest.Config) -> Results | None:
    from pytest_stbench.collection.session import settings_of
    from pytest_stbench.results.schema import load

    compare = settings_of(config).compare
    return load(compare) if compare else None
