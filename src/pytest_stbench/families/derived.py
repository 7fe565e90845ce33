"""T05 to T07, read out of predicted expression: niche signatures, co-expression, communication.

The model is asked as in its parent: to impute hidden genes where the task file says which genes
are observed, else to predict expression from the image.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.families.expression import Expression
from pytest_stbench.families.imputation import Imputation
from pytest_stbench.families.pairs import pair_table
from pytest_stbench.families.predicted_expression import ExpressionQuestion
from pytest_stbench.spec.family_settings import CommunicationBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import FamilySettings, Plan, Request


class Derived(ExpressionQuestion):
    """A question that hands out and asks what its parent does, and is scored on something else."""

    def __init__(self, settings: FamilySettings | None = None) -> None:
        super().__init__(settings)
        self.parent: ExpressionQuestion = (Imputation if self.settings.imputes else Expression)(self.settings)

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Return the plan of the parent."""
        return self.parent.plan(train)

    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return what the parent hands out."""
        return self.parent.build_input(slide, fold)

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Ask as the parent does."""
        return self.parent.ask(model, given, request, task)


class Communication(Derived):
    """Derived, with the ligand-receptor pairs that the task file names."""

    def __init__(self, settings: FamilySettings | None = None) -> None:
        super().__init__(settings)
        own = self.settings.own or CommunicationBlock()
        self.pairs = pair_table(own.pairs, self.settings.resolve, undirected=own.undirected)

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Return the plan of the parent, with the genes of the pairs."""
        plan = super().plan(train)
        return replace(plan, communication=self.pairs.genes, counted={**plan.counted, **self.pairs.counted})
