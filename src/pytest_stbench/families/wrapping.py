"""What families that wrap another one share: the question inside, and the values of its own metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.baselines.catalogue import BASELINES
from pytest_stbench.families.question import Question, question_of
from pytest_stbench.index import loaded
from pytest_stbench.metrics.aggregate import mean_value, slide_value
from pytest_stbench.metrics.arguments import arguments
from pytest_stbench.metrics.catalogue import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import FamilySettings, Plan, Predicted, Request, Truth
    from pytest_stbench.registry import Metric


class WrappingQuestion(Question):
    """A question about the answers to another one: ``inner`` asks, hands out, accepts and teaches.

    The models run here: what they are given is made while they run and cannot be exported.
    """

    exportable = False

    def __init__(self, settings: FamilySettings) -> None:
        super().__init__(settings)
        family = settings.wraps
        assert family is not None  # a wrapping family always wraps one
        assert settings.inner is not None
        self.inner = question_of(family)(settings.inner)
        self.score = InnerScore(family.primary)
        self.trivial = next(record for record in BASELINES if record.name == family.trivial)

    @property
    def hands_out_as_built(self) -> bool:
        """Whether the question inside hands out what the package makes of a slide."""
        return super().hands_out_as_built and self.inner.hands_out_as_built

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Return the plan of the question inside."""
        return self.inner.plan(train)

    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return what the question inside hands out."""
        return self.inner.build_input(slide, fold)

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Ask the question inside."""
        return self.inner.ask(model, given, request, task)

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[Any]:
        """Return what the question inside accepts."""
        return self.inner.accept(raw, request, fold, where)

    def lessons(self, slide: Slide, fold: FoldData) -> dict[str, Any]:
        """Return what the question inside teaches."""
        return self.inner.lessons(slide, fold)


@dataclass(frozen=True, kw_only=True, eq=False)
class WrappedTruth:
    """What the answers to the question inside are scored against, for one test slide."""

    key: str
    inner: Truth
    score: InnerScore

    @property
    def n_units(self) -> int:
        """Number of units that are scored."""
        return self.inner.n_units

    def n_columns(self, record: Metric) -> int | None:
        """Return the number of genes of the metric inside."""
        del record
        return self.inner.n_columns(self.score.record)


class InnerScore:
    """The primary metric of the wrapped family, on one slide."""

    def __init__(self, metric: str) -> None:
        self.record = next(record for record in METRICS if record.name == metric)
        self._function = loaded(self.record)

    def __call__(self, truth: Truth, predicted: Predicted) -> float:
        """Return the value of a slide; nan where it has none."""
        repeats = [
            self._function(
                arms.truth, arms.prediction, **arguments(self.record, self._function, arms.offered)
            )
            for arms in truth.arms(self.record, predicted)
        ]
        return mean_value([slide_value(scores, self.record) for scores in repeats]).value
