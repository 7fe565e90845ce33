"""Which slides a task can cut into its folds, found by cutting them: for a file that was never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.errors import DataError, SplitError
from pytest_stbench.preprocess.filter import filter_units
from pytest_stbench.run.folding import fold_sides
from pytest_stbench.spec.defaults import MIN_UNIT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.registry import Registry
    from pytest_stbench.run.cells import Pool
    from pytest_stbench.spec.model import TaskSpec
    from pytest_stbench.splits.table import Fold, Sample


def unusable(
    spec: TaskSpec, samples: Sequence[Sample], pool: Pool, roots: Sequence[Path], registry: Registry
) -> dict[str, str]:
    """Return the slides that the folds of `pool` cannot use, each with the reason.

    A slide is read, filtered as the task filters it, and cut where its fold lies within it.
    """
    name = pool.dataset
    dataset = Dataset(name, spec.datasets[name], samples, roots, readers=registry.readers)
    within = {fold.test[0]: fold for fold in pool.folds if fold.within}
    whys = {slide: _why_not(dataset, slide, spec, within.get(slide)) for slide in dataset.slide_ids}
    dataset.close()
    return {slide: why for slide, why in whys.items() if why}


def _why_not(dataset: Dataset, name: str, spec: TaskSpec, fold: Fold | None) -> str:
    try:
        slide = dataset.slide(name)
        kept = slide.select(filter_units(slide, spec.preprocess.filter) & (slide.libsize > 0))
    except DataError as error:
        return f"it cannot be read: {error}"
    if not kept.n_units:
        counts, genes = MIN_UNIT.get(slide.meta.resolution or "", (1, 0))
        return f"none of its units has {counts:,} counts and {genes:,} genes"
    try:
        if fold is not None:
            fold_sides(fold, lambda _: kept)
    except (DataError, SplitError) as error:
        return str(error)
    return ""
