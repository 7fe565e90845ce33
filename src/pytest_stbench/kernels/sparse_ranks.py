"""Rank correlation of sparse columns with one variable: only values other than 0 are sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csc_matrix, issparse

from pytest_stbench.kernels.compiled import compiled
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
    columns = values.tocsc() if issparse(values) else csc_matrix(np.asarray(values))
    if not columns.has_canonical_format:
        columns = columns.copy()
        columns.sum_duplicates()
    ranks = average_ranks(other[:, None])[:, 0] - (n + 1) / 2
    _correlate(columns.data.astype(np.float64, copy=False), columns.indices, columns.indptr, ranks, result)
    return result


@compiled
def _correlate(
    data: NDArray[np.float64],
    indices: NDArray[np.integer[Any]],
    indptr: NDArray[np.integer[Any]],
    centred: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    """Write the correlation of every column's ranks with the `centred` ranks into `result`."""
    n = len(centred)
    middle = (n + 1) / 2
    ss_other = (centred * centred).sum()
    for j in range(len(indptr) - 1):
        stored = data[indptr[j] : indptr[j + 1]]
        rows = indices[indptr[j] : indptr[j + 1]]
        order = np.argsort(stored)
        n_below = 0
        n_zero = n - len(stored)
        finite = True
        for value in stored:
            n_below += value < 0
            n_zero += value == 0
            finite &= np.isfinite(value)
        if not finite:
            continue
        # Centred ranks; all zeros have one, and what they add is known from the sum of the others.
        of_zero = n_below + (n_zero + 1) / 2 - middle
        ss = n_zero * of_zero * of_zero
        product = 0.0
        first = 0
        while first < len(order):
            value = stored[order[first]]
            end = first + 1
            while end < len(order) and stored[order[end]] == value:
                end += 1
            if value != 0:
                before = first if value < 0 else first + n - len(stored)
                rank = before + (1 + end - first) / 2 - middle
                ss += (end - first) * rank * rank
                for k in range(first, end):
                    product += (rank - of_zero) * centred[rows[order[k]]]
            first = end
        if ss > 0:
            result[j] = min(1.0, max(-1.0, product / np.sqrt(ss * ss_other)))
