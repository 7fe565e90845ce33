"""Moran's I of many genes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse, triu

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csc_matrix

MIN_UNITS = 20
CONSTANT_TOLERANCE = 1e-9
BLOCK_ELEMENTS = 1 << 18
"""Elements of the dense block in work: 2 MiB of float64 stay in the cache."""

MIN_BLOCK_COLUMNS = 8


def morans_i(
    x: NDArray[np.floating] | csr_matrix | csc_matrix, graph: csr_matrix, *, min_units: int = MIN_UNITS
) -> NDArray[np.float64]:
    """Return Moran's I per gene: how alike neighbouring units are.

    ``I = n / S0 * sum_ij w_ij z_i z_j / sum_i z_i^2`` with z centred on its mean. Units without
    neighbours are left out of n, of S0 and of the mean.

    Parameters
    ----------
    x
        Values, (n, g), dense or sparse; sparse input is made dense a few columns at a time.
    graph
        Symmetric weights, (n, n), zero diagonal: binary, as made in
        :mod:`pytest_stbench.kernels.graph`. On row-standardised weights the statistic is another
        one (squidpy, esda); it is refused where it makes the weights asymmetric.
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
    n, g = x.shape
    if graph.shape != (n, n):
        message = (
            f"the graph joins {graph.shape[0]} units and the values have {n}: they must be the same units"
        )
        raise ValueError(message)
    graph = csr_matrix(graph, dtype=np.float64)
    if abs(graph - graph.T).nnz:
        message = "Moran's I is defined here on symmetric weights, and the graph is not symmetric"
        raise ValueError(message)
    joined = np.flatnonzero(np.diff(graph.indptr) > 0)
    result = np.full(g, np.nan)
    if len(joined) < max(min_units, 2):
        return result
    if len(joined) < n:
        graph, x = graph[joined][:, joined], x[joined]
    # Every pair of a symmetric graph is visited once: half the work.
    half = csr_matrix(triu(graph, k=1))
    scale = len(joined) / half.data.sum()
    columns = _by_column(x) if issparse(x) else x
    width = max(MIN_BLOCK_COLUMNS, BLOCK_ELEMENTS // len(joined))
    for start in range(0, g, width):
        stop = min(start + width, g)
        result[start:stop] = scale * _quotient(_dense_block(columns, start, stop), half)
    return result


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


def _quotient(z: NDArray[np.float64], half: csr_matrix) -> NDArray[np.float64]:
    """Return sum over joined pairs of z_i z_j / sum z^2 per column, nan where constant; centres in place."""
    # Non-finite values make nan on purpose; they need no warning on the way.
    with np.errstate(invalid="ignore", over="ignore"):
        mean = z.mean(axis=0)
        varies = np.ptp(z, axis=0) > CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(mean))
        z -= mean
        pairs = np.einsum("ij,ij->j", z, half @ z)
        total = np.einsum("ij,ij->j", z, z)
        varies &= np.isfinite(total) & (total > 0)
        quotient: NDArray[np.float64] = np.divide(pairs, total, out=np.full(len(total), np.nan), where=varies)
    return quotient
