"""Sparse columns: values other than 0 in dense blocks, and rank correlation with one variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csc_matrix, issparse

from pytest_stbench.kernels.blocks import MIN_BLOCK_COLUMNS, blocks
from pytest_stbench.kernels.ranks import average_ranks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Packed = tuple[slice, NDArray[Any], NDArray[Any]]


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


def packed_columns(values: Any, beside: NDArray[Any]) -> Iterator[Packed]:
    """Yield blocks of columns: their values other than 0, and what stands `beside` each of them.

    Parameters
    ----------
    values
        Shape (n, g), finite; dense or a scipy sparse matrix.
    beside
        Shape (n,): a number of each row, such as its group.

    Yields
    ------
    tuple
        The slice of columns; their values (c, w), padded with NaN at the end of each row; and
        the entries of `beside` (c, w), padded with 0.
    """
    n, g = values.shape
    sparse = values.tocsc(copy=True) if issparse(values) else None
    if sparse is not None:
        sparse.sum_duplicates()
        sparse.eliminate_zeros()
    for columns in blocks(g, n * values.dtype.itemsize, MIN_BLOCK_COLUMNS):
        if sparse is not None:
            starts = sparse.indptr[columns.start : columns.stop + 1]
            stored = slice(starts[0], starts[-1])
            yield columns, *_pack(np.diff(starts), sparse.data[stored], beside[sparse.indices[stored]])
            continue
        block = np.ascontiguousarray(values[:, columns].T)
        other = block != 0
        of_row = np.broadcast_to(beside, block.shape)
        if other.all():
            yield columns, block, of_row
        else:
            yield columns, *_pack(other.sum(axis=1), block[other], of_row[other])


def _pack(
    counts: NDArray[np.integer[Any]], data: NDArray[Any], beside: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    taken = np.arange(counts.max()) < counts[:, None]
    packed = np.full(taken.shape, np.nan, np.float32 if data.dtype == np.float32 else np.float64)
    of_value = np.zeros(taken.shape, beside.dtype)
    packed[taken], of_value[taken] = data, beside
    return packed, of_value
