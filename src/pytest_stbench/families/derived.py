"""What families that are read out of predicted expression have in common.

The model is asked as in its parent: to impute hidden genes where the task file says which genes
are observed, else to predict expression from the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.families.expression.ask import ExpressionQuestion
from pytest_stbench.families.imputation.ask import ImputationQuestion
from pytest_stbench.families.predicted_expression import PredictedExpression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import FamilySettings, Plan, Request


class Derived(PredictedExpression):
    """A question that hands out and asks what its parent does, and is scored on something else."""

    def __init__(self, settings: FamilySettings | None = None) -> None:
        super().__init__(settings)
        parent = ImputationQuestion if self.settings.imputes else ExpressionQuestion
        self.parent: PredictedExpression = parent(self.settings)

    @property
    def hands_out_as_built(self) -> bool:
        """Whether the parent, which may be somebody else's, hands out what the package makes of a slide."""
        return super().hands_out_as_built and self.parent.hands_out_as_built

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Return the plan of the parent."""
        return self.parent.plan(train)

    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return what the parent hands out."""
        return self.parent.build_input(slide, fold)

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Ask as the parent does."""
        return self.parent.ask(model, given, request, task)
