"""The results files that a report is made of."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.errors import ResultsError
from pytest_stbench.report.page.render import Number
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.results.comparable import dataset_differences, task_differences
from pytest_stbench.results.schema import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.results.provenance import DatasetRecord, TaskRecord
    from pytest_stbench.results.record import ScoreRecord
    from pytest_stbench.results.schema import Results

SHOWN = 3
"""Differences of two files that are said."""


@dataclass(slots=True, eq=False)
class Source:
    """One results file: its number on the page, its name, what it holds, and the digest of its bytes."""

    number: int
    path: Path
    name: str
    results: Results
    digest: str
    tasks: dict[str, TaskRecord] = field(init=False)
    datasets: dict[tuple[str, str], DatasetRecord] = field(init=False)

    def __post_init__(self) -> None:
        self.tasks = {task.name: task for task in self.results.tasks}
        self.datasets = {(d.task, d.name): d for d in self.results.datasets}

    @property
    def seconds(self) -> Number:
        """How long the last run took."""
        run = self.results.run
        return Number(run.seconds if run else None, f"{self.number}:run.seconds", 1)

    def at(self, kind: str, place: int, name: str) -> str:
        """Return where a value of a record stands."""
        return f"{self.number}:{kind}.{place}.{name}"

    def dataset(self, score: ScoreRecord) -> DatasetRecord | None:
        """Return the data set of a score: that of its variant's units where it has one of its own."""
        views = (f"{score.dataset}+{score.variant}", score.dataset)
        return next((found for view in views if (found := self.datasets.get((score.task, view)))), None)


def read_sources(paths: Sequence[Path]) -> list[Source]:
    """Read results files, in the order given.

    Raises
    ------
    ResultsError
        Where one cannot be used, stands there twice, or none of them holds a score or a check.
    """
    real = Counter(path.resolve() for path in paths)
    twice = next((path for path, n in real.items() if n > 1), None)
    if twice is not None:
        raise ResultsError(f"{twice}: the file is given twice: name each results file once")
    stems = Counter(path.stem for path in paths)
    sources = []
    for number, path in enumerate(paths):
        results = load(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = path.stem if stems[path.stem] == 1 else str(path)
        sources.append(Source(number, path, name, results, digest))
    if not any(source.results.scores or source.results.checks for source in sources):
        named = ", ".join(map(str, paths)) or "no file"
        raise ResultsError(
            f"{named}: no score and no check stands there, so there is nothing to report: run pytest with "
            "--stbench-model and --stbench-save, or `stbench check --format json`"
        )
    return sources


def source_of(results: Results) -> Source:
    """Return results that are saved nowhere, such as those of the run at hand."""
    whole = replace(results, checklist=checklist_of(results))
    return Source(0, Path("this run"), "this run", whole, "")


def apart(sources: Iterable[Source]) -> list[str]:
    """Return a sentence for each task or data set that stands in two forms in the files, and so apart."""
    tasks: dict[str, Source] = {}
    datasets: dict[tuple[str, str], Source] = {}
    lines = []
    for source in sources:
        for name, task in source.tasks.items():
            known = tasks.setdefault(name, source)
            found = task_differences(task, known.tasks[name], there=f"in {known.name}")
            if known is not source and found:
                lines.append(_apart(f"The task {name} is not the same", known, source, found))
        for key, data in source.datasets.items():
            known = datasets.setdefault(key, source)
            found = dataset_differences(data, known.datasets[key], there=f"in {known.name}")
            if known is not source and found:
                what = f"The data set {data.name} of {data.task} is not the same"
                lines.append(_apart(what, known, source, found))
    return lines


def unscored(sources: Iterable[Source]) -> list[str]:
    """Return a sentence for each file with scores or models in which a task has no score."""
    lines = []
    for source in sources:
        scored = {score.task for score in source.results.scores}
        without = [name for name in source.tasks if name not in scored]
        if without and source.results.models:
            names = ", ".join(without)
            lines.append(
                f"{source.name} has no score on {names}: its model could not run there, or its items were "
                "not selected; the output of that run says which. Checks of the data stand below."
            )
    return lines


def _apart(what: str, known: Source, source: Source, found: Sequence[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    why = "; ".join(found[:SHOWN]) + more
    return (
        f"{what} in {known.name} and {source.name} ({why}): scores on it are listed "
        "apart and never ranked together."
    )
