"""Checks of data as jobs: what they find is kept in the store, and the command reads it there.

A job is some of the checks of one view of a data set, since each looks at all slides. Before them come the
statistics of genes, a job a slide: what checks have in common is then made once, and by all workers.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.cluster.orders import CheckJob, Done
from pytest_stbench.cluster.work import UnfitError, Work
from pytest_stbench.data.propose.for_check import DataOptions
from pytest_stbench.errors import DataError, DataMissing, StbenchError
from pytest_stbench.run.cells import view_parts
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.quality.check_memo import CODE
from pytest_stbench.run.quality.given import absolute, asks_statistics, checks_of, given_by, shared
from pytest_stbench.run.runner import Runner
from pytest_stbench.run.settings import RunSettings
from pytest_stbench.spec.defaults import metrics_of
from pytest_stbench.store.store import NotKept

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_stbench.cluster.orders import Order
    from pytest_stbench.registry import Registry
    from pytest_stbench.run.quality.given import Given
    from pytest_stbench.run.task_run import TaskRun

JOBS = 16
"""A single data set is dealt into so many; of many data sets each is read by one worker."""


def jobs_of(
    sources: Sequence[str], given: Given, names: Collection[str], registry: Registry, views: int
) -> list[CheckJob]:
    """Return the jobs of what `sources` name, where the command has `views` in all."""
    records = shared(names, registry)
    parts = min(len(records), math.ceil(JOBS / max(1, views)))
    found: list[CheckJob] = []
    for view in given.views if records else ():
        job = CheckJob(label="", sources=absolute(sources), fingerprint=given.mark, view=view)
        place = view if view == given.task.spec.name else f"{given.task.spec.name} {view}"
        if parts > 1 and any(map(asks_statistics, records)):
            slides = [sample.slide for sample in given.grid.samples[view_parts(view)[0]]]
            found += [replace(job, label=f"slide {place} {one}", slide=one) for one in slides]
        for part in range(parts):
            checks = tuple(record.name for record in records[part::parts])
            which = f" {part + 1}/{parts}" if parts > 1 else ""
            found.append(replace(job, label=f"checks {place}{which}", checks=checks))
    return found


class Checking(Work):
    """Runs checks; one data set is in memory."""

    jobs = CheckJob
    code = CODE

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        self._registry = builtin_registry()
        said = dict(order.asked["said"])
        said["samples"] = Path(said["samples"]) if said["samples"] else None
        self._said = DataOptions(**said)
        self._data = Path(order.data) if order.data else None
        self._latest: tuple[tuple[str, ...], str, Runner, TaskRun] | None = None

    def _done(self, job: CheckJob) -> Done:
        run = self._run(job)
        # What cannot be read the command tells, as it does without workers.
        with suppress(DataError, DataMissing):
            if job.slide:
                run.views.measured(job.view).prepare(job.slide)
        for record, pool in checks_of(run, job.view, job.checks):
            with suppress(DataError, DataMissing):
                run.checking.run(record, job.view, pool)
        return Done(outcome="done", said="counted" if job.slide else "judged")

    def _kept(self) -> bool:
        return not any(issubclass(kind, NotKept) for kind in self._heard)

    def _run(self, job: CheckJob) -> TaskRun:
        """Return the run of what a job names; raises ``UnfitError`` where the command has another one."""
        sources = tuple(job.sources)
        if self._latest is None or self._latest[0] != sources:
            if self._latest is not None:
                self._latest[2].close()
                self._latest = None
            self._latest = (sources, *self._opened(sources))
        _, mark, _, run = self._latest
        if mark != job.fingerprint:
            message = f"finds other slides, or another text, at {sources[0]} than the command"
            raise UnfitError(f"{message}: put the data on a path that all machines share")
        return run

    def _opened(self, sources: tuple[str, ...]) -> tuple[str, Runner, TaskRun]:
        store, registry = Path(self._order.store), self._registry
        try:
            given = given_by(sources, self._said, self._order.asked["claim"], self._data, registry, store)
        except StbenchError as error:
            raise UnfitError(f"cannot read {sources[0]}: {error}") from None
        runner = Runner(RunSettings(store=store, run_id=self._order.run), registry)
        metrics = metrics_of(given.task.spec, registry.families[given.task.spec.family])
        return given.mark, runner, runner.task_run(given.task, given.grid, metrics, given.roots)[0]
