"""B15: principal components of the log-normalised counts, alone and with their neighbourhood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.baselines.classifier import Classifier
from pytest_stbench.baselines.counts import log_normalised, median_size, most_variable, row_sums
from pytest_stbench.baselines.families import LABELS
from pytest_stbench.baselines.linear import pick
from pytest_stbench.baselines.slide_sums import dense_blocks
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline
from pytest_stbench.kernels.gram import GroupedGram
from pytest_stbench.kernels.graph import cell_graph, lattice_graph
from pytest_stbench.kernels.ridge import Pca, pca

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide

COMPONENTS = 30
GENES = 2000
CELL_RESOLUTIONS = ("cell", "transcript")


@baseline(
    "B15",
    kind="model",
    families=(*LABELS, "embedding"),
    needs=("observed",),
    memory="O(genes^2), counts streamed",
)
class RawPca:
    """Principal components of log-normalised counts; for niches with those of the surroundings.

    The first 30 principal components of the training units, fitted in one pass.

    Features are ``log1p(counts / library size * scale)`` of the observed genes, `scale` being the
    median library size of the training units; of more than 2,000 genes those with the highest
    variance in training are kept. As an embedding it knows nothing of other patients; where niches
    are asked, as classes or as clusters, it sees the components of a unit and their mean over its
    neighbours.
    """

    name = "raw_pca"
    revision = "1"
    config: ClassVar[dict[str, Any]] = {"components": COMPONENTS, "genes": GENES}

    def __init__(self) -> None:
        self.genes: tuple[str, ...] = ()
        self.scale = 1.0
        self.components: Pca | None = None
        self._around = False
        self._classifier = Classifier(self.features, self.name)

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Fit the components, and the classifier where the training slides have labels."""
        if not task.observed_genes:
            raise ModelError(f"{self.name} needs counts, and the task hands out none")
        self.genes = task.observed_genes
        self._around = task.family == "niches"
        self.scale = median_size(train)
        if len(self.genes) > GENES:
            self.genes = most_variable(map(self._normalised, train), self.genes, GENES)
        gram: GroupedGram | None = None
        for slide in train:
            x = self._normalised(slide)
            gram = gram or GroupedGram(x.shape[1], 0)
            for _, block in dense_blocks(x):
                gram.add(0, block, np.empty((len(block), 0)))
        if gram is None or gram.n == 0:
            raise ModelError(f"{self.name} needs at least one training unit")
        self.components = pca(gram, COMPONENTS)
        if task.classes and any(slide.labels is not None for slide in train):
            self._classifier.fit(train, task)

    def embed(self, slide: ModelSlide) -> NDArray[np.float32]:
        """Return the embedding of every unit: (n, 30) or fewer, for niches with its surroundings (n, 60)."""
        return self.features(slide).astype(np.float32) if self._around else self._own(slide)

    def _own(self, slide: ModelSlide) -> NDArray[np.float32]:
        if self.components is None:
            raise ModelError(f"{self.name} was asked before it was fitted")
        x = self._normalised(slide)
        parts = [self.components.transform(block) for _, block in dense_blocks(x)]
        return np.concatenate(parts).astype(np.float32)

    def features(self, slide: ModelSlide) -> NDArray[np.float64]:
        """Return the components of a unit beside their mean over its neighbours, (n, 60)."""
        own = self._own(slide).astype(np.float64)
        xy = np.asarray(slide.units.obsm["spatial"], dtype=np.float64)
        cells = slide.meta.resolution in CELL_RESOLUTIONS
        graph = cell_graph(xy) if cells else lattice_graph(xy, slide.meta.pitch_um)
        neighbours = np.diff(graph.indptr)[:, None]
        around = np.where(neighbours > 0, (graph @ own) / np.maximum(neighbours, 1), own)
        return np.hstack([own, around])

    def predict_labels(self, slide: ModelSlide, classes: Sequence[str]) -> NDArray[np.float32]:
        """Return class probabilities, (n, k)."""
        return self._classifier.predict(slide, classes)

    def _normalised(self, slide: ModelSlide) -> csr_matrix:
        size = row_sums(csr_matrix(slide.units.X, dtype=np.float64))
        return log_normalised(_counts(slide, self.genes), size, self.scale)


def _counts(slide: ModelSlide, genes: Sequence[str]) -> csr_matrix:
    columns = pick([str(name) for name in slide.units.var_names], genes, "raw_pca")
    counts = csr_matrix(slide.units.X, dtype=np.float64, copy=True)
    whole = len(columns) == counts.shape[1] and np.array_equal(columns, np.arange(len(columns)))
    return counts if whole else csr_matrix(counts[:, columns])
