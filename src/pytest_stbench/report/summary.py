"""A run in lines: its tables with verdicts, and its checks; at the end of pytest and by ``stbench show``."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_stbench.checks.wording import count
from pytest_stbench.gate.wording import WITHIN_SLIDE
from pytest_stbench.report.findings import (
    SAVED,
    check_name,
    concession_lines,
    counted,
    finding_line,
    further_lines,
)
from pytest_stbench.report.tables import in_words, table_lines, undefined_line
from pytest_stbench.report.verdicts import PASSED, shown, verdict_lines
from pytest_stbench.run.installed import builtin_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_stbench.report.tables import Table
    from pytest_stbench.report.verdicts import Ended
    from pytest_stbench.results.check_record import CheckRecord
    from pytest_stbench.results.provenance import TaskRecord
    from pytest_stbench.results.schema import Results

Line = tuple[str, dict[str, Any]]
"""A line, and its colours."""


def scored_lines(
    table: Table,
    task: TaskRecord,
    results: Results,
    *,
    ended: Mapping[tuple[str, ...], Ended] = MappingProxyType({}),
    width: int | None = None,
) -> Iterator[Line]:
    """Yield the lines of one table: its head, scores, verdicts, and what they say in words.

    `ended` tells how the item of a verdict ended; columns that do not fit into `width` are left out.
    """
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
    head += [f"{genes} {family.columns}"] if genes is not None else []
    within = any(lock.split == split and set(lock.train) & set(lock.test) for lock in results.lock)
    yield ", ".join([*head, f"{split} ({WITHIN_SLIDE})" if within else split]), {}
    ladder_names = {name for scores in table.ladder.values() for name in scores}
    simple = next((name for name in family.simple if name in ladder_names), "")
    yield f"model {_model(table.model, results)}   T = {family.trivial}   S = {simple}", {}
    for line in table_lines(table, task.primary, family.trivial, simple, ended, width and width - 2):
        yield f"  {line}", {}
    for verdict in table.verdicts.values():
        for rule in verdict_lines(verdict, ended.get(verdict.key, PASSED)):
            text, markup = shown(rule)
            yield f"  {text}", markup
    words = in_words(table, task.primary, family.trivial, simple, within=within)
    if words:
        yield f"  in words: {words}", {}
    undefined = undefined_line(score for score in table.scores if score.metric == task.primary)
    if undefined:
        yield f"  undefined    {undefined}", {}
    yield "", {}


def _model(name: str, results: Results) -> str:
    record = next((model for model in results.models if model.name == name), None)
    if record is None:
        return name
    named = " ".join(filter(None, (record.own_name or name, record.revision)))
    further = [f"given as {name}"] if record.own_name not in (None, name) else []
    further += [f"names of units {record.unit_names}"] if record.unit_names else []
    further += [f"licence {record.licence}"] if record.licence else []
    further += ["not for commercial use"] if record.commercial is False else []
    further += ["weights behind a gate"] if record.gated else []
    return f"{named} ({', '.join(further)})" if further else named


def check_lines(
    checks: Sequence[CheckRecord],
    blocked: Mapping[tuple[str, str], tuple[str, int]] = MappingProxyType({}),
    further: str = SAVED,
) -> Iterator[Line]:
    """Yield the lines of checks that did not pass, and what was waived or changed.

    `blocked` tells how many items each of them holds back, by task and name; `further` where more stands.
    """
    if not checks:
        return
    yield f"checks  {counted(checks)}", {}
    several = len({check.task for check in checks}) > 1
    for check in checks:
        if check.status == "pass":
            continue
        held = blocked.get((check.task, check_name(check)), ("", 0))[1]
        behind = f"   blocks {held} items" if held else ""
        task = f"{check.task}: " if several else ""
        markup = {"fail": {"red": True}, "warn": {"yellow": True}}.get(check.status, {})
        yield f"  {check.status.upper():4}  {task}{finding_line(check)}{behind}", markup
        for line in further_lines(check, further):
            yield f"        {line}", {}
    conceded = concession_lines(checks)
    if conceded:
        yield "waivers and changed thresholds", {}
    for line in conceded:
        yield f"  {line}", {"yellow": True}
