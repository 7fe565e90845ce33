"""The distribution of Moran's I when places are exchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.kernels.compiled import compiled
from pytest_stbench.kernels.joined import centred, dense_blocks, joined_pairs
from pytest_stbench.kernels.moran import MIN_UNITS
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csc_matrix

TIE_TOLERANCE = 1e-12


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
        p = np.asarray((1.0 + as_great) / (1.0 + len(self.null)), dtype=np.float64)
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
    x, half = joined_pairs(x, graph)
    n = x.shape[0]
    observed, null = np.full(g, np.nan), np.full((n_permutations, g), np.nan)
    if n < max(min_units, 2):
        return MoranNull(observed=observed, null=null)
    half.sort_indices()
    scale = n / half.data.sum()
    places = np.vstack([np.arange(n), stream(seed, "moran").permutations(n_permutations, n)])
    for columns, block in dense_blocks(x):
        z, total = centred(block)
        pairs = np.zeros((len(places), z.shape[1]))
        _exchanged_pairs(z, half.indptr, half.indices, half.data, places, pairs)
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
        for c in range(width):
            total[c] = 0.0
        for i in range(len(indptr) - 1):
            if indptr[i] == indptr[i + 1]:
                continue
            for c in range(width):
                near[c] = 0.0
            for e in range(indptr[i], indptr[i + 1]):
                j, w = places[b, indices[e]], weights[e]
                for c in range(width):
                    near[c] += w * z[j, c]
            k = places[b, i]
            for c in range(width):
                total[c] += near[c] * z[k, c]
        for c in range(width):
            pairs[b, c] = total[c]
