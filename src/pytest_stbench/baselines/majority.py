"""B14: how often each class occurs in training, the same for every unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pytest_stbench.baselines.families import LABELS
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide


@baseline("B14", kind="model", families=(*LABELS, "proportions", "embedding"), memory="O(classes)")
class Majority:
    """The class frequencies of the training patients for every unit; as an embedding, one point.

    The most frequent class is what it calls every unit. A patient's frequencies are over all its
    labelled units, and patients count equally. For proportions it predicts their training mean in
    the same way.
    """

    name = "majority"
    revision = "1"
    config: ClassVar[dict[str, Any]] = {}  # nothing to set

    def __init__(self) -> None:
        self.classes: tuple[str, ...] = ()
        self.frequency: NDArray[np.float64] = np.empty(0)

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Take the frequencies, where classes or types are asked.

        Raises ``ModelError`` when no training unit has a label.
        """
        self.classes = task.classes
        if not task.classes:
            return
        sums: dict[str, NDArray[np.float64]] = {}
        for slide in train:
            patient = slide.meta.patient_id or slide.meta.slide_id
            own = _amounts(slide, task.classes)
            sums[patient] = sums.get(patient, 0.0) + own
        shares = [total / total.sum() for total in sums.values() if total.sum() > 0]
        if not shares:
            raise ModelError(f"{self.name}: no training unit has a label among {', '.join(task.classes)}")
        self.frequency = np.mean(shares, axis=0)

    def predict_labels(self, slide: ModelSlide, classes: Sequence[str]) -> NDArray[np.float32]:
        """Return the frequencies, (n, k), the same in every row."""
        place = {name: column for column, name in enumerate(self.classes)}
        row = np.array([self.frequency[place[name]] if name in place else 0.0 for name in classes])
        return np.tile((row / row.sum()).astype(np.float32), (slide.n_units, 1))

    def predict_proportions(self, slide: ModelSlide, types: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean training proportions, (n, k), the same in every row."""
        return self.predict_labels(slide, types)

    def embed(self, slide: ModelSlide) -> NDArray[np.float32]:
        """Return one point for all units, (n, 1): a single cluster."""
        return np.zeros((slide.n_units, 1), dtype=np.float32)


def _amounts(slide: TrainSlide, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return how much of each class the units of a slide hold."""
    if slide.proportions is not None:
        return np.asarray(np.nansum(slide.proportions, axis=0, dtype=np.float64))
    if slide.labels is None:
        return np.zeros(len(classes))
    return np.array([(slide.labels == name).sum() for name in classes], dtype=np.float64)
