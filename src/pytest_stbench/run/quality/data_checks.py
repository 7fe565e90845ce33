"""All checks that data alone can answer, run without pytest and without a model."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.checks.patients import person
from pytest_stbench.checks.wording import count
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.run.cells import Cell, Grid, Pool
from pytest_stbench.run.quality.check_records import check_record
from pytest_stbench.run.quality.slide_views import slide_views
from pytest_stbench.run.runner import Runner
from pytest_stbench.run.settings import RunSettings
from pytest_stbench.spec.defaults import metrics_of
from pytest_stbench.spec.model import SplitSpec, TaskFile, TaskSpec
from pytest_stbench.splits.designs import make_folds
from pytest_stbench.splits.table import Fold

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pytest_stbench.checks.patients import Person
    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.registry import Check, Registry
    from pytest_stbench.results.check_record import CheckRecord
    from pytest_stbench.results.provenance import DatasetRecord, TaskRecord
    from pytest_stbench.run.quality.slide_views import SlideView
    from pytest_stbench.run.scores.recorder import Recorder
    from pytest_stbench.run.task_run import TaskRun
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

FAMILY = "expression"
MIN_DETECTION = {"bin": 0.02, "cell": 0.02}
NEEDS_COUNTS = "needs the counts, and metadata alone was given"
NEEDS_SPLIT = "judges a split, and there is none"
NEEDS_TASK = "judges a task file"
NEEDS_MODEL = "judges a model or its results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the checks found. ``not_run`` and ``unreadable`` map a check and a data set to the reason."""

    checks: tuple[CheckRecord, ...] = ()
    datasets: tuple[DatasetRecord, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    not_run: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    views: tuple[SlideView, ...] = ()


def task_of_data(
    name: str, config: DatasetSpec, samples: tuple[Sample, ...], folds: Sequence[Fold] | None, claim: str
) -> tuple[TaskFile, Grid]:
    """Return data without a task file as a task, and the grid of :func:`grid_of_data`."""
    spec = TaskSpec.model_validate(
        {
            "stbench": 1,
            "name": name,
            "version": 1,
            "family": FAMILY,
            "claim": claim,
            "datasets": {name: config},
            "preprocess": {"genes": {"min_detection": MIN_DETECTION.get(config.resolution or "", 0.1)}},
        }
    )
    return TaskFile(path=Path(name), spec=spec, lines={}), grid_of_data(name, samples, folds)


def grid_of_data(name: str, samples: tuple[Sample, ...], folds: Sequence[Fold] | None = None) -> Grid:
    """Return the folds that split checks judge.

    Without `folds`, each person is held out in turn, slides without an id being in training; with
    fewer than two people only blocks within slides are left.
    """
    if folds is not None:
        design, made = "fixed", tuple(folds)
    elif one_out := _one_out(samples):
        design, made = "lopo", one_out
    else:
        design, made = "within", make_folds(SplitSpec(name="within"), samples) if samples else ()
    cells = tuple(Cell(dataset=name, variant="", view=name, split=design, fold=fold, seed=0) for fold in made)
    pool = Pool(dataset=name, variant="", view=name, split=design, cells=cells)
    return Grid(samples={name: samples}, missing={}, pools=(pool,) if cells else ())


def _one_out(samples: Sequence[Sample]) -> tuple[Fold, ...]:
    people: dict[str, list[str]] = {}
    for sample in samples:
        if sample.patient:
            people.setdefault(sample.patient, []).append(sample.slide)
    if len(people) < 2:
        return ()
    slides = [sample.slide for sample in samples]
    return tuple(
        Fold(name=who, train=tuple(s for s in slides if s not in own), test=tuple(own))
        for who, own in people.items()
    )


def validation_note(
    samples: Sequence[Sample], parts: Mapping[str, Sequence[str]], dataset: str
) -> tuple[str, ...]:
    """Return a note on the validation slides of a published split: the test counts them as seen."""
    people: dict[str, set[Person]] = {}
    for part, slides in parts.items():
        found = (person(sample, dataset) for sample in samples if sample.slide in set(slides))
        people[part] = {who for who in found if who is not None}
    slides = parts.get("val", ())
    if not slides or not parts.get("test"):
        return ()
    both = people["val"] & people["train"]
    twice = f"; {count(len(both), 'patient')} of them in training too" if both else ""
    note = (
        f"validation: {count(len(slides), 'slide')} of {count(len(people['val']), 'patient')}{twice}; they "
        "count as seen by the test, as in the split `fixed` of a task file, and not as tested"
    )
    return (note,)


def check_data(
    task: TaskFile,
    grid: Grid,
    roots: tuple[Path, ...],
    registry: Registry,
    *,
    store: Path,
    names: Collection[str],
    counts: bool = True,
    whole: bool = False,
    pictures: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Judged:
    """Run the checks called `names` on the data of a task.

    Parameters
    ----------
    store
        Folder for what is remembered while it runs.
    counts
        Whether there are counts; without them only checks that need metadata alone are run.
    whole
        Whether `task` was written by somebody, so that it is judged as well.
    pictures
        Whether a few slides are returned for maps.
    progress
        Is told what runs, how many checks are done, and how many there are.
    """
    spec = task.spec
    runner = Runner(RunSettings(store=store), registry)
    run, recorder = runner.task_run(task, grid, metrics_of(spec, registry.families[spec.family]), roots)
    views = list(dict.fromkeys(view for name in spec.datasets for view in grid.views(name)))
    wanted = [record for record in registry.checks if record.name in names]
    planned, not_run = _planned(wanted, run, views, counts=counts, whole=whole)
    unreadable = dict(grid.missing)
    found, datasets = _judged(run, recorder, planned, unreadable, counts=counts, progress=progress)
    readable = [view for view in views if view not in unreadable] if pictures and counts else []
    looked = [seen for view in readable for seen in slide_views(run.views.dataset(view), view, found)]
    runner.close()
    return Judged(
        checks=tuple(found),
        datasets=tuple(datasets),
        tasks=(recorder.facts.task(),) if whole else (),
        not_run=not_run,
        unreadable=unreadable,
        views=tuple(looked),
    )


def _judged(
    run: TaskRun,
    recorder: Recorder,
    planned: Sequence[tuple[Check, str, Pool | None]],
    unreadable: dict[str, str],
    *,
    counts: bool,
    progress: Callable[[str, int, int], None] | None,
) -> tuple[list[CheckRecord], list[DatasetRecord]]:
    """Return what the checks found and on what; views that cannot be read are added to `unreadable`."""
    found: list[CheckRecord] = []
    datasets: dict[str, DatasetRecord] = {}
    for done, (record, view, pool) in enumerate(planned):
        if progress:
            progress(f"{record.name} {view}".strip(), done, len(planned))
        if view and view not in datasets and view not in unreadable:
            unreadable |= _unreadable(run, view) if counts else {}
            if view not in unreadable:
                with contextlib.suppress(DataError):
                    make = recorder.facts.dataset if counts else recorder.facts.declared_dataset
                    datasets[view] = make(view)
        if view in unreadable and record.needs != "metadata":
            continue
        with contextlib.suppress(DataMissing):
            try:
                result = run.checking.run(record, view, pool)
            except DataError as error:
                unreadable[view] = str(error)
                continue
            found.append(check_record(run.spec, record, result, view, pool.split if pool else None))
    return found, list(datasets.values())


def unreadable_slides(dataset: Dataset) -> dict[str, str]:
    """Return the slides that cannot be read, each with the reason."""
    found: dict[str, str] = {}
    for slide in dataset.slide_ids:
        try:
            dataset.slide(slide)
        except (DataError, DataMissing) as error:
            found[slide] = str(error)
    dataset.close()
    return found


def _planned(
    wanted: Sequence[Check], run: TaskRun, views: Sequence[str], *, counts: bool, whole: bool
) -> tuple[list[tuple[Check, str, Pool | None]], dict[str, str]]:
    """Return the checks with the view or split that each judges, and why one judges nothing."""
    not_run: dict[str, str] = {}
    planned: list[tuple[Check, str, Pool | None]] = []
    for record in wanted:
        places, reason = _places(record, run.grid, views, counts=counts, whole=whole)
        planned += [(record, view, pool) for view, pool in places]
        if not places:
            not_run[record.name] = reason
    # One view is in memory at a time.
    planned.sort(key=lambda item: views.index(item[1]) if item[1] else len(views))
    return planned, not_run


def _places(
    record: Check, grid: Grid, views: Sequence[str], *, counts: bool, whole: bool
) -> tuple[list[tuple[str, Pool | None]], str]:
    """Return the data sets and splits that a check judges; where there are none, why."""
    if record.scope in ("model", "results"):
        return [], NEEDS_MODEL
    if not counts and record.needs == "slides":
        return [], NEEDS_COUNTS
    if record.scope == "task":
        return ([("", None)] if whole else []), NEEDS_TASK
    if record.scope == "dataset":
        return [(view, None) for view in views], ""
    pools = [pool for pool in grid.pools if not pool.variant and pool.cells]
    return [(pool.view, pool) for pool in pools], NEEDS_SPLIT


def _unreadable(run: TaskRun, view: str) -> dict[str, str]:
    """Return why the slides of a view cannot be read, if so."""
    try:
        for _ in run.views.dataset(view).slides():
            pass
    except (DataError, DataMissing) as error:
        return {view: str(error)}
    return {}
