"""Counts of units by genes that are added up while transcripts stream by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from pytest_stbench.kernels.sift import count_into, nonzero_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

DENSE_BYTES = 2**29
"""Largest table that is kept dense; beyond it memory follows the number of non-zero counts."""

DENSE_SHARE = 8
"""Counts of a dense table for one transcript: with more, the zeros take longer than sorting."""

BLOCK_ROWS = 2**22
"""Transcripts that are gathered before they become one sorted block."""


class DenseTable:
    """Every count of a small lattice, in memory."""

    def __init__(self, n_units: int, n_genes: int) -> None:
        self._table = np.zeros((n_units, n_genes), np.int32)

    def add(self, units: NDArray[np.int64], columns: NDArray[np.int32]) -> int:
        """Count transcripts; return how many have no unit (-1)."""
        return count_into(self._table, units, columns)

    def sums(self) -> NDArray[np.int64]:
        """Return the transcripts of each unit."""
        totals: NDArray[np.int64] = self._table.sum(axis=1, dtype=np.int64)
        return totals

    def take(self, units: NDArray[np.int64]) -> sparse.csr_matrix:
        """Return the rows of `units`."""
        shape = (len(units), self._table.shape[1])
        return sparse.csr_matrix(nonzero_rows(self._table, units), shape=shape)


class SparseTable:
    """Counts of a large lattice: sorted blocks, merged while they are of about the same size.

    Memory follows the number of non-zero counts and one block, never the number of transcripts.
    """

    def __init__(self, n_units: int, n_genes: int) -> None:
        self._shape = (n_units, n_genes)
        self._waiting: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        self._n_waiting = 0
        self._blocks: list[sparse.csr_matrix] = []

    def add(self, units: NDArray[np.int64], columns: NDArray[np.int32]) -> int:
        """Count transcripts; return how many have no unit (-1)."""
        inside = units >= 0
        kept = units[inside].astype(np.int32)
        self._waiting.append((kept, columns[inside]))
        self._n_waiting += len(kept)
        if self._n_waiting >= BLOCK_ROWS:
            self._settle()
        return len(units) - len(kept)

    def sums(self) -> NDArray[np.int64]:
        """Return the transcripts of each unit."""
        return np.asarray(self._merged().sum(axis=1, dtype=np.int64)).ravel()

    def take(self, units: NDArray[np.int64]) -> sparse.csr_matrix:
        """Return the rows of `units`."""
        return self._merged()[units]

    def _settle(self) -> None:
        """Make a block of what waits, and merge blocks until each is twice as large as the next."""
        if not self._waiting:
            return
        place = tuple(np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting, self._n_waiting = [], 0
        # Duplicate places are summed.
        block = sparse.csr_matrix((np.ones(len(place[0]), np.int32), place), shape=self._shape)
        while self._blocks and self._blocks[-1].nnz <= 2 * block.nnz:
            block = self._blocks.pop() + block
        self._blocks.append(block)

    def _merged(self) -> sparse.csr_matrix:
        self._settle()
        whole = sparse.csr_matrix(self._shape, dtype=np.int32)
        while self._blocks:
            whole = self._blocks.pop() + whole
        self._blocks = [whole]
        return whole


def count_table(n_units: int, n_genes: int, n_transcripts: int) -> DenseTable | SparseTable:
    """Return an empty table of the kind that suits its size and what is to be counted."""
    size = n_units * n_genes
    dense = size * np.dtype(np.int32).itemsize <= DENSE_BYTES and size <= DENSE_SHARE * n_transcripts
    return DenseTable(n_units, n_genes) if dense else SparseTable(n_units, n_genes)
