"""T14, robustness: what is left of a score when nothing but scanner, stain, place or order changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.families.question import Arms, Latest, Request
from pytest_stbench.families.robustness.perturbations import GENE_ORDER, PERTURBATIONS, UNIT_ORDER
from pytest_stbench.families.wrapping import WrappedTruth, WrappingQuestion
from pytest_stbench.index import loaded
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Predicted
    from pytest_stbench.families.robustness.perturbations import Perturbation
    from pytest_stbench.kernels.streams import Stream
    from pytest_stbench.registry import Metric

BETWEEN = "@"
"""Stands between slide and perturbation in the key of a prediction."""


class RobustnessQuestion(WrappingQuestion):
    """Ask the same of a test slide as it is and under every perturbation of its input.

    Nothing is fitted again, and the truth stays: what changes is the answer.
    """

    def requests(self, fold: FoldData) -> tuple[Request, ...]:
        """Return every test slide as it is, then under each perturbation that its input allows."""
        found = []
        for slide in fold.test:
            found.append(Request(key=slide.meta.slide_id, slide=slide))
            found += [
                Request(key=_key(slide, change), slide=slide, detail=change)
                for change in self._changes(slide, fold)
            ]
        return tuple(found)

    def given(self, request: Request, fold: FoldData) -> ModelSlide:
        """Return the perturbed input of a request."""
        given = self.inner.given(request, fold)
        if request.detail is None:
            return given
        changed: ModelSlide = request.detail.change(given, _random(request.key))
        return changed

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Ask the question inside; under another order of units or genes, give them in that order."""
        if request.detail is not None and request.detail.name == UNIT_ORDER:
            order = _unit_order(request)
            image = None if given.image is None else given.image.in_order(order)
            return self.inner.ask(
                model, replace(given, units=given.units[order].copy(), image=image), request, task
            )
        if request.detail is None or request.detail.name != GENE_ORDER:
            return self.inner.ask(model, given, request, task)
        order = _random(request.key).permutation(len(task.observed_genes))
        genes = tuple(np.array(task.observed_genes)[order].tolist())
        reordered = replace(given, units=given.units[:, order].copy())
        return self.inner.ask(model, reordered, request, replace(task, observed_genes=genes))

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[Any]:
        """Return the checked answer, its units in the order of the slide."""
        if request.detail is None or request.detail.name != UNIT_ORDER:
            return self.inner.accept(raw, request, fold, where)
        order, slide = _unit_order(request), request.slide
        asked = replace(request, slide=replace(slide, unit_names=slide.unit_names[order]))
        values = self.inner.accept(raw, asked, fold, where)
        back = np.empty_like(values)
        back[order] = values
        return back

    def truth(self, slide: Slide, fold: FoldData) -> RobustTruth:
        """Return the truth of the question inside, with the score of the trivial baseline."""
        inner = self.inner.truth(slide, fold)
        return RobustTruth(
            key=slide.meta.slide_id,
            inner=inner,
            score=self.score,
            trivial=self.score(inner, {slide.meta.slide_id: self._trivial(slide, fold)}),
            changes=self._changes(slide, fold),
        )

    def _trivial(self, slide: Slide, fold: FoldData) -> NDArray[Any]:
        model = loaded(self.trivial)()
        model.fit(fold.train_inputs(), fold.task)
        request = Request(key=slide.meta.slide_id, slide=slide)
        raw = self.inner.ask(model, self.inner.given(request, fold), request, fold.task)
        return self.inner.accept(raw, request, fold, self.trivial.name)

    def _changes(self, slide: Slide, fold: FoldData) -> tuple[Perturbation, ...]:
        """Return the perturbations that the task asks for and the input of the slide allows."""
        own = self.settings.own
        there = {"": True, "image": self._has_image(slide), "counts": bool(len(fold.observed))}
        return tuple(
            change
            for change in PERTURBATIONS
            if there[change.needs] and (not own.perturbations or change.name in own.perturbations)
        )

    def _has_image(self, slide: Slide) -> bool:
        inner = self.inner.settings.own
        return slide.image is not None and getattr(inner, "input", "both") != "expression"


@dataclass(frozen=True, kw_only=True, eq=False)
class RobustTruth(WrappedTruth):
    """What the predictions of one test slide under all perturbations are scored against."""

    trivial: float
    changes: tuple[Perturbation, ...]
    _latest: Latest[Mapping[str, float]] = field(default_factory=Latest, init=False)

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms]:
        """Return the clean prediction as truth, the perturbed ones as prediction, all by name."""
        del record
        clean = predicted[self.key]
        perturbed = self._perturbed(predicted)
        offered = {
            "scores": lambda: self._latest.of(clean, lambda: self._scores(predicted)),
            "trivial": lambda: self.trivial,
            "down": lambda: self.score.record.better == "down",
            "expected": lambda: {change.name: (change.measure, change.least) for change in self.changes},
        }
        return (Arms(truth=clean, prediction=perturbed, offered=offered),)

    def _perturbed(self, predicted: Predicted) -> dict[str, NDArray[Any]]:
        return {change.name: predicted[f"{self.key}{BETWEEN}{change.name}"] for change in self.changes}

    def _scores(self, predicted: Predicted) -> Mapping[str, float]:
        """Return the score of the clean prediction, under an empty name, and of every perturbed one."""
        answers = {"": predicted[self.key], **self._perturbed(predicted)}
        return {name: self.score(self.inner, {self.key: values}) for name, values in answers.items()}


def _key(slide: Slide, change: Perturbation) -> str:
    return f"{slide.meta.slide_id}{BETWEEN}{change.name}"


def _unit_order(request: Request) -> NDArray[np.intp]:
    return _random(request.key).permutation(request.slide.n_units)


def _random(key: str) -> Stream:
    return stream(0, "perturbation", key)
