"""Moran's I of many genes at once, and its distribution when places are exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse, triu

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy.sparse import csc_matrix

MIN_UNITS = 20
CONSTANT_TOLERANCE = 1e-9
BLOCK_ELEMENTS = 1 << 18
"""Elements of the dense block in work: 2 MiB of float64 stay in the cache."""

MIN_BLOCK_COLUMNS = 8
TIE_TOLERANCE = 1e-12
CANCELLATION = 1e3
"""Mean square over variance from which a gene is centred before its products are summed."""


def morans_i(
    x: NDArray[np.floating] | csr_matrix | csc_matrix, graph: csr_matrix, *, min_units: int = MIN_UNITS
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
    g = x.shape[1]
    x, half = _joined(x, graph)
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
    for columns, block in _blocks(x):
        centred, total = _centre(block)
        result[dense_columns[columns]] = scale * np.einsum("ij,ij->j", centred, half @ centred) / total
    return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MoranNull:
    """Moran's I of a slide beside its values after exchanging the places of the units.

    ``observed`` is (g,), ``null`` (n_permutations, g); a column of both is nan where Moran's I is
    undefined.
    """

    observed: NDArray[np.float64]
    null: NDArray[np.float64]

    @property
    def p(self) -> NDArray[np.float64]:
        """Share of values at least as great as the observed one, which counts itself, (g,)."""
        as_great = (self.null >= self.observed - TIE_TOLERANCE).sum(axis=0)
        p: NDArray[np.float64] = (1.0 + as_great) / (1.0 + len(self.null))
        return np.where(np.isnan(self.observed), np.nan, p)


def moran_null(
    x: NDArray[np.floating] | csr_matrix | csc_matrix,
    graph: csr_matrix,
    *,
    order: NDArray[np.integer] | None = None,
    n_permutations: int = 99,
    seed: int = 0,
    min_units: int = MIN_UNITS,
) -> MoranNull:
    """Return Moran's I per gene, and again after each of many random exchanges of places.

    Every exchange gives the whole rows of `x` new places on an unchanged graph, the same for all
    genes. Shuffling the rows of the graph alone, as squidpy does, gives too narrow a distribution
    on symmetric weights. Units without neighbours take no part.

    Parameters
    ----------
    x, graph, min_units
        As in :func:`morans_i`.
    order
        The units in an order of their own, (n,), such as ``numpy.lexsort((y, x))``: with it the
        result is the same to the last bit in whatever order the units are given. None takes
        them as they stand.
    n_permutations
        Number of exchanges, at least 1.
    seed
        Seed of the exchanges.

    Returns
    -------
    MoranNull
        Observed values, values after each exchange, and the one-sided p of each gene.

    Raises
    ------
    ValueError
        If `graph` does not fit `x` or is not symmetric.

    References
    ----------
    Permutation tests: 10.1002/hbm.1058.
    """
    g = x.shape[1]
    if order is not None:
        x, graph = x[order], csr_matrix(graph)[order][:, order]
    x, half = _joined(x, graph)
    n = x.shape[0]
    observed, null = np.full(g, np.nan), np.full((n_permutations, g), np.nan)
    if n < max(min_units, 2):
        return MoranNull(observed=observed, null=null)
    half.sort_indices()
    scale = n / half.data.sum()
    rng = np.random.default_rng(seed)
    places = np.stack([np.arange(n), *(rng.permutation(n) for _ in range(n_permutations))])
    for columns, block in _blocks(x):
        centred, total = _centre(block)
        pairs = np.zeros((len(places), centred.shape[1]))
        _exchanged_pairs(centred, half.indptr, half.indices, half.data, places, pairs)
        found = scale * pairs / total
        observed[columns], null[:, columns] = found[0], found[1:]
    return MoranNull(observed=observed, null=null)


def moran_permutation_p(
    x: NDArray[np.floating] | csr_matrix | csc_matrix,
    graph: csr_matrix,
    *,
    order: NDArray[np.integer] | None = None,
    n_permutations: int = 99,
    seed: int = 0,
    min_units: int = MIN_UNITS,
) -> NDArray[np.float64]:
    """Return the one-sided p of each gene: how often an exchange of places reaches its Moran's I.

    (1 + number of exchanges that reach it) / (1 + `n_permutations`). Parameters and errors as in
    :func:`moran_null`.

    Returns
    -------
    NDArray[np.float64]
        (g,), 1 / (1 + `n_permutations`) to 1, small for genes with spatial pattern; nan where
        Moran's I is undefined.
    """
    return moran_null(x, graph, order=order, n_permutations=n_permutations, seed=seed, min_units=min_units).p


def _joined(x: Any, graph: csr_matrix) -> tuple[Any, csr_matrix]:
    """Return the units that have neighbours, and each pair of neighbours once."""
    n = x.shape[0]
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
    if len(joined) < n:
        graph, x = graph[joined][:, joined], x[joined]
    # Every pair of a symmetric graph is visited once: half the work.
    return x, csr_matrix(triu(graph, k=1))


def _blocks(x: Any) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give some columns of `x` after the other, each time as a fresh dense block."""
    n, g = x.shape
    columns = _by_column(x) if issparse(x) else x
    width = max(MIN_BLOCK_COLUMNS, BLOCK_ELEMENTS // n)
    for start in range(0, g, width):
        stop = min(start + width, g)
        yield slice(start, stop), _dense_block(columns, start, stop)


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


def _centre(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre the columns of `z` in place; return it and their sums of squares.

    A column that is constant or not finite becomes zeros and its sum nan.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        mean = z.mean(axis=0)
        varies = np.ptp(z, axis=0) > CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(mean))
        z -= mean
        total = np.einsum("ij,ij->j", z, z)
        varies &= np.isfinite(total) & (total > 0)
    z[:, ~varies] = 0.0
    return z, np.where(varies, total, np.nan)


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


@compiled
def _exchanged_pairs(
    z: NDArray[np.float64],
    indptr: NDArray[np.int32],
    indices: NDArray[np.int32],
    weights: NDArray[np.float64],
    places: NDArray[np.int64],
    pairs: NDArray[np.float64],
) -> None:
    """Write the sum over joined pairs of w z_i z_j, units of `z` moved as each row of `places` says."""
    width = z.shape[1]
    near = np.empty(width)
    total = np.empty(width)
    for b in range(len(places)):
        total[:] = 0.0
        for i in range(len(indptr) - 1):
            if indptr[i] == indptr[i + 1]:
                continue
            near[:] = 0.0
            for e in range(indptr[i], indptr[i + 1]):
                j, w = places[b, indices[e]], weights[e]
                for c in range(width):
                    near[c] += w * z[j, c]
            k = places[b, i]
            for c in range(width):
                total[c] += near[c] * z[k, c]
        pairs[b] = total
