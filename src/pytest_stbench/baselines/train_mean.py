"""B01: the mean of the training patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pytest_stbench.baselines.families import EXPRESSION
from pytest_stbench.baselines.linear import ImputesFromExpression, pick
from pytest_stbench.extend import baseline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide


@baseline("B01", kind="model", families=EXPRESSION, memory="O(genes)")
class TrainMean(ImputesFromExpression):
    """Each gene's mean over the training patients: knows nothing of the test slide.

    A patient's mean is over all its units, so that patients count equally and slides by their
    size. Slides that did not measure a gene do not count for it; a gene that none measured is
    predicted as 0.
    """

    name = "train_mean"
    revision = "1"
    config: ClassVar[dict[str, Any]] = {}  # nothing to set

    def __init__(self) -> None:
        self.genes: tuple[str, ...] = ()
        self.mean: NDArray[np.float64] = np.empty(0)

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Take the means."""
        self.genes = task.genes
        self.mean = mean_of_patient_means(
            [slide.meta.patient_id or slide.meta.slide_id for slide in train],
            (slide.target for slide in train),
        )

    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> NDArray[np.float32]:
        """Return the means, (n, g), the same in every row."""
        mean = self.mean[pick(self.genes, genes, self.name)].astype(np.float32)
        return np.tile(mean, (slide.n_units, 1))


def mean_of_patient_means(
    patients: Sequence[str], values: Iterable[NDArray[np.floating]]
) -> NDArray[np.float64]:
    """Return the mean over patients of the mean over the patient's units, (g,).

    nan values take no part; 0 where every value is nan.
    """
    sums: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for patient, block in zip(patients, values, strict=True):
        defined = ~np.isnan(block)
        total, count = sums.get(patient, (np.zeros(block.shape[1]), np.zeros(block.shape[1])))
        sums[patient] = (
            total + np.where(defined, block, 0.0).sum(axis=0, dtype=np.float64),
            count + defined.sum(axis=0),
        )
    means = np.stack([_ratio(total, count) for total, count in sums.values()])
    has = np.stack([count > 0 for _, count in sums.values()])
    return _ratio(means.sum(axis=0), has.sum(axis=0))


def _ratio(total: NDArray[np.float64], count: NDArray[Any]) -> NDArray[np.float64]:
    """Return total / count, 0 where there is nothing to divide by."""
    ratio: NDArray[np.float64] = np.divide(total, count, out=np.zeros(len(total)), where=count > 0)
    return ratio
