"""Somebody's slides, opened once for all figures: with a simple task around them, fitted by a baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.roots import data_roots
from pytest_stbench.errors import DataError, DataMissing, StbenchError
from pytest_stbench.families.imputation.declare import HideSpec, Imputation
from pytest_stbench.report.figures.figure import CannotDraw
from pytest_stbench.run.cells import Grid, view_id
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.quality.data_checks import check_data, grid_of_data, task_of_data, unreadable_slides
from pytest_stbench.run.runner import Runner
from pytest_stbench.run.separate_panels import task_and_grid
from pytest_stbench.run.settings import RunSettings
from pytest_stbench.spec.defaults import metrics_of
from pytest_stbench.spec.model import BinSpec, MetricSpec, TaskFile, VariantSpec
from pytest_stbench.spec.validate import load_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.propose.for_check import Described
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.quality.data_checks import Judged
    from pytest_stbench.run.task_run import TaskRun

FAMILY = "coexpression"
"""The family that is asked: whatever predicts expression answers it."""
METRICS = ("coexpression_ssim", "niche_jaccard")
CELLS, XISIUM = "cells", "xisium"
"""Variants that form the other kind of unit."""
FEWEST_UNITS = 10
FORMS_UNITS = frozenset({"cell", "transcript"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A source: its task (made for it, or its own), grid and folders; ``notes`` tell what was left out."""

    task: TaskFile
    grid: Grid
    roots: tuple[Path, ...]
    whole: bool
    notes: tuple[str, ...] = ()

    def judged(self, store: Path) -> Judged:
        """Return what all checks of data find, as ``stbench check`` does."""
        registry = builtin_registry()
        names = registry.checks.names
        return check_data(
            self.task, self.grid, self.roots, registry, store=store, names=names, whole=self.whole
        )

    def subjects(self, store: Path, labels: Mapping[str, str]) -> Iterator[Subject]:
        """Yield the data sets, one of them in memory at a time; `labels` say how each is called."""
        for name, label in labels.items():
            yield Subject(self, name, label, store)


class Subject:
    """One data set: its slides as a task scores them, and predictions of them."""

    def __init__(self, opened: Opened, name: str, label: str, store: Path) -> None:
        self.name = name
        self.label = label
        self._registry = builtin_registry()
        self._opened = opened
        self._store = store
        self._run: TaskRun | None = None
        self._main: Slide | None = None

    @property
    def missing(self) -> str:
        """Why the data are not on this machine; empty where they are."""
        return self._opened.grid.missing.get(self.name, "")

    @property
    def run(self) -> TaskRun:
        """The task as it is asked here; made at the first call."""
        if self._run is None:
            self._run = self._made()
        return self._run

    @property
    def other(self) -> str:
        """The view whose units are of the other kind: spots of cells, or cells of spots; empty for none."""
        (variant,) = self.run.spec.preprocess.variants or ("",)
        return view_id(self.name, variant) if variant else ""

    def slides(self) -> Iterator[Slide]:
        """Yield the slides with the units that are scored. Raises ``DataError``."""
        return self.run.views.measured(self.name).slides()

    def largest(self, fits: Callable[[Slide], bool] | None = None, *, among: Sequence[str] = ()) -> Slide:
        """Return the slide of most units among those that fit. Raises ``CannotDraw`` where none does."""
        found = [
            slide
            for slide in self.slides()
            if slide.n_units >= FEWEST_UNITS
            and (not among or slide.meta.slide_id in among)
            and _has_extent(slide)
            and (fits is None or fits(slide))
        ]
        if not found:
            why = f"no slide of {self.label} has {FEWEST_UNITS} units with coordinates that pass the filter"
            raise CannotDraw(why, "run `stbench check`: it says which units were left out, and why")
        return max(found, key=lambda slide: slide.n_units)

    def close(self) -> None:
        """Forget what was read."""
        if self._run is not None:
            self._run.forget()
        self._run = None

    def cell_of(self, slide_id: str) -> Cell:
        """Return the first fold in which a slide is tested. Raises ``CannotDraw`` where it is in none."""
        for pool in self.run.grid.of(self.name):
            for cell in pool.cells:
                if not pool.variant and slide_id in cell.fold.test:
                    return cell
        why = f"slide {slide_id} is tested in no fold"
        raise CannotDraw(why, "check `splits:` and the patients of the samples table")

    def tested(self) -> tuple[str, ...]:
        """Return the slides that some fold tests."""
        pools = (pool for pool in self.run.grid.of(self.name) if not pool.variant)
        return tuple(dict.fromkeys(slide for pool in pools for slide in pool.test_slides))

    def _made(self) -> TaskRun:
        opened = self._opened
        config = opened.task.spec.datasets[self.name]
        variants = {}
        forms = self._forms()
        if forms is not None:
            variants = {forms[0]: VariantSpec(bin=forms[1])}
        spec = opened.task.spec
        spec = spec.model_copy(
            update={
                "family": FAMILY,
                "primary": METRICS[0],
                "metrics": _as_asked(spec.metrics),
                "datasets": {self.name: config},
                "preprocess": spec.preprocess.model_copy(update={"variants": variants}),
            }
        )
        pools = [pool for pool in opened.grid.of(self.name) if not pool.variant]
        for variant in variants:
            pools += [_formed(pool, variant) for pool in pools[:1]]
        grid = replace(opened.grid, pools=tuple(pools))
        run = self._open(spec, grid)
        if spec.block("imputation") is None and not run.views.offered(self.name) & {"image", "embedding"}:
            # Without an image there is nothing to predict expression from but other genes.
            hidden = Imputation(hide=HideSpec(folds=2, fold=0))
            run = self._open(spec.model_copy(update={"imputation": hidden}), grid)
        return run

    def _open(self, spec: Any, grid: Grid) -> TaskRun:
        task = self._opened.task.model_copy(update={"spec": spec})
        runner = Runner(RunSettings(store=self._store), self._registry)
        metrics = metrics_of(spec, self._registry.families[FAMILY])
        run, _ = runner.task_run(task, grid, metrics, self._opened.roots)
        return run

    def _forms(self) -> tuple[str, BinSpec] | None:
        """Return the variant that forms the other kind of unit; None where nothing can be formed."""
        spec = self._opened.task.spec
        config = spec.datasets[self.name]
        if config.bin is not None and config.bin.geometry != "none":
            return CELLS, BinSpec(geometry="none")
        said = {sample.resolution or config.resolution for sample in self._opened.grid.samples[self.name]}
        if not said & FORMS_UNITS:
            return None
        asked = [v.bin for v in spec.preprocess.variants.values() if v.bin and v.bin.geometry == "tiled"]
        return XISIUM, asked[0] if asked else BinSpec(geometry="tiled")


