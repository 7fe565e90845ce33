"""How places and array indices of the same units lie to each other: least squares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_UNITS = 10
REACH = 1.25
"""Neighbours on a lattice lie within this many pitches: 6 on a hexagonal one, 4 on a square one."""

MAX_RESIDUAL = 0.25
"""Above this many pitches (rms) places do not follow array indices; warped sections stay below 0.1."""

HALF = {True: 3.0, False: 2.0}
"""Half of the neighbours of an inner unit, by whether the lattice is hexagonal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridFit:
    """The affine map from array indices to places.

    ``pitch`` is the distance of neighbouring centres in the unit of the places; ``stretch`` the ratio (1
    at least) of the scales in the two main directions, 1 for an array that is only moved, turned, scaled or
    mirrored; ``mirrored`` whether it is mirrored, as by an exchange of x and y; ``residual`` the root mean
    square of what the map leaves, in pitches.
    """

    pitch: float
    stretch: float
    mirrored: bool
    residual: float


def grid_fit(
    xy: NDArray[np.float64], index: NDArray[np.floating | np.integer], *, hexagonal: bool
) -> GridFit | None:
    """Return the map from array indices (row, column) to places (x, y).

    Parameters
    ----------
    xy
        (n, 2) places in any unit, y counted along the rows of the array.
    index
        (n, 2) row and column; on a hexagonal array columns count half pitches.
    hexagonal
        The array is hexagonal, else square.

    Returns
    -------
    GridFit or None
        None for fewer than 10 units with finite places, and where they span no area on either side.
    """
    index = np.asarray(index, dtype=np.float64)
    known = np.isfinite(xy).all(axis=1) & np.isfinite(index).all(axis=1)
    if known.sum() < MIN_UNITS:
        return None
    xy, index = xy[known], index[known]
    columns_and_rows = index[:, ::-1] * ([0.5, math.sqrt(0.75)] if hexagonal else [1.0, 1.0])
    ideal = columns_and_rows - columns_and_rows.mean(axis=0)
    places = xy - xy.mean(axis=0)
    found, _, rank, _ = np.linalg.lstsq(ideal, places, rcond=None)
    if rank < 2:
        return None
    large, small = np.linalg.svd(found, compute_uv=False)
    if not small > 1e-9 * large:
        return None
    pitch = math.sqrt(large * small)
    left = places - ideal @ found
    return GridFit(
        pitch=pitch,
        stretch=float(large / small),
        mirrored=bool(np.linalg.det(found) < 0),
        residual=float(np.sqrt((left**2).sum(axis=1).mean())) / pitch,
    )


def lattice_spacing(xy: NDArray[np.float64], *, hexagonal: bool) -> float | None:
    """Return the median distance of neighbours on one lattice.

    Parameters
    ----------
    xy
        (n, 2) places in any unit; units at one place count once.
    hexagonal
        The lattice is hexagonal, else square.

    Returns
    -------
    float or None
        In the unit of `xy`. None for fewer than 10 places, and where the median unit has no more than
        half of the neighbours that a lattice gives it: two lattices that lie on each other have pairs.
    """
    places = np.unique(xy[np.isfinite(xy).all(axis=1)], axis=0)
    if len(places) < MIN_UNITS:
        return None
    tree = cKDTree(places)
    distance, _ = tree.query(places, k=2)
    spacing = float(np.median(distance[:, 1]))
    near = tree.query_ball_point(places, REACH * spacing, return_length=True) - 1
    return spacing if np.median(near) > HALF[hexagonal] else None
