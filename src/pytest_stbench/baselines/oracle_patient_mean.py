"""B02: the mean of the test patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pytest_stbench.baselines.families import EXPRESSION
from pytest_stbench.baselines.train_mean import mean_of_patient_means
from pytest_stbench.extend import baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import TaskInfo, TruthSlide


@baseline("B02", kind="diagnostic", families=EXPRESSION, memory="O(genes)")
class OraclePatientMean:
    """Each gene's mean over the test patient: all that can be known without knowing any place.

    Slides given to :meth:`observe` beforehand are joined by patient; a slide that was not given is
    predicted as the mean of its own units.
    """

    name = "oracle_patient_mean"
    revision = "1"
    config: ClassVar[dict[str, Any]] = {}  # nothing to set

    def __init__(self) -> None:
        self._means: dict[str, NDArray[np.float64]] = {}

    def fit(self, train: Sequence[TruthSlide], task: TaskInfo) -> None:
        """Learn nothing: training slides say nothing of the test patient."""

    def observe(self, test: Sequence[TruthSlide]) -> None:
        """Take the means of the patients of `test`, over all their slides."""
        by_patient: dict[str, list[TruthSlide]] = {}
        for slide in test:
            by_patient.setdefault(_patient(slide), []).append(slide)
        for patient, slides in by_patient.items():
            self._means[patient] = _mean(slides)

    def predict(self, slide: TruthSlide) -> NDArray[np.float32]:
        """Return the patient's means, (n, g), the same in every row."""
        mean = self._means.get(_patient(slide))
        mean = _mean([slide]) if mean is None else mean
        return np.tile(mean.astype(np.float32), (len(slide.values), 1))


def _patient(slide: TruthSlide) -> str:
    return slide.input.meta.patient_id or slide.input.meta.slide_id


def _mean(slides: Sequence[TruthSlide]) -> NDArray[np.float64]:
    return mean_of_patient_means(["one"] * len(slides), [slide.values for slide in slides])
