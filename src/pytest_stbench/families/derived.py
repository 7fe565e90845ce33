"""What families scored from the predictions of another family have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.families.expression import Expression
from pytest_stbench.families.imputation import Imputation
from pytest_stbench.families.predicted_expression import ExpressionQuestion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import FamilySettings, Plan, Request

PARENTS: dict[str, type[ExpressionQuestion]] = {"expression": Expression, "imputation": Imputation}


class DerivedQuestion(ExpressionQuestion):
    """A question that hands out and asks what its parent does, ``expression`` or ``imputation``."""

    def __init__(self, settings: FamilySettings | None = None) -> None:
        super().__init__(settings)
        self.parent = PARENTS[self.settings.parent](self.settings)

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Return the plan of the parent."""
        return self.parent.plan(train)

    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return what a model of the parent sees."""
        return self.parent.build_input(slide, fold)

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Ask what the parent asks."""
        return self.parent.ask(model, given, request, task)
