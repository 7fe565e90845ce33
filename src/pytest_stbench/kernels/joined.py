"""Units of a graph and their values, a dense block of centred columns at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse, triu

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy.sparse import csc_matrix

CONSTANT_TOLERANCE = 1e-9
BLOCK_ELEMENTS = 1 << 18
"""Elements of the dense block in work: 2 MiB of float64 stay in the cache."""

MIN_BLOCK_COLUMNS = 8
LOOKED_AT = 256
"""Rows in which nearly all columns that vary are seen to: the others are looked at whole."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Pairs of neighbours of `n` units, each once: weights of the ``units`` that have any, in ``half``."""

    n: int
    units: NDArray[np.intp]
    half: csr_matrix


def pairs_of(graph: csr_matrix) -> Pairs:
    """Return each pair of neighbours once; made beforehand where many blocks of values share a graph.

    Raises ``ValueError`` where the weights are not symmetric.
    """
    graph = csr_matrix(graph, dtype=np.float64)
    if abs(graph - graph.T).nnz:
        raise ValueError("Moran's I is defined here on symmetric weights, and the graph is not symmetric")
    n = graph.shape[0]
    units = np.flatnonzero(np.diff(graph.indptr) > 0)
    if len(units) < n:
        graph = graph[units][:, units]
    # Every pair of a symmetric graph is visited once: half the work.
    return Pairs(n=n, units=units, half=csr_matrix(triu(graph, k=1)))


def joined_pairs(x: Any, graph: csr_matrix | Pairs) -> tuple[Any, csr_matrix]:
    """Return the units that have neighbours, and each pair of neighbours once."""
    n = x.shape[0]
    shape = (graph.n, graph.n) if isinstance(graph, Pairs) else graph.shape
    if shape != (n, n):
        raise ValueError(
            f"the graph joins {shape[0]} units and the values have {n}: they must be the same units"
        )
    pairs = graph if isinstance(graph, Pairs) else pairs_of(graph)
    return x if len(pairs.units) == n else x[pairs.units], pairs.half


def dense_blocks(x: Any) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give some columns of `x` after the other, each time as a fresh dense block."""
    n, g = x.shape
    columns = _by_column(x) if issparse(x) else x
    width = max(MIN_BLOCK_COLUMNS, BLOCK_ELEMENTS // n)
    for start in range(0, g, width):
        stop = min(start + width, g)
        yield slice(start, stop), _dense_block(columns, start, stop)


def _by_column(x: Any) -> csc_matrix:
    """Return sparse `x` by column, every entry stored once; the caller's matrix stays as it is."""
    columns = x.tocsc()
    if not columns.has_canonical_format:
        columns = columns.copy()
        columns.sum_duplicates()
    return columns


def _dense_block(x: Any, start: int, stop: int) -> NDArray[np.float64]:
    """Return a fresh C-ordered float64 copy of columns `start` to `stop`."""
    if not issparse(x):
        return np.array(x[:, start:stop], dtype=np.float64, order="C")
    block = np.zeros((x.shape[0], stop - start))
    first, last = x.indptr[start], x.indptr[stop]
    column = np.repeat(np.arange(stop - start), np.diff(x.indptr[start : stop + 1]))
    block[x.indices[first:last], column] = x.data[first:last]
    return block


def centred(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre the columns of `z` in place; return it and their sums of squares.

    A column that is constant or not finite becomes zeros and its sum nan.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        mean = z.mean(axis=0)
        varies = _varies(z, CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(mean)))
        z -= mean
        total = np.einsum("ij,ij->j", z, z)
        varies &= np.isfinite(total) & (total > 0)
    z[:, ~varies] = 0.0
    return z, np.where(varies, total, np.nan)


def _varies(z: NDArray[np.float64], least: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which columns have a range above `least`; of values that are not finite nothing is said."""
    varies: NDArray[np.bool_] = np.ptp(z[:: max(1, len(z) // LOOKED_AT)], axis=0) > least
    rest = np.flatnonzero(~varies)
    if len(rest):
        varies[rest] = np.ptp(z[:, rest], axis=0) > least[rest]
    return varies
