"""Data that somebody gives to be judged: a task file, or files without one, as a task."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.data.propose.for_check import describe_files
from pytest_stbench.data.roots import data_roots
from pytest_stbench.index import loaded
from pytest_stbench.models.identity import json_digest
from pytest_stbench.run.quality.data_checks import task_of_data
from pytest_stbench.run.separate_panels import task_and_grid
from pytest_stbench.spec import TASK_SUFFIX
from pytest_stbench.spec.validate import load_task

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pytest_stbench.data.propose.for_check import DataOptions, Described
    from pytest_stbench.registry import Check, Registry
    from pytest_stbench.run.cells import Grid, Pool
    from pytest_stbench.run.task_run import TaskRun
    from pytest_stbench.spec.model import TaskFile

OF_SLIDES = "measured"
"""The fact of checks for which statistics of each slide are computed."""


@dataclass(frozen=True)
class Given:
    """A task, the grid of its samples, and the folders in which its paths are looked up."""

    task: TaskFile
    grid: Grid
    roots: tuple[Path, ...]

    @cached_property
    def mark(self) -> str:
        """A digest of what is said of the data, and of the slides that were found."""
        samples = {name: [asdict(one) for one in found] for name, found in self.grid.samples.items()}
        folds = [[pool.id, [asdict(fold) for fold in pool.folds]] for pool in self.grid.pools]
        said = self.task.spec.model_dump(mode="json", exclude={"checks"})
        return json_digest({"said": said, "samples": samples, "folds": folds})

    @property
    def views(self) -> list[str]:
        """All views of the data sets that are on this machine."""
        there = (name for name in self.task.spec.datasets if name not in self.grid.missing)
        return list(dict.fromkeys(view for name in there for view in self.grid.views(name)))


def given_by(
    sources: Sequence[str], said: DataOptions, claim: str, data: Path | None, registry: Registry, store: Path
) -> Given:
    """Return what `sources` name: one task file, or files of one data set. Raises ``StbenchError``."""
    if sources[0].endswith(TASK_SUFFIX):
        path = Path(sources[0])
        roots = data_roots(path.resolve().parent, data)
        task, grid = task_and_grid(load_task(path, registry), roots, registry, store)
        return Given(task, grid, roots)
    described = described_by(sources, said)
    task, grid = task_of_data(described.name, described.config, described.samples, None, claim)
    return Given(task, grid, (described.root,))


def described_by(sources: Sequence[str], said: DataOptions) -> Described:
    """Return the data set that files, or a pattern of them, are; several are h5ad files of one folder."""
    return describe_files(pattern_of(sources), said, [*map(Path, sources)] if len(sources) > 1 else ())


def pattern_of(sources: Sequence[str]) -> str:
    """Return what names all of `sources`."""
    return str(Path(sources[0]).parent / "*.h5ad") if len(sources) > 1 else sources[0]


def absolute(sources: Sequence[str]) -> tuple[str, ...]:
    """Return `sources` as they are found from any folder."""
    return tuple(str(Path(source).expanduser().absolute()) for source in sources)


def checks_of(
    run: TaskRun, view: str, names: Collection[str] | None = None
) -> Iterator[tuple[Check, Pool | None]]:
    """Yield the checks of a view and of the splits of its slides, all or those called `names`."""
    pools = [pool for pool in run.grid.pools if pool.view == view and not pool.variant and pool.cells]
    for record in run.registry.checks:
        if names is not None and record.name not in names:
            continue
        if record.scope == "dataset":
            yield record, None
        elif record.scope == "split":
            yield from ((record, pool) for pool in pools)


def shared(names: Collection[str], registry: Registry) -> list[Check]:
    """Return those of the checks called `names` that look at slides, so that a store keeps their results."""
    return [
        record for record in registry.checks
        if record.name in names and record.scope in ("dataset", "split") and record.needs == "slides"
    ]  # fmt: skip


def asks_statistics(record: Check) -> bool:
    """Return whether a check looks at statistics that are made once a slide."""
    return OF_SLIDES in inspect.signature(loaded(record)).parameters
