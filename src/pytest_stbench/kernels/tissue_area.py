"""The area of the tissue that units cover, and square windows over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import QhullError, Voronoi

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def tissue_area(xy: Floats) -> float:
    """Return the area of all units: their number of places times the median area around one of them.

    The area around a unit is that of its Voronoi cell. Units at the rim have none of their own, and
    the median is that of the inside: on a lattice exactly the area of a lattice cell, whatever the
    outline of the tissue and its holes.

    Parameters
    ----------
    xy
        Coordinates, (n, 2), in any unit of length. Units at the same place count once, units
        without finite coordinates do not count.

    Returns
    -------
    float
        In the square of the unit of `xy`; nan where no unit lies inside (fewer than four places, or
        all on a line).
    """
    places = np.unique(xy[np.isfinite(xy).all(axis=1)], axis=0)
    around = _cell_areas(places)
    inside = np.isfinite(around)
    return float(len(places) * np.median(around[inside])) if inside.any() else float("nan")


def _cell_areas(places: Floats) -> Floats:
    """Return the area of the Voronoi cell of each place, infinite at the rim."""
    if len(places) < 4:
        return np.full(len(places), np.inf)
    try:
        # About the middle: far from the origin digits would be lost.
        diagram = Voronoi(places - places.mean(axis=0))
    except QhullError:
        return np.full(len(places), np.inf)
    ends = np.array(diagram.ridge_vertices)
    corner = diagram.vertices[np.maximum(ends, 0)]
    areas = np.zeros(len(places))
    for side in diagram.ridge_points.T:
        # A cell is the triangles between its middle and its edges.
        to_first, to_last = corner[:, 0] - diagram.points[side], corner[:, 1] - diagram.points[side]
        triangle = 0.5 * np.abs(to_first[:, 0] * to_last[:, 1] - to_first[:, 1] * to_last[:, 0])
        areas += np.bincount(side, np.where((ends < 0).any(axis=1), np.inf, triangle), minlength=len(areas))
    return areas


def squares(xy: NDArray[np.float64], side: float) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the middles of the squares that hold a unit, (m, 2), and the square of each unit, (n,).

    Squares start at the least x and y of the units.

    Parameters
    ----------
    xy
        Coordinates, (n, 2), finite, in any unit of length.
    side
        Side of a square, in the same unit.
    """
    start = xy.min(axis=0) if len(xy) else np.zeros(2)
    places, square = np.unique(np.floor((xy - start) / side), axis=0, return_inverse=True)
    return start + (places + 0.5) * side, square.ravel()
