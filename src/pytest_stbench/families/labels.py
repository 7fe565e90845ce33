"""What families of labels have in common: classes of units, named by a model or found as clusters."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.build import build_input
from pytest_stbench.errors import DataError
from pytest_stbench.families.harmonise import harmonise
from pytest_stbench.families.predicted_expression import Surroundings
from pytest_stbench.families.question import Arms, Plan, Question, Truth
from pytest_stbench.models.contract_labels import accept_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Predicted, Request
    from pytest_stbench.registry import Metric

MIN_UNITS = 20
"""Classes of fewer true units on a slide have no score of their own there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelTruth(Truth):
    """What one test slide's predicted classes are scored against.

    ``labels`` (n,) names the class of each unit, None where it has none or one that no training
    unit has (``not_covered``, counted by class); ``classes`` are the columns of a prediction.
    """

    key: str
    labels: NDArray[np.object_]
    classes: tuple[str, ...]
    not_covered: dict[str, int]
    surroundings: Surroundings
    min_units: int = MIN_UNITS

    @property
    def n_units(self) -> int:
        """Number of units with a class."""
        return self._n_labelled

    @cached_property
    def _n_labelled(self) -> int:
        return sum(label is not None for label in self.labels)

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms, ...]:
        """Return true labels beside probabilities, or beside the most probable class.

        A prediction of certainties alone (every row a single 1) counts as labels: it has no
        calibration.
        """
        shares = predicted[self.key]
        named = np.array(self.classes, dtype=object)[shares.argmax(axis=1)]
        certain = bool(((shares == 0) | (shares == 1)).all())
        wants_shares = "classes" in record.inputs and not certain
        return (Arms(truth=self.labels, prediction=shares if wants_shares else named, offered=self.offered),)

    @property
    def offered(self) -> dict[str, Any]:
        """What a metric may ask for by name."""
        return {
            "classes": lambda: self.classes,
            "not_covered": lambda: tuple(self.not_covered),
            "min_units": lambda: self.min_units,
            "graph": lambda: self.surroundings.graph,
            "xy_um": lambda: self.surroundings.slide.xy_um,
        }


class UnitQuestion(Question):
    """A question about units, of which the task file says what models are given: image, counts or both."""

    def observed(self, train: Sequence[Slide]) -> NDArray[np.intp]:
        """Return the genes whose counts are handed out: all, or none."""
        return np.arange(len(train[0].genes) if self.settings.own.input != "image" else 0, dtype=np.intp)

    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return coordinates, and image, embedding and counts as far as the task file hands them out."""
        image = self.settings.own.input != "expression"
        observed = fold.observed if len(fold.observed) else None
        return build_input(slide, observed=observed, with_image=image, with_embedding=image)

    def named(
        self, slide: Slide, label: str, ontology: Mapping[str, str] | None, key: str
    ) -> NDArray[np.object_]:
        """Return the class of each unit by a label of the data, None where it has none."""
        found = slide.labels.get(label, np.full(slide.n_units, None, dtype=object))
        return harmonise(
            found, self.settings.own.map, ontology, where=f"slide {slide.meta.slide_id}", key=key
        )


class LabelQuestion(UnitQuestion):
    """A question answered by the class of every unit."""

    @abstractmethod
    def labels(self, slide: Slide) -> NDArray[np.object_]:
        """Return the class of each unit of `slide`, None where it has none."""

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Ask for the classes that training units have; counts are handed out as the task file says.

        Raises ``DataError`` when there are fewer than two.
        """
        counts = Counter(label for slide in train for label in self.labels(slide) if label is not None)
        if len(counts) < 2:
            raise DataError(self.lacking(counts))
        n_units = sum(slide.n_units for slide in train)
        return Plan(
            candidates=None,
            observed=self.observed(train),
            counted={"training_units_without_label": n_units - sum(counts.values())},
            classes=tuple(sorted(counts)),
        )

    def lacking(self, found: Counter[str]) -> str:
        """Return what to say where training units have fewer than two classes, counted in `found`."""
        return (
            "the training slides must have units of two classes or more, found "
            f"{found_alone(found, 'none')}: check `keys` of the data set and `map` of the family"
        )

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Call ``predict_labels(slide, classes)``."""
        del request
        return model.predict_labels(given, list(task.classes))

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[Any]:
        """Return checked probabilities, (n, k) float32."""
        units = request.slide.unit_names
        return accept_labels(raw, classes=fold.task.classes, unit_names=units, where=where)

    def columns(self, fold: FoldData) -> tuple[str, ...] | None:
        """Return the classes."""
        return fold.task.classes

    def lessons(self, slide: Slide, fold: FoldData) -> dict[str, Any]:
        """Return the class of each training unit, None where it is none of those that are asked."""
        return {"labels": self._asked(self.labels(slide), fold)}

    @staticmethod
    def _asked(labels: NDArray[np.object_], fold: FoldData) -> NDArray[np.object_]:
        classes = set(fold.task.classes)
        return np.array([label if label in classes else None for label in labels], dtype=object)

    def truth(self, slide: Slide, fold: FoldData) -> LabelTruth:
        """Return the true classes of a test slide; those that training lacks are left out and counted."""
        labels = self.labels(slide)
        known = {*fold.task.classes, None}
        lacking = Counter(label for label in labels if label not in known)
        return LabelTruth(
            key=slide.meta.slide_id,
            labels=self._asked(labels, fold),
            classes=fold.task.classes,
            not_covered=dict(sorted(lacking.items())),
            surroundings=Surroundings(slide),
        )


def found_alone(found: Counter[str], nothing: str) -> str:
    """Return the only class in `found`, as in a message; `nothing` where there is none."""
    return f"only {next(iter(found))!r}" if found else nothing
