"""Neighbourhood graphs of units: binary, symmetric, no self-loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 1.5
"""Neighbours lie within this many pitches: 6 on a hexagonal lattice, up to 8 on a square one."""

TIE_DECIMALS = 9
SPARE_NEIGHBOURS = 4
ROW_BLOCK = 65_536


def median_nn_distance(xy: NDArray[np.float64]) -> float:
    """Return the median distance from a place to the nearest other place.

    Parameters
    ----------
    xy
        Coordinates, (n, 2), in any unit of length. Units at the same place count once.

    Returns
    -------
    float
        In the unit of `xy`; nan with fewer than two places.
    """
    places = np.unique(np.asarray(xy, dtype=np.float64), axis=0)
    if len(places) < 2:
        return float("nan")
    distance, _ = cKDTree(places).query(places, k=2)
    return float(np.median(distance[:, 1]))


def lattice_graph(xy_um: NDArray[np.float64], pitch: float | None = None) -> csr_matrix:
    """Join units of a lattice that lie within 1.5 pitches of each other.

    Parameters
    ----------
    xy_um
        Coordinates, (n, 2), in um.
    pitch
        Distance between neighbouring lattice points in um, as declared for the technology;
        None takes the median nearest-neighbour distance.

    Returns
    -------
    csr_matrix
        (n, n) float64 of zeros and ones, symmetric, zero diagonal. Units at exactly the same
        place are not joined. Without a usable pitch (fewer than two places) no unit is joined.
    """
    xy = np.asarray(xy_um, dtype=np.float64)
    reach = REACH * (median_nn_distance(xy) if pitch is None else pitch)
    if not np.isfinite(reach) or len(xy) < 2:
        return csr_matrix((len(xy), len(xy)), dtype=np.float64)
    pairs = cKDTree(xy).query_pairs(reach, output_type="ndarray")
    apart = (xy[pairs[:, 0]] != xy[pairs[:, 1]]).any(axis=1)
    return _symmetric(pairs[apart, 0], pairs[apart, 1], len(xy))


def cell_graph(xy: NDArray[np.float64], k: int = 6) -> csr_matrix:
    """Join every cell to its `k` nearest cells; an edge stands if either end chose the other.

    Parameters
    ----------
    xy
        Coordinates, (n, 2), in any unit of length.
    k
        Number of neighbours a cell chooses; all others where there are fewer.

    Returns
    -------
    csr_matrix
        (n, n) float64 of zeros and ones, symmetric, zero diagonal. Equal distances (rounded to
        1e-9) are decided by x, then by y, so that the order of the cells does not matter.
    """
    xy = np.asarray(xy, dtype=np.float64)
    n = len(xy)
    k = min(k, n - 1)
    if k < 1:
        return csr_matrix((n, n), dtype=np.float64)
    tree = cKDTree(xy)
    chosen = np.empty((n, k), np.intp)
    for start in range(0, n, ROW_BLOCK):
        rows = np.arange(start, min(start + ROW_BLOCK, n))
        width = min(n, k + 1 + SPARE_NEIGHBOURS)
        while len(rows):
            chosen[rows], complete = _nearest(tree, xy, rows, k, width)
            rows = rows[~complete]
            width = min(n, 2 * width)
    return _symmetric(np.repeat(np.arange(n), k), chosen.ravel(), n)


def _nearest(
    tree: cKDTree, xy: NDArray[np.float64], rows: NDArray[np.intp], k: int, width: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the `k` nearest of `rows` among `width` candidates, and where that is certain.

    A row is not certain while a candidate outside the `width` looked at may tie with the last
    one chosen.
    """
    distance, index = tree.query(xy[rows], k=width)
    rounded = np.round(distance, TIE_DECIMALS)
    # The cell itself sorts last, wherever duplicates of its place have put it.
    is_self = index == rows[:, None]
    keyed = np.where(is_self, np.inf, rounded)
    order = np.lexsort((index, xy[index, 1], xy[index, 0], keyed), axis=1)[:, :k]
    last_chosen = np.take_along_axis(keyed, order[:, -1:], axis=1)[:, 0]
    complete = (width == len(xy)) | (rounded[:, -1] > last_chosen)
    return np.take_along_axis(index, order, axis=1), complete


def _symmetric(left: NDArray[np.intp], right: NDArray[np.intp], n: int) -> csr_matrix:
    rows, columns = np.concatenate([left, right]), np.concatenate([right, left])
    graph = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    graph.sum_duplicates()
    graph.data[:] = 1.0
    return graph
