"""B13: what the observed genes of a unit say of its hidden genes by a linear map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.baselines.linear import LinearBaseline
from pytest_stbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide


class GeneGeneRidge(LinearBaseline):
    """Ridge from the observed genes to the targets.

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
        sizes = np.concatenate([_row_sums(self._counts(slide)) for slide in train])
        counted = sizes[sizes > 0]
        self.scale = float(np.median(counted)) if len(counted) else 1.0

    def features(self, slide: ModelSlide) -> csr_matrix:
        """Return the features of a slide, (n, observed genes), sparse."""
        counts = self._counts(slide)
        size = _row_sums(counts)
        factor = np.divide(self.scale, size, out=np.zeros(len(size)), where=size > 0)
        counts.data *= np.repeat(factor, np.diff(counts.indptr))
        np.log1p(counts.data, out=counts.data)
        return counts

    def _counts(self, slide: ModelSlide) -> csr_matrix:
        """Return a copy of the observed counts, columns in the order of the task."""
        counts = csr_matrix(slide.units.X, dtype=np.float64, copy=True)
        names = [str(name) for name in slide.units.var_names]
        if names == list(self.observed):
            return counts
        place = {gene: column for column, gene in enumerate(self.observed)}
        pairs = [(column, place[name]) for column, name in enumerate(names) if name in place]
        rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        order = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(names), len(self.observed)))
        return csr_matrix(counts @ order)


def _row_sums(counts: csr_matrix) -> NDArray[np.float64]:
    return np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
