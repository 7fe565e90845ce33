"""Rank correlation of sparse columns with one variable: only values other than 0 are sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csc_matrix

from pytest_stbench.kernels.packed import packed_columns
from pytest_stbench.kernels.ranks import average_ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray


def spearman_with(values: Any, variable: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return Spearman's correlation of each column with one `variable`, such as the library size.

    Zeros of a column are tied; what is sorted are its other values.

    Parameters
    ----------
    values
        Shape (n, g), dense or sparse; fastest where it is sparse by column.
    variable
        Shape (n,).

    Returns
    -------
    NDArray[np.float64]
        (g,), -1 to 1, ties averaged; nan for a column that is constant or not finite, and
        everywhere when `variable` is constant or not finite or there are fewer than two units.
    """
    n, g = values.shape
    result = np.full(g, np.nan)
    other = np.asarray(variable, dtype=np.float64)
    if n < 2 or not np.isfinite(other).all() or np.ptp(other) == 0:
        return result
    sparse = csc_matrix(values)
    if sparse.dtype != np.float32:
        sparse = sparse.astype(np.float64)
    unknown = np.searchsorted(sparse.indptr, np.flatnonzero(~np.isfinite(sparse.data)), side="right") - 1
    middle = (n + 1) / 2
    centred = average_ranks(other[:, None])[:, 0] - middle
    for columns, packed, beside in packed_columns(sparse, centred):
        padding = np.isnan(packed)
        zeros = padding.sum(axis=1) + n - packed.shape[1]
        # Centred ranks; all zeros have one, and what they add is known from the sum of the others.
        of_zero = (packed < 0).sum(axis=1) + (zeros + 1) / 2 - middle
        ranks = average_ranks(packed.T).T - middle + zeros[:, None] * (packed > 0)
        ranks[padding] = 0.0
        squares = np.einsum("ij,ij->i", ranks, ranks) + zeros * of_zero**2
        product = np.einsum("ij,ij->i", ranks, beside) - of_zero * beside.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = product / np.sqrt(squares * (centred @ centred))
        result[columns] = np.where(squares > 0, np.clip(found, -1.0, 1.0), np.nan)
    result[unknown] = np.nan
    return result
