"""B17: what the training patients have on average, in the place of a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.extend import baseline
from pytest_stbench.metrics.arguments import arguments
from pytest_stbench.metrics.cohort import mean_statistic
from pytest_stbench.registry import load_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Arms, Truth
    from pytest_stbench.registry import Metric

    Key = tuple[str, str, tuple[str, ...]]

MOST_BYTES = 1 << 26
"""What the truths of training slides may take in memory; those beyond it are made for every statistic."""


class CohortStatistics:
    """The mean over training patients of whatever a metric compares between truth and prediction.

    Knows nothing of the test patient: a model that scores no better has shown no knowledge of that
    patient either. Made when it is first asked for, once for all test slides.
    """

    def __init__(self, fold: FoldData) -> None:
        self._fold = fold
        self._found: dict[Key, Any] = {}
        self._held: dict[int, Truth] = {}
        self._room = MOST_BYTES

    def of(self, record: Metric) -> Any | None:
        """Return the mean statistic in the genes of the metric; None for a metric without one."""
        if not record.statistic:
            return None
        key = (record.statistic, record.genes, record.inputs)
        if key not in self._found:
            self._found[key] = self._mean(record)
        return self._found[key]

    def _truths(self) -> Iterator[tuple[str, str, Truth]]:
        for number, slide in enumerate(self._fold.train):
            truth = self._held.get(number)
            if truth is None:
                truth = self._fold.question.truth(slide, self._fold)
                size = truth.values.nbytes  # type: ignore[attr-defined]  # expression has values
                # The first that fit: all are asked for in turn, and the latest would never be those wanted.
                if size <= self._room:
                    self._room -= size
                    self._held[number] = truth
            yield slide.meta.patient_id or slide.meta.slide_id, slide.meta.slide_id, truth

    def _mean(self, record: Metric) -> Any:
        by_patient: dict[str, list[Any]] = {}
        for patient, slide_id, truth in self._truths():
            for arms in truth.arms(record, {slide_id: truth.values}):  # type: ignore[attr-defined]  # expression has values
                by_patient.setdefault(patient, []).append(_statistic(record, arms))
        return mean_statistic([mean_statistic(slides) for slides in by_patient.values()])


@baseline(
    "B17",
    kind="diagnostic",
    families=("expression", "imputation", "niche_signatures", "coexpression", "communication"),
    memory="O(genes^2)",
)
class TrainStatistic:
    """Training patients' mean of what a metric makes of the truth, instead of a prediction.

    The baseline made of :class:`CohortStatistics`: a diagnostic, for it predicts no expression.
    """

    name = "train_statistic"
    revision = "1"

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {}

    def predict_fold(self, fold: FoldData) -> Mapping[str, CohortStatistics]:
        """Return the same statistics for every test slide."""
        statistics = CohortStatistics(fold)
        return {slide.meta.slide_id: statistics for slide in fold.test}


def _statistic(record: Metric, arms: Arms) -> Any:
    """Return what one true slide has, from the inputs that the metric itself is given."""
    function = load_target(record.statistic)
    return function(arms.truth, **arguments(record, function, arms.offered))
