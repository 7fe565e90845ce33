"""Columns of a matrix without their zeros, side by side in dense blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from pytest_stbench.kernels.blocks import MIN_BLOCK_COLUMNS, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Packed = tuple[slice, NDArray[Any], NDArray[Any]]


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
