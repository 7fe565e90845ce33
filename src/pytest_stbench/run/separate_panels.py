"""The grid of a task, after data sets whose panels are evaluated apart became one for each panel."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.run.cells import make_grid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_stbench.registry import Registry
    from pytest_stbench.run.cells import Grid
    from pytest_stbench.spec.model import DatasetSpec, TaskFile
    from pytest_stbench.splits.table import Sample


def task_and_grid(
    task: TaskFile, roots: Sequence[Path], registry: Registry, store: Path | None = None
) -> tuple[TaskFile, Grid]:
    """Return a task with its panels apart, and the grid of its cells.

    Data are looked for below `roots`; `store` holds what is known of their files. Raises ``DataError`` as
    :func:`separate_panels` does.
    """

    def samples(name: str, config: DatasetSpec) -> tuple[Sample, ...]:
        return load_samples(config, name, roots, store, readers=registry.readers)

    task = separate_panels(task, samples)
    return task, make_grid(task, samples, registry.splits)


def separate_panels(
    task: TaskFile, load_samples: Callable[[str, DatasetSpec], tuple[Sample, ...]]
) -> TaskFile:
    """Return `task` with every data set of ``panels: separate`` replaced by one per panel.

    They are called ``NAME.PANEL``. A data set that is not on this machine stays one: its items
    skip. Raises ``DataError`` for slides without a panel, or panels whose names cannot be told
    apart in test ids.
    """
    datasets: dict[str, DatasetSpec] = {}
    for name, config in task.spec.datasets.items():
        if config.panels == "together":
            datasets[name] = config
            continue
        parts: dict[str, tuple[str, ...] | None] = {name: config.slides}
        with contextlib.suppress(DataMissing):
            parts = dict(_by_panel(name, load_samples(name, config)))
        for part, slides in parts.items():
            if part in datasets or (part != name and part in task.spec.datasets):
                raise DataError(
                    f"datasets.{name}: panels: separate makes a data set {part!r}, and there is one of that "
                    "name: rename one of them"
                )
            datasets[part] = config.model_copy(update={"slides": slides, "panels": "together"})
    if list(datasets) == list(task.spec.datasets):
        return task
    return task.model_copy(update={"spec": task.spec.model_copy(update={"datasets": datasets})})


def _by_panel(name: str, samples: tuple[Sample, ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    without = [sample.slide for sample in samples if sample.panel is None]
    if without:
        raise DataError(
            f"datasets.{name}: panels: separate needs the panel of every slide; {len(without)} have none "
            f"({', '.join(without[:5])}): add a column `panel` to the samples table"
        )
    for sample in samples:
        found.setdefault(str(sample.panel), []).append(sample.slide)
    parts: dict[str, tuple[str, ...]] = {}
    for panel, slides in found.items():
        part = f"{name}.{re.sub(r'[^A-Za-z0-9_.]+', '_', panel)}"
        if part in parts:
            raise DataError(
                f"datasets.{name}: two panels are both called {part!r} in test ids: rename one of "
                f"{', '.join(map(repr, found))} in the samples table"
            )
        parts[part] = tuple(slides)
    return parts
