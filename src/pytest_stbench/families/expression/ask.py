"""T01, expression from H&E: the model sees image and coordinates, never a count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.build import build_input
from pytest_stbench.families.predicted_expression import PredictedExpression
from pytest_stbench.families.question import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Request


class ExpressionQuestion(PredictedExpression):
    """Predict log-normalised expression of a new patient from morphology.

    A model gets the units' names and coordinates, the registered image and, where the data set
    declares one, the frozen embedding of an image encoder; neither counts nor library size.
    """

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Every gene may be a target; none is observed."""
        return Plan(candidates=np.arange(len(train[0].genes)), observed=np.empty(0, np.intp), counted={})

    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return coordinates, image and embedding of `slide`."""
        del fold
        return build_input(slide, observed=None, with_image=True, with_embedding=True)

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Call ``predict_expression(slide, genes)``."""
        del request
        return model.predict_expression(given, list(task.genes))
