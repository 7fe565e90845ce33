"""T03, niches: tissue compartments of a new patient, by name or as clusters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.families.labels import LabelQuestion, LabelTruth
from pytest_stbench.families.question import Arms, Latest
from pytest_stbench.kernels.clustering import kmeans, ward
from pytest_stbench.models.contract import accept_embedding
from pytest_stbench.resources import niche_ontology

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Predicted, Request
    from pytest_stbench.registry import Metric

SEEDS = tuple(range(10))


class NichesQuestion(LabelQuestion):
    """Name the compartment of every unit, or embed units so that compartments are clusters.

    A model gets coordinates and what ``input`` of the task file says: image and embedding, counts
    of all genes, or both.
    """

    def labels(self, slide: Slide) -> NDArray[np.object_]:
        """Return the niche of each unit under its name in the ontology."""
        return self.named(slide, "niche", niche_ontology() if self.settings.own.ontology else None, "niches")

    @property
    def _clustered(self) -> bool:
        return bool(self.settings.own.mode == "unsupervised")

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Call ``predict_labels(slide, classes)``, or ``embed(slide)`` where clusters are scored."""
        if self._clustered:
            return model.embed(given)
        return super().ask(model, given, request, task)

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[Any]:
        """Return checked probabilities or a checked embedding."""
        if self._clustered:
            slide = request.slide
            return accept_embedding(raw, slide.n_units, unit_names=slide.unit_names, where=where)
        return super().accept(raw, request, fold, where)

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
            surroundings=super().truth(slide, fold).surroundings,
            method=self.settings.own.clustering,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterTruth(LabelTruth):
    """What clusters of one test slide's embedding are scored against; made by ``method``."""

    method: str
    _latest: Latest[NDArray[np.str_]] = field(default_factory=Latest, init=False)

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms, ...]:
        """Return true labels beside every clustering; their scores are averaged."""
        del record
        embedding = predicted[self.key]
        clusterings = self._latest.of(embedding, lambda: self._cluster(embedding))
        return tuple(
            Arms(truth=self.labels, prediction=clusters, offered=self.offered) for clusters in clusterings
        )

    def _cluster(self, embedding: NDArray[Any]) -> NDArray[np.str_]:
        """Return clusterings of an embedding, (m, n)."""
        k = len({label for label in self.labels if label is not None})
        # In the order of their names, so that a file sorted otherwise has the same clusters.
        order = np.argsort(self.surroundings.slide.unit_names, kind="stable")
        points = embedding[order]
        found = kmeans(points, k, SEEDS) if self.method == "kmeans" else ward(points, k)[None]
        clusters = np.empty_like(found)
        clusters[:, order] = found
        return clusters.astype(np.str_)
