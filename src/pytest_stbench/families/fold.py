"""One fold of a task: the slides of both sides after filtering, and what was fitted on training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.build import arrange, build_train, build_truth
from pytest_stbench.data.later_slides import LaterInput, LaterSlide, LaterTruth, Latest
from pytest_stbench.data.origins import Origin, note_origin
from pytest_stbench.families.asking import Asking
from pytest_stbench.families.question import refuse_unless

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    def train_mean(self) -> NDArray[np.float64]:
        """Mean over training patients of the patient's mean over all its units, (g,)."""
        sums: dict[str, NDArray[np.float64]] = {}
        for slide in self.train:
            patient = slide.meta.patient_id or slide.meta.slide_id
            sums[patient] = sums.get(patient, 0.0) + self.fitted.sums(slide)
        means = np.stack([_ratio(total, count) for total, count in sums.values()])
        known = ~np.isnan(means)
        return _ratio(np.where(known, means, 0.0).sum(axis=0), known.sum(axis=0))

    @cached_property
    def _place(self) -> dict[str, int]:
        """The column of each gene, the same on all slides of a data set."""
        return {str(gene): column for column, gene in enumerate(self.train[0].genes)}

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
        return [
            self._lesson(slide, own_names=own_names) for slide in (self.train if slides is None else slides)
        ]

    def later_inputs(self) -> list[TrainSlide]:
        """Return the training slides as baselines get them: built part by part, those of the latest kept."""
        latest = Latest()
        later: list[TrainSlide] = []
        for slide in self.train:
            rows = arrange(slide).rows
            own: dict[str, Any] = {
                "meta": slide.meta,
                **dict.fromkeys(("labels", "proportions", "make_tiles")),
            }
            own |= self.question.lessons(slide, self)
            for name in ("labels", "proportions"):
                own[name] = None if own[name] is None else own[name][rows]
            built = partial(self._arranged_input, slide)
            parts: dict[str, Callable[[], object]] = {
                "units": built,
                "image": built,
                "target": partial(self._target, slide),
                "make_counts": partial(self._lesson, slide, own_names=False),
            }
            given = LaterSlide(slide.n_units, parts, latest, own)
            if self.question.hands_out_as_built:
                note_origin(given, self._origin(slide))
            later.append(given)
        return later

    def _lesson(self, slide: Slide, *, own_names: bool) -> TrainSlide:
        lessons = self.question.lessons(slide, self)
        built = build_train(
            slide, self.input(slide), self.fitted.transform(slide, dtype=np.float32), **lessons
        )
        return arrange(slide, own_names=own_names).arranged(built)

    def _arranged_input(self, slide: Slide) -> ModelSlide:
        return arrange(slide).arranged(self.input(slide))

    def _target(self, slide: Slide) -> SimpleNamespace:
        values = self.fitted.transform(slide, dtype=np.float32)
        return SimpleNamespace(target=values[arrange(slide).rows])

    def _origin(self, slide: Slide) -> Origin:
        fitted, place = self.fitted, self._place
        others = slide.measured.copy()
        others[self.observed] = False

        def columns_of(genes: Sequence[str]) -> NDArray[np.intp]:
            return np.array([place[gene] for gene in genes], dtype=np.intp)

        def values(genes: Sequence[str]) -> NDArray[np.float32]:
            return fitted.transform(slide, columns_of(genes), np.float32)[arrange(slide).rows]

        def depths() -> NDArray[np.float64]:
            is_observed = np.zeros(len(slide.genes))
            is_observed[self.observed] = 1.0
            return np.asarray(slide.counts @ is_observed)

        return Origin(
            slide=slide,
            observed=self.observed.tobytes(),
            scale=(fitted.normalise, fitted.target_sum),
            further=slide.genes[others].tolist() if others.sum() <= FEW_GENES else (),
            values=values,
            measured=lambda genes: slide.measured[columns_of(genes)],
            depths=depths,
        )

    def asking(self, request: Request, *, own_names: bool = False) -> Asking:
        """Return how a model is asked for `request`: its input, and the way back of its answer."""
        return Asking(self, request, own_names=own_names)

    def train_truths(self) -> list[TruthSlide]:
        """Return the training slides as diagnostics see them, the values of one at a time in memory."""
        latest = Latest()
        return [
            LaterTruth(
                slide.n_units,
                {"values": partial(self.truth_given, slide)},
                latest,
                {"input": self._later_input(slide), "libsize": slide.libsize.copy()},
            )
            for slide in self.train
        ]

    def truth_given(self, slide: Slide) -> TruthSlide:
        """Return a slide as diagnostics see it, of either side."""
        return build_truth(slide, self._later_input(slide), self.fitted.transform(slide))

    def _later_input(self, slide: Slide) -> ModelSlide:
        built = partial(self.input, slide)
        return LaterInput(
            slide.n_units, dict.fromkeys(("units", "image"), built), Latest(), {"meta": slide.meta}
        )

    def truth(self, slide: Slide) -> Truth:
        """Return what the predictions of a test slide are scored against."""
        truth = self.question.truth(slide, self)
        refuse_unless(hasattr(type(truth), "arms"), truth, self.question, "truth", "Truth")
        return truth


def _ratio(total: NDArray[np.float64], count: NDArray[Any]) -> NDArray[np.float64]:
    """Return total / count, nan where there is nothing to divide by."""
    ratio: NDArray[np.float64] = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return ratio