def open_task(path: Path, data_root: Path | None, store: Path) -> Opened:
    """Return a task file with its own data sets, splits and preprocessing. Raises ``StbenchError``."""
    registry = builtin_registry()
    roots = data_roots(path.resolve().parent, data_root)
    task, grid = task_and_grid(load_task(path, registry), roots, registry, store)
    return Opened(task=task, grid=grid, roots=roots, whole=True)


def open_files(described: Described) -> Opened:
    """Return files as ``stbench check`` takes them: slides that cannot be read are left out and named.

    Raises ``DataError`` where none can be read.
    """
    registry, name = builtin_registry(), described.name
    data = Dataset(name, described.config, described.samples, (described.root,), readers=registry.readers)
    broken = unreadable_slides(data)
    rest = tuple(sample for sample in described.samples if sample.slide not in broken)
    notes = [*described.notes, *(f"slide {slide} cannot be read: {why}" for slide, why in broken.items())]
    if not rest:
        raise DataError("; ".join(broken.values()))
    task, _ = task_of_data(name, described.config, rest, None, "population")
    return Opened(
        task=task, grid=grid_of_data(name, rest), roots=(described.root,), whole=False, notes=tuple(notes)
    )


def reason_of(error: StbenchError) -> tuple[str, str]:
    """Return why something could not be made, and what to do."""
    if isinstance(error, CannotDraw):
        return error.why, error.fix
    fix = (
        "put the data there" if isinstance(error, DataMissing) else "`stbench check` says more of these data"
    )
    return str(error), fix


def _as_asked(given: tuple[MetricSpec, ...]) -> tuple[MetricSpec, ...]:
    """Return the metrics that are drawn, with the parameters that the task gives them."""
    named = {metric.name: metric for metric in given}
    return tuple(named.get(name, MetricSpec(name=name)) for name in METRICS)


def _formed(pool: Any, variant: str) -> Any:
    view = view_id(pool.dataset, variant)
    cells = tuple(replace(cell, variant=variant, view=view) for cell in pool.cells)
    return replace(pool, variant=variant, view=view, cells=cells)


def _has_extent(slide: Slide) -> bool:
    places = slide.xy_um[np.isfinite(slide.xy_um).all(axis=1)]
    return len(places) >= FEWEST_UNITS and bool((np.ptp(places, axis=0) > 0).all())
