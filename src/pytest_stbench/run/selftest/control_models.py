"""Negative controls that are models: what they know is no biology, and the contract must not let it in."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide

    Floats = NDArray[np.float64]

PENALTY = 1.0
DEGREE = 6
NUMBERS = 3
SCALE = 1e4


class Stated:
    """Stands for predictions that were made beside the contract."""

    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> None:
        """Say nothing: the predictions are there before anything is asked."""

    impute = predict_labels = predict_expression


class _Learner(ABC):
    """Ridge from what :meth:`features` tells of a slide to the targets of training units."""

    def fit(self, train: list[TrainSlide], task: TaskInfo) -> None:
        """Learn expression, or the classes where there are any."""
        self.classes = task.classes
        features = np.vstack([self.features(slide) for slide in train])
        targets = np.vstack([self._target(slide) for slide in train]).astype(np.float64)
        known = np.isfinite(targets).all(axis=1)
        features, targets = features[known], targets[known]
        self.mean, self.centre = targets.mean(axis=0), features.mean(axis=0)
        x = features - self.centre
        self.weights = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ (targets - self.mean))

    @abstractmethod
    def features(self, slide: TrainSlide | ModelSlide) -> Floats:
        """Return what the model looks at, (n, d)."""

    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> Floats:
        """Return expression, (n, g)."""
        del genes
        found: Floats = self.mean + (self.features(slide) - self.centre) @ self.weights
        return found

    def impute(self, slide: ModelSlide, observed_genes: Sequence[str], target_genes: Sequence[str]) -> Floats:
        """Return expression, (n, g)."""
        del observed_genes
        return self.predict_expression(slide, target_genes)

    def predict_labels(self, slide: ModelSlide, classes: Sequence[str]) -> Floats:
        """Return probabilities, (n, k)."""
        shares = np.maximum(self.predict_expression(slide, classes), 1e-6)
        found: Floats = shares / shares.sum(axis=1, keepdims=True)
        return found

    def _target(self, slide: TrainSlide) -> NDArray[Any]:
        if slide.labels is not None:
            labels = np.asarray(slide.labels, dtype=object)
            classes = np.array(self.classes, dtype=object)
            found: Floats = (labels[:, None] == classes).astype(np.float64)
            found[[label is None for label in labels]] = np.nan
            return found
        return np.asarray(slide.target)


class NamesOnly(_Learner):
    """Numbers in the names of units: where a name holds place or label, they find it."""

    def features(self, slide: TrainSlide | ModelSlide) -> Floats:
        """Return the first numbers of each name and their powers, on the scale of the slide."""
        numbers = np.zeros((slide.units.n_obs, NUMBERS))
        for row, name in enumerate(slide.units.obs_names):
            found = [float(number) for number in re.findall(r"\d+", name)[:NUMBERS]]
            numbers[row, : len(found)] = found
        return _powers(numbers)


class RowOrder(_Learner):
    """The row of a unit: where the order of units tells their place, it is found."""

    def features(self, slide: TrainSlide | ModelSlide) -> Floats:
        """Return the row and its powers, on the scale of the slide."""
        return _powers(np.arange(slide.units.n_obs, dtype=np.float64)[:, None])


class Memory(_Learner):
    """Keeps every training slide it ever saw in the class, and looks test slides up in it."""

    seen: ClassVar[dict[bytes, tuple[dict[str, int], NDArray[Any]]]] = {}

    def fit(self, train: list[TrainSlide], task: TaskInfo) -> None:
        """Learn the mean, and remember."""
        super().fit(train, task)
        for slide in train:
            if slide.labels is not None:
                names, values = task.classes, self._target(slide)
            else:
                counts = slide.counts.to_df()
                total = np.maximum(counts.sum(axis=1).to_numpy(), 1.0)
                names = tuple(str(name) for name in counts)
                values = np.log1p(counts.to_numpy() / total[:, None] * SCALE)
            columns = {name: place for place, name in enumerate(names)}
            self.seen[_fingerprint(slide)] = columns, values

    def features(self, slide: TrainSlide | ModelSlide) -> Floats:
        """Return nothing that varies."""
        return np.zeros((slide.units.n_obs, 1))

    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> Floats:
        """Return what is remembered of the slide, the mean of other genes and slides."""
        found = super().predict_expression(slide, genes)
        columns: Mapping[str, int]
        columns, target = self.seen.get(_fingerprint(slide), ({}, np.empty(0)))
        for place, name in enumerate(genes):
            if name in columns:
                known = np.isfinite(target[:, columns[name]])
                found[known, place] = target[known, columns[name]]
        return found


def _powers(numbers: Floats) -> Floats:
    low, high = numbers.min(axis=0, initial=np.inf), numbers.max(axis=0, initial=-np.inf)
    scaled = 2 * (numbers - low) / np.where(high > low, high - low, 1.0) - 1
    return np.hstack([scaled**power for power in range(1, DEGREE + 1)])


def _fingerprint(slide: TrainSlide | ModelSlide) -> bytes:
    return np.asarray(slide.units.obsm["spatial"], dtype=np.float64).tobytes()


MEMORY = "memory"
CONTROL_MODELS: Mapping[str, type] = {"names_only": NamesOnly, "row_order": RowOrder, MEMORY: Memory}
