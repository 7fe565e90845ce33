"""One fold of a task: the slides of both sides after filtering, and what was fitted on training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.build import arrange, build_train, build_truth
from pytest_stbench.data.origins import Origin, note_origin
from pytest_stbench.families.asking import Asking
from pytest_stbench.families.question import refuse_unless

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide, TruthSlide
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.question import Question, Request, Truth
    from pytest_stbench.preprocess.fitted import FittedPreprocess

FEW_GENES = 512
"""Genes of a panel so small that what folds choose among them is computed for all at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldData:
    """The two sides of a fold; everything fitted was fitted on ``train`` alone.

    ``observed`` are the columns of the data set that are handed to models; ``counted`` says what
    was left out on the way (units filtered, genes not available ...).
    """

    task: TaskInfo
    question: Question
    fitted: FittedPreprocess
    observed: NDArray[np.intp]
    train: tuple[Slide, ...]
    test: tuple[Slide, ...]
    counted: Mapping[str, int]

    @property
    def genes(self) -> tuple[str, ...]:
        """The genes asked of the model, in column order."""
        return self.task.genes

    @cached_property
    def _targets(self) -> dict[str, NDArray[np.float64]]:
        return {slide.meta.slide_id: self.fitted.transform(slide) for slide in self.train}

    @cached_property
    def train_mean(self) -> NDArray[np.float64]:
        """Mean over training patients of the patient's mean over all its units, (g,)."""
        by_patient: dict[str, list[NDArray[np.float64]]] = {}
        for slide in self.train:
            patient = slide.meta.patient_id or slide.meta.slide_id
            by_patient.setdefault(patient, []).append(self._targets[slide.meta.slide_id])
        means = np.stack([_mean_of_defined(np.concatenate(blocks)) for blocks in by_patient.values()])
        return _mean_of_defined(means)

    def input(self, slide: Slide) -> ModelSlide:
        """Return a newly built input of `slide`."""
        return self.question.build_input(slide, self)

    def train_inputs(
        self, slides: Sequence[Slide] | None = None, *, own_names: bool = False
    ) -> list[TrainSlide]:
        """Return newly built training slides as models get them: inputs, targets and training counts.

        Those of `slides`, whatever side they stand on, instead of the fold's own where given. Units are
        arranged as :func:`~pytest_stbench.data.build.arrange` says.
        """
        known = self._targets if slides is None else {}
        return [
            self._lesson(slide, known.get(slide.meta.slide_id), own_names=own_names)
            for slide in (self.train if slides is None else slides)
        ]

    def _lesson(self, slide: Slide, target: NDArray[np.float64] | None, *, own_names: bool) -> TrainSlide:
        target = self.fitted.transform(slide) if target is None else target
        own = self.question.lessons(slide, self)
        built = build_train(slide, self.input(slide), target, **own)
        given = arrange(slide, own_names=own_names).arranged(built)
        if slide in self.train and self.question.hands_out_as_built:
            note_origin(given, self._origin(slide))
        return given

    def _origin(self, slide: Slide) -> Origin:
        fitted, place = self.fitted, {str(gene): i for i, gene in enumerate(slide.genes)}
        others = slide.measured.copy()
        others[self.observed] = False

        def values(genes: Sequence[str]) -> NDArray[np.float32]:
            columns = np.array([place[gene] for gene in genes], dtype=np.intp)
            return fitted.transform(slide, columns).astype(np.float32)[arrange(slide).rows]

        return Origin(
            slide=slide,
            observed=self.observed.tobytes(),
            scale=(fitted.normalise, fitted.target_sum),
            further=slide.genes[others].tolist() if others.sum() <= FEW_GENES else (),
            values=values,
        )

    def asking(self, request: Request, *, own_names: bool = False) -> Asking:
        """Return how a model is asked for `request`: its input, and the way back of its answer."""
        return Asking(self, request, own_names=own_names)

    def train_truths(self) -> list[TruthSlide]:
        """Return the training slides as diagnostics see them."""
        return [
            build_truth(slide, self.input(slide), self._targets[slide.meta.slide_id]) for slide in self.train
        ]

    def test_truth(self, slide: Slide) -> TruthSlide:
        """Return a test slide as diagnostics see it."""
        return build_truth(slide, self.input(slide), self.fitted.transform(slide))

    def truth(self, slide: Slide) -> Truth:
        """Return what the predictions of a test slide are scored against."""
        truth = self.question.truth(slide, self)
        refuse_unless(hasattr(type(truth), "arms"), truth, self.question, "truth", "Truth")
        return truth


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column means over the defined rows; nan where a column has none."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    mean = np.full(values.shape[1], np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean
