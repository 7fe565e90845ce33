"""Negative controls that are made of what baselines predict, on one cell."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.task_run import TaskRun

    Values = Mapping[str, NDArray[Any]]

NOISE = 0.25
"""Of the standard deviation of a column over units."""

LEAST = 1e-3
"""Noise of a column that does not vary: enough not to be a copy of the baseline."""

DEPTH_BINS = 20


class Material:
    """Predictions of the baselines of one cell, and its fold."""

    def __init__(self, run: TaskRun, cell: Cell) -> None:
        self._run, self._cell = run, cell
        self._ladder = run.ladder(cell.dataset)

    @cached_property
    def simple(self) -> Values:
        """What S predicts."""
        assert self._ladder.simple is not None  # every embedded task has one
        return self._run.run_baseline(self._ladder.simple, self._cell).values

    @cached_property
    def trivial(self) -> Values:
        """What T predicts."""
        return self._run.run_baseline(self._ladder.trivial, self._cell).values

    @cached_property
    def depth(self) -> Values | str:
        """What the true library size predicts; why there is none else."""
        record = self._run.registry.baselines["libsize"]
        if self._run.family.served_by(record):
            return self._run.run_baseline(record, self._cell).values
        if self.shares:
            return _classes_by_depth(self.fold)
        return "library size has nothing to say on this family"

    @property
    def shares(self) -> bool:
        """Whether predictions are probabilities of classes."""
        return self._run.family.predicts == "labels"

    @property
    def fold(self) -> FoldData:
        """The data of the cell."""
        return self._run.fold(self._cell)

    def moved(self, values: Values, size: float) -> Values:
        """Return `values` with normal noise of `size` standard deviations of each column (1e-3 at least)."""
        found = {}
        for key, array in values.items():
            noise = stream(0, "noise of a control", key).normal(array.shape)
            spread = np.maximum(array.std(axis=0), LEAST)
            found[key] = self.valid(array + size * spread * noise)
        return found

    def valid(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Return an array as the contract has it: probabilities are positive and add up to 1."""
        if self.shares:
            array = np.maximum(array, 1e-9)
            array = array / array.sum(axis=1, keepdims=True)
        return np.asarray(array, dtype=np.float32)


def _classes_by_depth(fold: FoldData) -> Values:
    """Return the class frequencies of the training units of like library size."""
    classes = fold.task.classes
    depth, one_hot = [], []
    for slide in fold.train:
        labels = fold.question.lessons(slide, fold)["labels"]
        known = np.array([label is not None for label in labels])
        depth.append(np.log(slide.libsize[known]))
        one_hot.append(labels[known][:, None] == np.array(classes, dtype=object))
    edges = np.quantile(np.concatenate(depth), np.arange(1, DEPTH_BINS) / DEPTH_BINS)
    place = np.searchsorted(edges, np.concatenate(depth))
    sums = np.zeros((DEPTH_BINS, len(classes)))
    np.add.at(sums, place, np.concatenate(one_hot))
    shares = (sums + 1.0) / (sums + 1.0).sum(axis=1, keepdims=True)
    return {
        slide.meta.slide_id: shares[np.searchsorted(edges, np.log(slide.libsize))].astype(np.float32)
        for slide in fold.test
    }


def _shuffled(material: Material) -> Values:
    return {
        key: array[stream(0, "order of a control", key).permutation(len(array))]
        for key, array in material.simple.items()
    }


def _copy(material: Material) -> Values:
    return {key: material.valid(array * (1 + 1e-6)) for key, array in material.simple.items()}


def _rescaled(material: Material) -> Values:
    """S on another scale: the same order of units for every gene, the same most probable class."""
    scale = np.sqrt if material.shares else (lambda array: 2.0 * array + 1.0)
    return {key: material.valid(scale(array)) for key, array in material.simple.items()}


CONTROLS: Mapping[str, Callable[[Material], Values | str]] = {
    "shuffled": _shuffled,
    "depth_only": lambda material: material.depth,
    "noise_added": lambda material: material.moved(material.simple, NOISE),
    "prior_only": lambda material: material.moved(material.trivial, 1.0),
    "copy_of_simple": _copy,
    "simple_rescaled": _rescaled,
}
"""What each control predicts, or why it does not apply."""

NEEDS_REFERENCE = frozenset({"noise_added", "copy_of_simple", "simple_rescaled"})
"""Controls that know what S knows: they are negative where S is to be beaten."""
