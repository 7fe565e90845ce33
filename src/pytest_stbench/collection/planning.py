"""``--stbench-plan``: what would run, which gates could be decided, before anything is computed."""

from __future__ import annotations

from statistics import stdev
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.checks.wording import count
from pytest_stbench.collection.plan_items import CELL
from pytest_stbench.gate import margin_floor, plan_gates, required_references, rules_for
from pytest_stbench.gate.margins import NO_FLOOR
from pytest_stbench.gate.wording import WITHIN_SLIDE
from pytest_stbench.registry import SIMPLE
from pytest_stbench.run.cells import Cell, Pool
from pytest_stbench.spec.defaults import family_of, primary_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.collection.plan_items import TaskItems
    from pytest_stbench.gate import Floor
    from pytest_stbench.results.reference import Reference
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


def plan_lines(
    items: TaskItems, chosen: Iterable[pytest.Item], stored: Results | Reference | None
) -> list[str]:
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


def _pool_lines(items: TaskItems, pool: Pool, stored: Results | Reference | None) -> list[str]:
    spec = items.task.spec
    family = family_of(spec, items.registry)
    patients = {s.slide: s.patient or s.slide for s in items.grid.samples[pool.dataset]}
    tested = {patients[slide] for slide in pool.test_slides}
    folds, slides = count(len(pool.folds), "fold"), count(len(pool.test_slides), "test slide")
    lines = [f"  {pool.id}: {folds}, {slides} of {count(len(tested), 'patient')}"]
    if pool.within:
        return [
            *lines,
            f"    {WITHIN_SLIDE}: no comparison can be decided; add a split by patient (lopo, pgkf)",
        ]
    primary = primary_of(spec, family)
    for metric in dict.fromkeys([primary, *spec.gates]):
        sd, floor = _known(stored, pool, metric, items)
        rules = rules_for(
            spec.gates.get(metric), required=required_references(family, SIMPLE), primary=metric == primary,
            floor=floor,
        )  # fmt: skip
        lines += [
            f"    {planned.message}"
            for planned in plan_gates(len(tested), rules, metric=metric, claim=spec.claim, sd=sd)
        ]
    return lines


def _known(
    stored: Results | Reference | None, pool: Pool, metric: str, items: TaskItems
) -> tuple[float | None, Floor]:
    """Return what the run to compare with tells: SD over patients of model - S, and the least margin."""
    found = [
        score
        for score in (stored.scores if stored else ())
        if (score.task, score.dataset, score.variant, score.split)
        == (items.task.spec.name, pool.dataset, pool.variant, pool.split)
        and score.fold is None
        and score.metric == metric
    ]
    model = next((score for score in found if score.role == "model"), None)
    if model is None:
        return None, NO_FLOOR
    floor = margin_floor(model.trivial, model.baseline, items.registry.metrics[metric].bounds)
    by_name = {score.model: score.per_patient for score in found if score.role == "baseline"}
    family = family_of(items.task.spec, items.registry)
    simple = next((by_name[name] for name in family.simple if name in by_name), {})
    pairs = [(model.per_patient[p], simple[p]) for p in model.per_patient.keys() & simple.keys()]
    differences = [a - b for a, b in pairs if a is not None and b is not None]
    return stdev(differences) if len(differences) > 1 else None, floor


def _stored(config: pytest.Config) -> Results | Reference | None:
    from pytest_stbench.collection.session import run_settings
    from pytest_stbench.results.earlier import load_earlier

    compare = run_settings(config).compare
    return load_earlier(compare).results if compare else None
