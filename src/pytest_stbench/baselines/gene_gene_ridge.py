"""B13: what the observed genes of a unit say of its hidden genes by a linear map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scipy.sparse import csr_matrix

from pytest_stbench.baselines.counts import (
    log_normalised,
    median_size,
    most_variable,
    observed_counts,
    row_sums,
)
from pytest_stbench.baselines.families import FROM_COUNTS
from pytest_stbench.baselines.linear import LinearBaseline, pick
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.baselines.slide_sums import SparseProduct
    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide


MOST_FEATURES = 4096
"""Observed genes up to which all are features: their Gram matrix takes 134 MB a group of patients."""

CHOSEN = 2048


@baseline("B13", kind="model", families=FROM_COUNTS, needs=("observed",), memory="O(observed genes^2)")
class GeneGeneRidge(LinearBaseline):
    """Ridge from the observed genes of a unit to its hidden genes.

    Features are ``log1p(counts / library size * scale)`` of the observed genes. The library size
    is the sum over the observed genes alone, since that is all a panel would have measured;
    `scale` is its median over the training units. A unit without observed counts has features 0;
    an observed gene that a slide lacks is 0 there. Of more than 4,096 observed genes the 2,048 whose
    features vary most over the training units are features.
    """

    name = "gene_gene_ridge"
    # One scale for all genes already: dividing by the SD would only raise the noise of rare genes.
    standardise = False

    def __init__(self) -> None:
        super().__init__()
        self.observed: tuple[str, ...] = ()
        self.scale = 1.0
        self.chosen: NDArray[np.intp] | None = None

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {**super().config, "features": "log1p_median_observed", "most": [MOST_FEATURES, CHOSEN]}

    def prepare(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Note the observed genes and take the median library size."""
        if not task.observed_genes:
            message = f"{self.name} predicts genes from genes, and the task hands out no observed genes"
            raise ModelError(message)
        self.observed = task.observed_genes
        self.scale = median_size(train)
        self.chosen = None
        if len(self.observed) > MOST_FEATURES:
            names = most_variable(map(self._normalised, train), self.observed, CHOSEN)
            self.chosen = pick(self.observed, names, self.name)

    def recipe(self) -> Hashable:
        """Return what, with a slide and its observed genes, decides the features."""
        return self.scale, None if self.chosen is None else self.chosen.tobytes()

    @property
    def lasting(self) -> bool:
        """Not where features are chosen: hardly two training sides choose the same."""
        return self.chosen is None

    def features(self, slide: ModelSlide) -> csr_matrix | SparseProduct:
        """Return the features of a slide, (n, features), sparse."""
        return self._own(slide)

    def _own(self, slide: ModelSlide) -> csr_matrix:
        x = self._normalised(slide)
        return x if self.chosen is None else csr_matrix(x[:, self.chosen])

    def _normalised(self, slide: ModelSlide) -> csr_matrix:
        counts = observed_counts(slide, self.observed)
        return log_normalised(counts, row_sums(counts), self.scale)
