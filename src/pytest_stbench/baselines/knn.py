"""B07: the expression of the training patches that look most alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pytest_stbench.baselines.families import EXPRESSION
from pytest_stbench.baselines.he_colour import HeColour
from pytest_stbench.baselines.linear import ImputesFromExpression, pick
from pytest_stbench.baselines.pca_ridge import PcaRidge
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline
from pytest_stbench.kernels.gram import GroupedGram
from pytest_stbench.kernels.ridge import Pca, pca
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sklearn.neighbors import NearestNeighbors

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide

NEIGHBOURS = 20
COMPONENTS = 50
MAX_UNITS = 50_000
ROW_BLOCK = 4096
CLOSEST = 1e-6
"""Distances below this count as this: identical patches share the weight instead of taking it all."""


@baseline(
    "B07",
    kind="model",
    families=EXPRESSION,
    needs=("image",),
    memory="training features at half precision, of 50,000 units at most",
)
class Knn(ImputesFromExpression):
    """The mean of the 20 training units that look most alike, by embedding or colour.

    Mean of the 20 nearest training units, weighted by the inverse of their distance.

    Units are compared by the first 50 principal components of the declared embedding, or of the 24
    colour features of B05 where none is declared; features are standardised with the training
    units. Above 50,000 training units every patient gives the same number, drawn with the seed of
    the task. Targets that a neighbour did not measure take no part; without any, the training
    mean is predicted.
    """

    name = "knn"
    revision = "1"
    config: ClassVar[dict[str, Any]] = {
        "neighbours": NEIGHBOURS,
        "components": COMPONENTS,
        "max_units": MAX_UNITS,
    }

    def __init__(self) -> None:
        self.genes: tuple[str, ...] = ()
        self.components: Pca | None = None
        self.index: NearestNeighbors | None = None
        self.target: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self.fallback: NDArray[np.float64] = np.empty(0)
        self.embedded = False

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Keep features and targets of the training units, features at half precision."""
        from sklearn.neighbors import NearestNeighbors

        self.genes = task.genes
        self.embedded = all("embedding" in slide.units.obsm for slide in train)
        chosen = _chosen(train, task.seed)
        gram: GroupedGram | None = None
        features, targets = [], []
        for slide, rows in zip(train, chosen, strict=True):
            x = self._features(slide)
            gram = gram or GroupedGram(x.shape[1], 0)
            gram.add(0, x, np.empty((len(x), 0)))
            features.append(x[rows].astype(np.float16))
            targets.append(slide.target[rows])
        if gram is None or gram.n == 0:
            raise ModelError(f"{self.name} needs at least one training unit")
        self.components = pca(gram, COMPONENTS, standardise=True)
        self.target = np.concatenate(targets)
        placed = self.components.transform(np.concatenate(features).astype(np.float32))
        count = min(NEIGHBOURS, len(placed))
        self.index = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(placed.astype(np.float32))
        known = ~np.isnan(self.target)
        total = np.where(known, self.target, 0).sum(axis=0, dtype=np.float64)
        self.fallback = total / np.maximum(known.sum(axis=0), 1)

    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> NDArray[np.float32]:
        """Return predictions (n, g) on the task's scale."""
        if self.index is None or self.components is None:
            raise ModelError(f"{self.name} was asked to predict before it was fitted")
        columns = pick(self.genes, genes, self.name)
        placed = self.components.transform(self._features(slide)).astype(np.float32)
        result = np.empty((slide.n_units, len(columns)), np.float32)
        for start in range(0, len(placed), ROW_BLOCK):
            rows = slice(start, start + ROW_BLOCK)
            distance, neighbours = self.index.kneighbors(placed[rows])
            weight = 1.0 / np.maximum(distance, CLOSEST)
            result[rows] = _weighted(self.target[:, columns], neighbours, weight, self.fallback[columns])
        return result

    def _features(self, slide: ModelSlide) -> NDArray[np.float32]:
        source = PcaRidge() if self.embedded else HeColour()
        return np.asarray(source.features(slide), dtype=np.float32)


def _weighted(
    target: NDArray[np.float32],
    neighbours: NDArray[np.intp],
    weight: NDArray[np.floating],
    fallback: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the weighted mean of the targets of each row's neighbours, nan left out."""
    total = np.zeros((len(neighbours), target.shape[1]))
    mass = np.zeros_like(total)
    for place in range(neighbours.shape[1]):
        values = target[neighbours[:, place]]
        known = ~np.isnan(values)
        share = weight[:, place, None]
        total += np.where(known, values, 0.0) * share
        mass += known * share
    return np.where(mass > 0, total / np.where(mass > 0, mass, 1.0), fallback)


def _chosen(train: Sequence[TrainSlide], seed: int) -> list[NDArray[np.intp]]:
    """Return the rows of each slide that are kept: all, or an equal share of each patient."""
    if sum(slide.n_units for slide in train) <= MAX_UNITS:
        return [np.arange(slide.n_units) for slide in train]
    patients = [slide.meta.patient_id or slide.meta.slide_id for slide in train]
    quota = MAX_UNITS // len(set(patients))
    rng = stream(seed, "knn")
    kept: list[NDArray[np.intp]] = [np.empty(0, np.intp)] * len(train)
    for patient in sorted(set(patients)):
        own = [place for place, name in enumerate(patients) if name == patient]
        slide_of = np.repeat(own, [train[place].n_units for place in own])
        row_of = np.concatenate([np.arange(train[place].n_units) for place in own])
        taken = rng.permutation(len(row_of))[:quota]
        for place in own:
            kept[place] = np.sort(row_of[taken[slide_of[taken] == place]])
    return kept
