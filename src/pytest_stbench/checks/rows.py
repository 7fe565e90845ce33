"""Rows of a sparse matrix that are exactly equal, without making anything dense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

BLOCK_VALUES = 2_000_000


def row_hashes(matrix: csr_matrix) -> NDArray[np.uint64]:
    """Return one 64-bit hash per row, (n,): equal rows have equal hashes.

    The hash is a sum over the row's non-zero entries, so neither the order in which they are
    stored nor explicit zeros change it. `matrix` must not hold one entry twice.
    """
    columns = _mix(np.arange(matrix.shape[1], dtype=np.uint64))
    hashes = np.zeros(matrix.shape[0], dtype=np.uint64)
    for start, stop in _row_blocks(matrix.indptr):
        low, high = int(matrix.indptr[start]), int(matrix.indptr[stop])
        values = np.asarray(matrix.data[low:high], dtype=np.float64)
        entries = _mix(values.view(np.uint64) ^ columns[matrix.indices[low:high]])
        entries[values == 0] = 0
        sums = np.zeros(len(entries) + 1, dtype=np.uint64)
        np.cumsum(entries, out=sums[1:])
        edges = np.asarray(matrix.indptr[start : stop + 1], dtype=np.int64) - low
        hashes[start:stop] = sums[edges[1:]] - sums[edges[:-1]]
    return hashes


def equal_rows(matrix: csr_matrix) -> NDArray[np.bool_]:
    """Return which rows equal at least one other row, (n,). Candidates by hash are compared."""
    twin = np.zeros(matrix.shape[0], dtype=bool)
    hashes = row_hashes(matrix)
    pending = np.arange(matrix.shape[0])
    while len(pending) > 1:
        _, first, group, sizes = np.unique(
            hashes[pending], return_index=True, return_inverse=True, return_counts=True
        )
        keep = sizes[group] > 1
        rows, leaders = pending[keep], pending[first[group[keep]]]
        difference = matrix[rows] - matrix[leaders]
        difference.eliminate_zeros()
        # a leader is never pending again, so that the loop ends even where a row is not its own equal (nan)
        different = (np.diff(difference.indptr) > 0) & (rows != leaders)
        same = ~different & (rows != leaders)
        twin[rows[same]] = True
        twin[leaders[same]] = True
        pending = rows[different]
    return twin


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the values scrambled (the finaliser of SplitMix64), as a new array."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _row_blocks(indptr: NDArray[np.integer]) -> list[tuple[int, int]]:
    """Return row ranges that hold about ``BLOCK_VALUES`` entries each."""
    n = len(indptr) - 1
    cuts = np.searchsorted(indptr, np.arange(BLOCK_VALUES, int(indptr[-1]), BLOCK_VALUES))
    edges = np.unique(np.concatenate([[0], np.minimum(cuts, n), [n]]))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
