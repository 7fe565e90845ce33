"""B13: what the observed genes of a unit say of its hidden genes by a linear map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.baselines.counts import log_normalised, median_size, observed_counts, row_sums
from pytest_stbench.baselines.families import FROM_COUNTS
from pytest_stbench.baselines.linear import LinearBaseline
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_matrix

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide


@baseline("B13", kind="model", families=FROM_COUNTS, needs=("observed",), memory="O(observed genes^2)")
class GeneGeneRidge(LinearBaseline):
    """Ridge from the observed genes of a unit to its hidden genes.

    Features are ``log1p(counts / library size * scale)`` of the observed genes. The library size
    is the sum over the observed genes alone, since that is all a panel would have measured;
    `scale` is its median over the training units. A unit without observed counts has features 0;
    an observed gene that a slide lacks is 0 there.
    """

    name = "gene_gene_ridge"
    # One scale for all genes already: dividing by the SD would only raise the noise of rare genes.
    standardise = False

    def __init__(self) -> None:
        super().__init__()
        self.observed: tuple[str, ...] = ()
        self.scale = 1.0

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {**super().config, "features": "log1p_median_observed"}

    def prepare(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Note the observed genes and take the median library size."""
        if not task.observed_genes:
            message = f"{self.name} predicts genes from genes, and the task hands out no observed genes"
            raise ModelError(message)
        self.observed = task.observed_genes
        self.scale = median_size(train)

    def features(self, slide: ModelSlide) -> csr_matrix:
        """Return the features of a slide, (n, observed genes), sparse."""
        counts = observed_counts(slide, self.observed)
        return log_normalised(counts, row_sums(counts), self.scale)
