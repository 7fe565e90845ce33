"""The grid of a task: data set x variant x split x fold x seed, from the samples table alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.errors import DataMissing, Problem, SplitError, TaskFileError
from pytest_stbench.spec.defaults import default_splits, view_of
from pytest_stbench.splits.designs import make_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_stbench.registry import Split
    from pytest_stbench.spec.model import DatasetSpec, SplitSpec, TaskFile, TaskSpec
    from pytest_stbench.splits.table import Fold, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is fitted and predicted once. ``seed_in_id`` when the task has several seeds.

    ``view`` is the data set as the variant sees it: its name, or ``name+variant`` where the
    variant forms units of its own.
    """

    dataset: str
    variant: str
    view: str
    split: str
    fold: Fold
    seed: int
    seed_in_id: bool = False

    @property
    def whole_fold(self) -> str:
        """What cells of one fold have in common, whatever their seed."""
        return f"{self.variant} {self.dataset} {self.split} {self.fold.name}"

    @property
    def pool(self) -> str:
        """The id of the pool that it belongs to."""
        return pool_id(self.dataset, self.variant, self.split)

    @property
    def id(self) -> str:
        """Part of the node id in brackets, such as ``her2st+raw-lopo-A``."""
        seed = f"-s{self.seed}" if self.seed_in_id else ""
        return f"{self.pool}-{self.fold.name}{seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """All folds and seeds of one data set, variant and split: what a pooled score stands on."""

    dataset: str
    variant: str
    view: str
    split: str
    cells: tuple[Cell, ...]

    @property
    def id(self) -> str:
        """Part of the node id in brackets, such as ``her2st-lopo``."""
        return pool_id(self.dataset, self.variant, self.split)

    @property
    def within(self) -> bool:
        """Whether train and test units lie on the same slides: then nothing generalises."""
        return any(cell.fold.within for cell in self.cells)

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds, each once whatever the number of seeds."""
        return tuple({cell.fold.name: cell.fold for cell in self.cells}.values())

    @property
    def test_slides(self) -> tuple[str, ...]:
        """Slides that are predicted in some fold."""
        return tuple(dict.fromkeys(slide for fold in self.folds for slide in fold.test))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The grid of one task file. ``missing`` tells why a data set is not on this machine."""

    samples: Mapping[str, tuple[Sample, ...]]
    missing: Mapping[str, str]
    pools: tuple[Pool, ...]

    def of(self, dataset: str) -> Iterator[Pool]:
        """Yield the pools of one data set."""
        return (pool for pool in self.pools if pool.dataset == dataset)

    def views(self, dataset: str) -> tuple[str, ...]:
        """Return the views of one data set, that of the main setting first."""
        return tuple(dict.fromkeys((dataset, *(pool.view for pool in self.of(dataset)))))


def view_id(dataset: str, variant: str) -> str:
    """Return the name of a view: ``dataset``, or ``dataset+variant`` for units of the variant's own."""
    return f"{dataset}+{variant}" if variant else dataset


def view_parts(view: str) -> tuple[str, str]:
    """Return data set and variant of a view; the variant of the main setting is empty."""
    dataset, _, variant = view.partition("+")
    return dataset, variant


def patient_of(grid: Grid, dataset: str) -> dict[str, str]:
    """Return the patient of each slide of a data set; a slide without one stands for itself."""
    return {sample.slide: sample.patient or sample.slide for sample in grid.samples[dataset]}


def pool_id(dataset: str, variant: str, split: str) -> str:
    """Return ``dataset+variant-split``; the main setting has no variant in its id."""
    return f"{dataset}+{variant}-{split}" if variant else f"{dataset}-{split}"


def make_grid(
    task: TaskFile,
    load_samples: Callable[[str, DatasetSpec], tuple[Sample, ...]],
    designs: Iterable[Split],
) -> Grid:
    """Build the grid of `task`.

    Raises ``TaskFileError`` with every split that cannot be made, at its line.
    """
    spec = task.spec
    samples: dict[str, tuple[Sample, ...]] = {}
    missing: dict[str, str] = {}
    pools: list[Pool] = []
    problems: list[Problem] = []
    for name, config in spec.datasets.items():
        try:
            samples[name] = load_samples(name, config)
        except DataMissing as error:
            samples[name] = ()
            missing[name] = str(error)
        n_patients = len({sample.patient for sample in samples[name] if sample.patient})
        made: list[Pool] = []
        for position, split in enumerate(spec.splits or default_splits(n_patients)):
            try:
                folds = make_folds(split, samples[name], designs) if name not in missing else ()
            except SplitError as error:
                file, line = task.line("splits", position)
                problems.append(
                    Problem(
                        file=file, line=line, key=f"splits.{split.name}", message=f"data set {name}: {error}"
                    )
                )
                continue
            made.extend(
                _pool(task.spec, name, variant, split, folds) for variant in ("", *spec.preprocess.variants)
            )
        # One view is in memory at a time: its pools follow each other.
        views = list(dict.fromkeys(pool.view for pool in made))
        pools.extend(sorted(made, key=lambda pool: views.index(pool.view)))
    if problems:
        raise TaskFileError(problems)
    return Grid(samples=samples, missing=missing, pools=tuple(pools))


def _pool(task: TaskSpec, dataset: str, variant: str, split: SplitSpec, folds: tuple[Fold, ...]) -> Pool:
    view = view_id(dataset, view_of(task, variant))
    cells = tuple(
        Cell(
            dataset=dataset,
            variant=variant,
            view=view,
            split=split.name,
            fold=fold,
            seed=seed,
            seed_in_id=len(task.seeds) > 1,
        )
        for fold in folds
        for seed in task.seeds
    )
    return Pool(dataset=dataset, variant=variant, view=view, split=split.name, cells=cells)
