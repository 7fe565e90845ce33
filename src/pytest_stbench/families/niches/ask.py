"""T03, niches: tissue compartments of a new patient, by name or as clusters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.families.labels import LabelQuestion, LabelTruth
from pytest_stbench.families.predicted_expression import Surroundings
from pytest_stbench.families.question import Arms, Latest, Plan
from pytest_stbench.kernels.clustering import kmeans, leiden, require_leiden, ward
from pytest_stbench.kernels.domains import expression_domains
from pytest_stbench.models.contract import accept_embedding
from pytest_stbench.models.contract_labels import accept_clusters
from pytest_stbench.resources import niche_ontology

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Predicted, Request
    from pytest_stbench.models.predictions import Place, PredictionFolder
    from pytest_stbench.registry import Metric

SEEDS = tuple(range(10))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clustered:
    """What a model returned that makes the clusters itself, as it came."""

    raw: object


class NichesQuestion(LabelQuestion):
    """Name the compartment of every unit, cluster units, or embed them so that compartments are clusters.

    A model gets coordinates and what ``input`` of the task file says: image and embedding, counts
    of all genes, or both.
    """

    def labels(self, slide: Slide) -> NDArray[np.object_]:
        """Return the niche of each unit under its name in the ontology, or its domain of expression."""
        if not self._of_expression:
            ontology = niche_ontology() if self.settings.own.ontology else None
            return self.named(slide, "niche", ontology, "niches")
        measured = slide.measured
        found = expression_domains(
            slide.counts[:, measured], slide.libsize, slide.genes[measured], slide.unit_names, self._domains
        )
        return np.array([f"domain {number + 1}" for number in found.tolist()], dtype=object)

    @property
    def _clustered(self) -> bool:
        return bool(self.settings.own.mode == "unsupervised")

    @property
    def _of_expression(self) -> bool:
        return bool(self.settings.own.truth == "expression")

    @property
    def _domains(self) -> int:
        return int(self.settings.own.domains)

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Ask for the classes of training units; for none where domains of expression are the truth."""
        if self._clustered and self.settings.own.clustering == "leiden":
            require_leiden()
        if self._of_expression:
            return Plan(candidates=None, observed=self.observed(train), counted={})
        return super().plan(train)

    def lessons(self, slide: Slide, fold: FoldData) -> dict[str, Any]:
        """Return the class of each training unit; domains of expression teach nobody."""
        return {} if self._of_expression else super().lessons(slide, fold)

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Call ``predict_labels(slide, classes)``; where clusters are scored ``cluster`` or ``embed``."""
        if not self._clustered:
            return super().ask(model, given, request, task)
        if callable(getattr(model, "cluster", None)):
            return Clustered(raw=model.cluster(given, self._number(request.slide)))
        return model.embed(given)

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[Any]:
        """Return checked probabilities, numbers of clusters (n, 1) int32, or a checked embedding."""
        slide = request.slide
        if isinstance(raw, Clustered):
            number = self._number(slide)
            return accept_clusters(raw.raw, number, unit_names=slide.unit_names, where=where)
        if self._clustered:
            return accept_embedding(raw, slide.n_units, unit_names=slide.unit_names, where=where)
        return super().accept(raw, request, fold, where)

    def read(self, files: PredictionFolder, place: Place, request: Request, fold: FoldData) -> object:
        """Return what a file holds; a single column of text or whole numbers is a cluster of each unit."""
        found: Any = super().read(files, place, request, fold)
        one = self._clustered and found.ndim == 2 and found.shape[1] == 1
        if one and found.dtype.kind in "iubOSUT":
            return Clustered(raw=found[:, 0])
        return found

    def columns(self, fold: FoldData) -> tuple[str, ...] | None:
        """Return the classes; an embedding has columns without names."""
        return None if self._clustered else super().columns(fold)

    def truth(self, slide: Slide, fold: FoldData) -> LabelTruth:
        """Return the true niches of a test slide. Clusters need no training: none is left out there."""
        if not self._clustered:
            return super().truth(slide, fold)
        return ClusterTruth(
            key=slide.meta.slide_id,
            labels=self.labels(slide),
            classes=(),
            not_covered={},
            surroundings=Surroundings(slide),
            method=self.settings.own.clustering,
        )

    def _number(self, slide: Slide) -> int:
        """Return how many clusters are asked of a slide: as many as it has true niches."""
        return self._domains if self._of_expression else number_of(self.labels(slide))


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterTruth(LabelTruth):
    """What clusters of one test slide are scored against; those of an embedding are made by ``method``."""

    method: str
    _latest: Latest[NDArray[np.str_]] = field(default_factory=Latest, init=False)

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms, ...]:
        """Return true labels beside every clustering; their scores are averaged."""
        del record
        found = predicted[self.key]
        clusterings = self._latest.of(found, lambda: self._cluster(found))
        return tuple(
            Arms(truth=self.labels, prediction=clusters, offered=self.offered) for clusters in clusterings
        )

    def _cluster(self, found: NDArray[Any]) -> NDArray[np.str_]:
        """Return clusterings, (m, n): those of an embedding, or the one that a model made itself."""
        if found.dtype.kind == "i":
            return found.T.astype(np.str_)
        k = number_of(self.labels)
        # In the order of their names, so that a file sorted otherwise has the same clusters.
        order = np.argsort(self.surroundings.slide.unit_names, kind="stable")
        points = found[order]
        if self.method == "kmeans":
            made = kmeans(points, k, SEEDS)
        else:
            made = (leiden if self.method == "leiden" else ward)(points, k)[None]
        clusters = np.empty_like(made)
        clusters[:, order] = made
        return clusters.astype(np.str_)


def number_of(labels: NDArray[np.object_]) -> int:
    """Return how many labels there are, units without one left out."""
    return len({label for label in labels.tolist() if label is not None})
