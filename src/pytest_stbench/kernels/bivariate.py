"""Spatial association of two genes, and what pairs of genes that are detected as often reach by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NO_SPREAD = 1e-9
COLLINEAR = 1e-9
BLOCK_ELEMENTS = 1 << 20
"""Elements of a gathered block of pairs: 8 MiB of float64."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standardised:
    """Standardised genes of the units that have neighbours, and their means over neighbours.

    ``z`` and ``lag`` are (m, g): ``lag`` holds, for each unit, the mean of z over its neighbours.
    """

    z: Floats
    lag: Floats

    def association(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> Floats:
        """Return (1/m) sum_i z_i(first) lag_i(second) of each pair of columns, (p,)."""
        result = np.empty(len(first))
        for pairs in _blocks(len(first), len(self.z)):
            result[pairs] = np.einsum("ij,ij->j", self.z[:, first[pairs]], self.lag[:, second[pairs]])
        return result / max(len(self.z), 1)

    def crossed(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> Floats:
        """Return the association of every column of `first` with every one of `second`, (a, b)."""
        result: Floats = self.z[:, first].T @ self.lag[:, second]
        return result / max(len(self.z), 1)

    def local(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> Floats:
        """Return z_i(first) lag_i(second) of each unit and pair, (m, p): the map of each pair."""
        return self.z[:, first] * self.lag[:, second]


def standardise(values: NDArray[Any], graph: csr_matrix, depth: Floats) -> Standardised:
    """Take log library size off each gene, standardise it and average it over neighbours.

    z is the residual of an ordinary least-squares fit on (1, depth), divided by its standard
    deviation (1/n). It is 0 throughout where nothing is left: the standard deviation is at most
    1e-9, or the residual has less than 1e-9 of the gene's variance (rounding, as the prediction is
    a float32 function of depth).

    Parameters
    ----------
    values
        Shape (n, g), log scale, finite.
    graph
        Shape (n, n), binary neighbours; its rows are divided by their sums. Units without
        neighbours are left out before anything is computed.
    depth
        Shape (n,): natural logarithm of the library size.

    Returns
    -------
    Standardised
        Over the m units that have neighbours.
    """
    joined = np.flatnonzero(np.diff(graph.indptr) > 0)
    weights = csr_matrix(graph[joined][:, joined], dtype=np.float64)
    degree = np.diff(weights.indptr)
    weights = csr_matrix((1.0 / np.repeat(degree, degree), weights.indices, weights.indptr), weights.shape)
    z = _standardised(np.asarray(values[joined], np.float64), depth[joined])
    return Standardised(z=z, lag=weights @ z)


def _standardised(values: Floats, depth: Floats) -> Floats:
    m, g = values.shape
    if m == 0:
        return np.zeros((0, g))
    centred = values - values.mean(axis=0)
    centred -= centred.mean(axis=0)
    along = depth - depth.mean()
    along -= along.mean()
    length = np.sqrt(along @ along)
    spread = np.sqrt(np.einsum("ij,ij->j", centred, centred) / m)
    if length > NO_SPREAD * np.sqrt(m) * max(1.0, abs(float(depth.mean()))):
        along /= length
        centred -= along[:, None] * (along @ centred)
    rest = np.sqrt(np.einsum("ij,ij->j", centred, centred) / m)
    left = (rest > NO_SPREAD) & (rest**2 >= COLLINEAR * spread**2)
    scale = np.where(left, rest, np.inf)
    z: Floats = centred / scale
    return z


def _blocks(n_pairs: int, n_units: int) -> list[slice]:
    step = max(1, BLOCK_ELEMENTS // max(1, n_units))
    return [slice(start, start + step) for start in range(0, n_pairs, step)]


QUANTILE = 0.95
MIN_PAIRS = 20
"""Fewer other pairs cannot show the upper 5%."""


def matched_thresholds(
    genes: Standardised,
    detection: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return, for each pair of genes, the 95th percentile of the pairs matched on detection.

    Genes are put into deciles of their detection rate. Matched with a pair are all pairs of a gene of
    the decile of its first gene with one of the decile of its second, but for pairs of a gene with itself
    and the pairs given (either way round). They share the autocorrelation of the tissue, which permuted
    units would not. All are taken: nothing is drawn, so that a threshold has no error of its own.

    Parameters
    ----------
    genes
        The candidates, as made by :func:`pytest_stbench.kernels.bivariate.standardise`, (m, g).
    detection
        Shape (g,): share of units in which each candidate was detected.
    first, second
        Shape (p,): columns of the pairs.

    Returns
    -------
    NDArray
        Shape (p,); nan where fewer than 20 matched pairs exist.
    """
    result = np.full(len(first), np.nan)
    if len(first) == 0:
        return result
    edges = np.quantile(detection, np.arange(1, 10) / 10)
    decile = np.searchsorted(edges, detection, side="right")
    members = [np.flatnonzero(decile == number) for number in range(10)]
    place = np.empty(len(detection), np.intp)
    for columns in members:
        place[columns] = np.arange(len(columns))
    known = np.concatenate([first, second]), np.concatenate([second, first])
    both = np.column_stack([decile[first], decile[second]])
    for left, right in np.unique(both, axis=0):
        allowed = members[left][:, None] != members[right]
        given = (decile[known[0]] == left) & (decile[known[1]] == right)
        allowed[place[known[0][given]], place[known[1][given]]] = False
        if allowed.sum() >= MIN_PAIRS:
            here = (both == (left, right)).all(axis=1)
            result[here] = np.quantile(genes.crossed(members[left], members[right])[allowed], QUANTILE)
    return result
