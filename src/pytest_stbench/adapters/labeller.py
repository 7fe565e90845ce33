"""Classes of units by a classifier that learns from labelled counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.adapters.training_cells import cells_of, reference
from pytest_stbench.baselines.counts import log_normalised, row_sums
from pytest_stbench.errors import ModelError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide


class Labeller:
    """A model of ``predict_labels`` made of two functions.

    Parameters
    ----------
    train
        ``train(cells, task)``: `cells` is an AnnData of labelled cells, ``log1p(counts / sum * 10,000)`` of
        the observed genes, with ``obs["label"]`` in the words of the task.
    predict
        ``predict(trained, units, task)``, of what `train` returned. It returns a label for each unit, or a
        data frame (units, classes) of numbers of at least 0; the columns of an array are the sorted labels.
    classes
        Name of the task for a label of the reference or classifier that has words of its own.
    name, revision, most
        Identity of the model; so many cells of the reference at most. Labels that the task does not know are
        left out of a row before it is divided by its sum; a row of nothing else gets the shares of training.
    """

    def __init__(
        self, train: Callable[[AnnData, TaskInfo], Any], predict: Callable[[Any, AnnData, TaskInfo], Any], *,
        classes: Mapping[str, str] | None = None, name: str | None = None, revision: str | None = None,
        most: int | None = None,
    ) -> None:  # fmt: skip
        self.train, self.predict, self.most, self.classes = train, predict, most, dict(classes or {})
        self.name, self.revision = name or getattr(predict, "__name__", type(predict).__name__), revision

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Train on the labelled cells; one class alone needs no classifier."""
        self.task = task
        cells = reference(train, task, self.most)
        words = np.array([self.classes.get(label, label) for label in cells.obs["label"]], dtype=object)
        known = np.array([word in task.classes for word in words], dtype=bool)
        self.genes = [gene for gene in task.observed_genes if gene in cells.var_names]
        if not known.any() or not self.genes:
            raise ModelError(
                f"{self.name} finds {known.sum():,} cells of known classes, {len(self.genes):,} genes: "
                "hand out counts (`input: expression`), or map labels by Labeller(..., classes={...})"
            )
        cells = _normalised(cells, np.flatnonzero(known), self.genes)
        cells.obs["label"] = words[known]
        self.labels, shares = np.unique(words[known].astype(str), return_counts=True)
        self.shares = dict(zip(self.labels.tolist(), (shares / shares.sum()).tolist(), strict=True))
        self.trained = self.train(cells, task) if len(self.labels) > 1 else None

    def predict_labels(self, slide: ModelSlide, classes: Sequence[str]) -> Any:
        """Return (units, classes) probabilities, or a label for each unit."""
        prior = np.array([self.shares.get(name, 0.0) for name in classes])
        if len(self.labels) == 1:
            return np.tile(prior, (slide.n_units, 1))
        units = _normalised(slide.units, np.arange(slide.n_units), self.genes)
        found = self.predict(self.trained, units, self.task)
        labels = np.ndim(found) == 1
        words = np.asarray(found, dtype=object) if labels else getattr(found, "columns", self.labels)
        words = [self.classes.get(str(word), str(word)) for word in words]
        strange = sorted(set(words) - set(classes))
        if strange and not set(words) & set(classes):
            raise ModelError(
                f"no label of {self.name} is a class of the task ({', '.join(classes)}), the first is "
                f"{strange[0]!r}{nearest(strange[0], classes)}: name them by Labeller(..., classes={{...}})"
            )
        return words if labels else self._shares(np.asarray(found, dtype=np.float64), words, classes, prior)

    def _shares(
        self, found: NDArray[np.float64], words: list[str], classes: Sequence[str], prior: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if found.shape[1] != len(words):
            message = (
                f"{self.name} returned {found.shape[1]} columns for {len(words)} labels: name the columns"
            )
            raise ModelError(message)
        same = np.array([[word == name for name in classes] for word in words], dtype=np.float64)
        values = found @ same
        total = values.sum(axis=1, keepdims=True)
        return np.asarray(np.where(total == 0, prior, values / np.where(total == 0, 1, total)))


def _normalised(adata: AnnData, rows: NDArray[np.intp], genes: Sequence[str]) -> AnnData:
    found = cells_of(adata, rows, genes)
    found.X = log_normalised(found.X, row_sums(found.X), 1e4)
    return found
