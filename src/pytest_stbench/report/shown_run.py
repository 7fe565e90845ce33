"""One run, or one reference, in lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count
from pytest_stbench.report.summary import check_lines, scored_lines
from pytest_stbench.report.tables import make_tables, number
from pytest_stbench.report.verdicts import several_lines
from pytest_stbench.report.width import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_stbench.report.summary import Line
    from pytest_stbench.results.reference import Reference
    from pytest_stbench.results.schema import Results


def run_lines(results: Results, name: str, width: int | None = None) -> Iterator[Line]:
    """Yield what a results file holds, as the summary of its run told it: tables, verdicts, checks.

    Columns that do not fit into `width` are left out.
    """
    for run in (*results.earlier_runs, results.run):
        if run is not None:
            commit = f", commit {run.commit[:12]}" if run.commit else ""
            commit += " with changes" if run.dirty else ""
            yield f"run     {run.started[:19]}{commit}: {run.command}", {}
    tasks = {task.name: task for task in results.tasks}
    titled = ""
    tables = [table for table in make_tables(results) if table.place[0] in tasks]
    for table in tables:
        task = tasks[table.place[0]]
        if task.name != titled:
            yield "", {}
            yield f"{task.name} v{task.version}", {}
            titled = task.name
        yield from scored_lines(table, task, results, width=width)
    if not tables:
        yield f"scores  no model under test has a score over all folds in {name}", {}
    for line in several_lines(results.verdicts):
        yield line, {}
    yield from check_lines(results.checks, further=name)


def reference_lines(reference: Reference, path: Path) -> Iterator[Line]:
    """Yield what a reference holds: who approved it, and the scores that later runs are compared with."""
    yield f"{path}: reference approved by {reference.by} on {reference.date[:10]}", {}
    yield f"  why     {reference.why}", {}
    yield f"  from    {reference.source}, sha256 {reference.source_sha256}", {}
    for line in reference.failed:
        yield f"  although {line}", {"yellow": True}
    rows = [["", "metric", "model", "value", "patients", "on"]]
    primary = {task.name: task.primary for task in reference.tasks}
    for score in reference.scores:
        place = "-".join(part for part in (score.dataset, score.variant, score.split) if part)
        mark = "*" if score.metric == primary.get(score.task) else ""
        rows.append(
            [
                mark,
                score.metric,
                score.model,
                number(score.value),
                str(score.n_patients),
                f"{score.task} {place}",
            ]
        )
    for line in aligned(rows):
        yield f"  {line}", {}
    yield f"  {count(len(reference.tasks), 'task')}, {count(len(reference.scores), 'score')}", {}
