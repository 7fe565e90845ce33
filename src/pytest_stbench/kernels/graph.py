"""Neighbourhood graphs of units: binary, symmetric, no self-loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from pytest_stbench.kernels.neighbours import nearest_units

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 1.5
"""Neighbours lie within this many pitches: 6 on a hexagonal lattice, up to 8 on a square one."""


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
    return _symmetric(np.repeat(np.arange(n), k), nearest_units(xy, k).ravel(), n)


def _symmetric(left: NDArray[np.intp], right: NDArray[np.intp], n: int) -> csr_matrix:
    rows, columns = np.concatenate([left, right]), np.concatenate([right, left])
    graph = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    graph.sum_duplicates()
    graph.data[:] = 1.0
    return graph
