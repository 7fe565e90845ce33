"""Moran's I of many genes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

from pytest_stbench.kernels.compiled import compiled
from pytest_stbench.kernels.joined import CONSTANT_TOLERANCE, Pairs, centred, dense_blocks, joined_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csc_matrix

MIN_UNITS = 20
CANCELLATION = 1e3
"""Mean square over variance from which a gene is centred before its products are summed."""


def morans_i(
    x: NDArray[np.floating] | csr_matrix | csc_matrix,
    graph: csr_matrix | Pairs,
    *,
    min_units: int = MIN_UNITS,
) -> NDArray[np.float64]:
    """Return Moran's I per gene: how alike neighbouring units are.

    ``I = n / S0 * sum_ij w_ij z_i z_j / sum_i z_i^2`` with z centred on its mean. Units without
    neighbours are left out of n, of S0 and of the mean.

    Parameters
    ----------
    x
        Values, (n, g), dense or sparse; sparse input is read in place, row by row.
    graph
        Symmetric weights, (n, n), zero diagonal: binary, as made in
        :mod:`pytest_stbench.kernels.graph`. On row-standardised weights the statistic is another
        one (squidpy, esda); it is refused where it makes the weights asymmetric. Its pairs
        (:func:`~pytest_stbench.kernels.joined.pairs_of`) where they serve several calls.
    min_units
        Fewest units with neighbours; below, every value is nan.

    Returns
    -------
    NDArray[np.float64]
        (g,), about -1 to 1, 0 without spatial pattern; nan for a constant gene (range at most
        1e-9 * max(1, abs(mean))), a gene with non-finite values, or too few units.

    Raises
    ------
    ValueError
        If `graph` does not fit `x` or is not symmetric.

    References
    ----------
    Moran 1950, 10.2307/2332142.
    """
    g = x.shape[1]
    x, half = joined_pairs(x, graph)
    result = np.full(g, np.nan)
    if x.shape[0] < max(min_units, 2):
        return result
    scale = x.shape[0] / half.data.sum()
    dense_columns = np.arange(g)
    if issparse(x):
        x = _by_row(x)
        pairs, total, cancels = _sparse_pairs(x, half)
        result = scale * np.divide(pairs, total, out=result, where=~np.isnan(total))
        dense_columns = np.flatnonzero(cancels)
        x = x[:, dense_columns] if len(dense_columns) else x[:, :0]
    for columns, block in dense_blocks(x):
        z, total = centred(block)
        result[dense_columns[columns]] = scale * np.einsum("ij,ij->j", z, half @ z) / total
    return result


def _by_row(x: Any) -> csr_matrix:
    """Return sparse `x` by row, every entry stored once; the caller's matrix stays as it is."""
    rows = x.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def _sparse_pairs(
    x: csr_matrix, half: csr_matrix
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return per gene the sum over joined pairs of w z_i z_j, and the sum of z_i^2, z centred.

    Both from sums of the stored values alone. Sums of squares are nan where a gene is constant or
    not finite. The third array marks genes whose variance is so small beside their mean that
    these sums cancel.
    """
    n, g = x.shape
    degree = np.asarray(half.sum(axis=0)).ravel() + np.asarray(half.sum(axis=1)).ravel()
    sums = np.zeros((4, g))
    span = np.zeros((2, g))
    stored = np.zeros(g, dtype=np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        _sums_of_stored(
            x.data, x.indices, x.indptr, half.data, half.indices, half.indptr, degree, sums, span, stored
        )
        first, squares, weighted, products = sums
        # A gene stored in every unit has no zero: its range is that of its values.
        low = np.where(stored < n, np.minimum(span[0], 0.0), span[0])
        high = np.where(stored < n, np.maximum(span[1], 0.0), span[1])
        mean = first / n
        total = squares - n * mean**2
        finite = np.isfinite(total)
        cancels = finite & (squares > CANCELLATION * np.abs(total))
        varies = finite & (total > 0) & (high - low > CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(mean)))
        pairs = products - mean * weighted + mean**2 * half.data.sum()
    return pairs, np.where(varies & ~cancels, total, np.nan), cancels


@compiled
def _sums_of_stored(
    values: NDArray[np.floating],
    columns: NDArray[np.int32],
    starts: NDArray[np.int32],
    weights: NDArray[np.float64],
    others: NDArray[np.int32],
    joins: NDArray[np.int32],
    degree: NDArray[np.float64],
    sums: NDArray[np.float64],
    span: NDArray[np.float64],
    stored: NDArray[np.int64],
) -> None:
    """Add per gene the stored values x, x^2, degree * x and, over joined pairs, w x_i x_j to `sums`.

    `span` takes the least and the greatest stored value, `stored` their number.
    """
    row = np.zeros(sums.shape[1])
    for i in range(len(starts) - 1):
        first, last = starts[i], starts[i + 1]
        for k in range(first, last):
            c, value = columns[k], float(values[k])
            sums[0, c] += value
            sums[1, c] += value * value
            sums[2, c] += degree[i] * value
            if stored[c] == 0:
                span[0, c] = value
                span[1, c] = value
            span[0, c] = min(span[0, c], value)
            span[1, c] = max(span[1, c], value)
            stored[c] += 1
            row[c] = value
        for e in range(joins[i], joins[i + 1]):
            j, w = others[e], weights[e]
            for k in range(starts[j], starts[j + 1]):
                c = columns[k]
                sums[3, c] += w * row[c] * values[k]
        for k in range(first, last):
            row[columns[k]] = 0.0
