"""One number per gene in place of predicted expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels import moran
from pytest_stbench.metrics.comparison import known_genes, matrices

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_matrix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneStatistic:
    """Predicted value of the statistic of each gene (g,): Moran's I, or the variance.

    Where it is nan the prediction does not say: such a gene ranks last.
    """

    values: ArrayLike


def matrix_and_statistic(
    truth: ArrayLike, prediction: ArrayLike | GeneStatistic
) -> tuple[ArrayLike, NDArray[np.float64] | None]:
    """Return the predicted matrix and None, or, for a statistic, the truth in its place and the values.

    Raises
    ------
    ValueError
        If the statistic does not give a number, or nan, for each gene of the truth.
    """
    if not isinstance(prediction, GeneStatistic):
        return prediction, None
    values = np.asarray(prediction.values, np.float64)
    n_genes = np.shape(truth)[-1]
    if values.shape != (n_genes,) or np.isinf(values).any():
        raise ValueError(
            f"the gene statistic has shape {values.shape}: give a number for each of the {n_genes} genes, "
            "nan where there is none"
        )
    return truth, values


def moran_statistic(
    values: ArrayLike, *, graph: csr_matrix, measured: ArrayLike | None = None
) -> GeneStatistic:
    """Return Moran's I of each gene of a slide; nan for one that does not vary or was not measured.

    `values` are (n, g), `graph` (n, n) joins neighbours; a gene with missing values counts as not
    measured.
    """
    array, found = _known(values, measured)
    known = np.isfinite(found)
    found[known] = moran.morans_i(array[:, known], graph)
    return GeneStatistic(values=found)


def variance_statistic(values: ArrayLike, *, measured: ArrayLike | None = None) -> GeneStatistic:
    """Return the variance of each gene of a slide; nan for one that was not measured.

    `values` are (n, g); a gene with missing values counts as not measured.
    """
    array, found = _known(values, measured)
    known = np.isfinite(found)
    found[known] = array[:, known].var(axis=0, dtype=np.float64) if len(array) else np.nan
    return GeneStatistic(values=found)


def _known(values: ArrayLike, measured: ArrayLike | None) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
    """Return the matrix, and for each gene 0 where its values are all known, else nan."""
    array, _ = matrices(values, values)
    known = known_genes(measured, array.shape[1]) & np.isfinite(array).all(axis=0)
    return array, np.where(known, 0.0, np.nan)
