"""One fold of a task: the slides of both sides after filtering, and what was fitted on training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pytest_stbench.data.build import build_train, build_truth
from pytest_stbench.preprocess.statistics import unit_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide, TruthSlide
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.genes import FamilyGenes, GenePlan
    from pytest_stbench.preprocess.fitted import FittedPreprocess


class Question(Protocol):
    """What a family does with a fold."""

    def plan_genes(self, train: Sequence[Slide], settings: FamilyGenes) -> GenePlan:
        """Return candidates and observed genes, from training slides alone."""
        ...

    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return what a model sees of `slide`: a whitelist, built anew at every call."""
        ...

    def ask(self, model: object, slide: ModelSlide, task: TaskInfo) -> object:
        """Ask `model` for its prediction of one slide and return it as it came."""
        ...


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Where the units of a slide lie and what they are called; shared by all that look at them."""

    slide: Slide

    @property
    def niches(self) -> NDArray[np.object_]:
        """The niche of each unit, None where it has none."""
        return self.slide.labels.get("niche", np.full(self.slide.n_units, None, dtype=object))

    @cached_property
    def graph(self) -> csr_matrix:
        """Which units are neighbours: 1.5 pitches of a lattice, the 6 nearest of cells."""
        return unit_graph(self.slide)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What one test slide's prediction is scored against.

    ``values`` is (n, g) float64 on the task's scale, nan where the slide did not measure the
    gene (``measured`` False); ``train_mean`` (g,) is the mean of the training patients' means.
    ``places`` says which of the columns belong to which set of genes; ``surroundings`` has
    coordinates, neighbours and labels.
    """

    values: NDArray[np.float64]
    measured: NDArray[np.bool_]
    genes: NDArray[np.str_]
    units: NDArray[np.str_]
    libsize: NDArray[np.float64]
    train_mean: NDArray[np.float64]
    places: Mapping[str, NDArray[np.intp]]
    surroundings: Surroundings

    def select(self, rows: NDArray[np.bool_]) -> Truth:
        """Return the truth of some units."""
        return replace(
            self,
            values=self.values[rows],
            units=self.units[rows],
            libsize=self.libsize[rows],
            surroundings=Surroundings(self.surroundings.slide.select(rows)),
        )


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

    def train_inputs(self) -> list[TrainSlide]:
        """Return newly built training slides: inputs with targets and training counts."""
        return [
            build_train(slide, self.input(slide), self._targets[slide.meta.slide_id]) for slide in self.train
        ]

    def train_truths(self) -> list[TruthSlide]:
        """Return the training slides as diagnostics see them."""
        return [
            build_truth(slide, self.input(slide), self._targets[slide.meta.slide_id]) for slide in self.train
        ]

    def test_truth(self, slide: Slide) -> TruthSlide:
        """Return a test slide as diagnostics see it."""
        return build_truth(slide, self.input(slide), self.fitted.transform(slide))

    def truth(self, slide: Slide) -> Truth:
        """Return what the prediction of a test slide is scored against."""
        values = self.fitted.transform(slide)
        columns = self.fitted.columns
        return Truth(
            values=values,
            measured=slide.measured[columns],
            genes=slide.genes[columns],
            units=slide.unit_names,
            libsize=slide.libsize,
            train_mean=self.train_mean,
            places=self.fitted.places,
            surroundings=Surroundings(slide),
        )


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column means over the defined rows; nan where a column has none."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    mean = np.full(values.shape[1], np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean
