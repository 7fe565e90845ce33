"""T12, embeddings: the same tissue alike in every patient, and patients not told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.families.labels import UnitQuestion
from pytest_stbench.families.question import Arms, Plan, Request
from pytest_stbench.models.contract import accept_embedding, refuse
from pytest_stbench.resources import cell_type_ontology, niche_ontology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Predicted
    from pytest_stbench.registry import Metric

ONTOLOGY: Mapping[str, Any] = {"niche": niche_ontology, "cell_type": lambda: cell_type_ontology(1)}


class EmbeddingQuestion(UnitQuestion):
    """Embed units so that neighbours in other patients are of the same niche or type.

    All slides of a fold are embedded by the model fitted on its training slides; the units of a
    test patient are compared with those of the others. No label is shown to the model.
    """

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Ask for nothing by name. Raises ``DataError`` where no training unit has the label."""
        if not any(label is not None for slide in train for label in self._labels(slide)):
            own = self.settings.own
            raise DataError(
                f"no training unit has a label {own.label!r}: set `keys.{own.label}` of the data set, or "
                "another `embedding.label`"
            )
        return Plan(candidates=None, observed=self.observed(train), counted={})

    def requests(self, fold: FoldData) -> tuple[Request, ...]:
        """Return all slides of the fold: neighbours of test units are training units."""
        slides = {slide.meta.slide_id: slide for slide in (*fold.test, *fold.train)}
        return tuple(Request(key=name, slide=slide) for name, slide in slides.items())

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Call ``embed(slide)``."""
        del request, task
        return model.embed(given)

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[Any]:
        """Return a checked embedding, (n, d) float32."""
        del fold
        slide = request.slide
        return accept_embedding(raw, slide.n_units, unit_names=slide.unit_names, where=where)

    def complete(self, predicted: Predicted, where: str) -> None:
        """Refuse slides that were embedded into spaces of different dimensions."""
        widths = {key: values.shape[1] for key, values in predicted.items()}
        first = next(iter(widths.values()))
        odd = next((key for key, width in widths.items() if width != first), None)
        if odd is not None:
            expected = f"{first} dimensions as on the slides before"
            fix = "embed every slide into the same space"
            refuse(f"{where}, slide {odd}", expected, f"{widths[odd]}", fix)

    def truth(self, slide: Slide, fold: FoldData) -> EmbeddingTruth:
        """Return labels and patients of all slides of the fold, seen from the patient of `slide`."""
        everything = {other.meta.slide_id: other for other in (*fold.test, *fold.train)}
        return EmbeddingTruth(
            slide=slide.meta.slide_id,
            patient=_patient(slide),
            n_units=slide.n_units,
            labels={name: self._labels(other) for name, other in everything.items()},
            patients={name: _patient(other) for name, other in everything.items()},
        )

    def _labels(self, slide: Slide) -> NDArray[np.object_]:
        label = self.settings.own.label
        return self.named(slide, label, ONTOLOGY[label]() if label in ONTOLOGY else None, "embedding")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddingTruth:
    """What the embedding of a fold is scored against, seen from a ``slide`` and ``patient`` under test."""

    slide: str
    patient: str
    n_units: int
    labels: Mapping[str, NDArray[np.object_]]
    patients: Mapping[str, str]

    def n_columns(self, record: Metric) -> None:
        """Return None: no genes are asked for."""
        del record

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms]:
        """Return labels and embedding of all units of the fold."""
        del record
        names = list(self.labels)
        sizes = [len(self.labels[name]) for name in names]
        offered = {
            "patients": lambda: np.repeat([self.patients[name] for name in names], sizes),
            "patient": lambda: self.patient,
            "slide": lambda: self.slide,
        }
        return (
            Arms(
                truth=np.concatenate([self.labels[name] for name in names]),
                prediction=np.concatenate([predicted[name] for name in names]),
                offered=offered,
            ),
        )


def _patient(slide: Slide) -> str:
    return slide.meta.patient_id or slide.meta.slide_id
