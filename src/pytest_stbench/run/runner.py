"""The runner of a session: one store, one data set in memory, one run per task file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.predicting import Predictor
from pytest_stbench.data.checksums import Checksums
from pytest_stbench.data.images.tokens import keep_in
from pytest_stbench.run.details.writer import Keeper
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.run.scores.recorder import Recorder
from pytest_stbench.run.scores.stored_run import StoredRun
from pytest_stbench.run.task_run import TaskRun
from pytest_stbench.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_stbench.calls.predicting import Tally
    from pytest_stbench.registry import Registry
    from pytest_stbench.run.cells import Grid
    from pytest_stbench.run.settings import RunSettings
    from pytest_stbench.spec.model import MetricSpec, TaskFile


def no_progress(label: str) -> AbstractContextManager[Any]:
    """Tell nobody."""
    del label
    return contextlib.nullcontext()


class Runner:
    """Shares store and data set between the task files of a session.

    `progress` is a context manager around each computed cell, and the reading of checksums, told its label.
    """

    def __init__(
        self,
        settings: RunSettings,
        registry: Registry,
        progress: Callable[[str], AbstractContextManager[Any]] = no_progress,
    ) -> None:
        self.settings = settings
        self.registry = registry
        self._stored = StoredRun(settings.compare) if settings.compare else None
        store = Store(settings.store, run_id=settings.run_id)
        keep_in(settings.store)
        self.checksums = Checksums(store=settings.store, anew=settings.no_skip, progress=progress)
        self._opened = OpenDataset(store, self.checksums, settings.machine)
        self._predictor = Predictor(
            store, retry=settings.retry, afresh=settings.afresh, progress=progress,
            keep_models=None if settings.afresh else settings.keep_models,
        )  # fmt: skip
        self.keeper = Keeper(settings.parts, settings.keep) if settings.keep else None
        self._runs: dict[Path, tuple[TaskRun, Recorder]] = {}
        self._latest: TaskRun | None = None

    @property
    def tally(self) -> Tally:
        """Cells computed and reused so far."""
        return self._predictor.tally

    def task_run(
        self, task: TaskFile, grid: Grid, metrics: Sequence[MetricSpec], roots: tuple[Path, ...]
    ) -> tuple[TaskRun, Recorder]:
        """Return run and recorder of a task file; data of the one before leave memory."""
        if task.path not in self._runs:
            run = TaskRun(
                task, grid, metrics, self.registry, roots=roots, opened=self._opened,
                predictor=self._predictor, keeper=self.keeper,
            )  # fmt: skip
            self._runs[task.path] = (run, Recorder(run, self._stored))
        run, recorder = self._runs[task.path]
        if self._latest is not None and self._latest is not run:
            self._latest.forget()
            self._predictor.forget()
        self._latest = run
        return run, recorder

    def close(self) -> None:
        """Forget the data set in memory."""
        self._opened.close()
