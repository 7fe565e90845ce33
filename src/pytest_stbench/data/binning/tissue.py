"""Where there is tissue, found from the molecules or cells themselves, and each unit's share of it.

The rule: a pixel of 10 um is occupied where a molecule (or the centroid of a cell) lies in it;
occupied pixels are closed by a disc (gaps of up to twice its radius are bridged), and holes of
less than 10,000 um2 are filled, so that lumina and tears stay outside. The raster begins at the
lower corner of the bounding box and does not move with the lattice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from pytest_stbench.errors import DataError
from pytest_stbench.kernels.blocks import blocks
from pytest_stbench.kernels.lattice import PITCH_UM, ROW_STEP, Lattice, centres, cover, strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.spec.model import BinSpec

RULES = "tissue/1"
PIXEL_UM = 10.0
CLOSING_UM = {"transcripts": 20.0, "cells": 40.0}
"""Radius of closing: centroids of cells are further apart than molecules."""

MAX_HOLE_UM2 = 10_000.0
TINY = 1e-9
"""Share below which a unit is outside: what rounding leaves of none, and takes from all."""

_ARRAYS = 16
"""Numbers in work for each strip of a unit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tissue:
    """Area of tissue up to each corner of the pixels.

    ``summed`` (rows + 1, columns + 1) counts the pixels of tissue above and left of a corner;
    ``anchor_um`` is the corner of least x and y.
    """

    summed: NDArray[np.int32]
    anchor_um: tuple[float, float]


def raster_over(lower_um: tuple[float, float], upper_um: tuple[float, float]) -> Lattice:
    """Return the pixels over a bounding box."""
    return cover("square", lower_um, upper_um, side_um=PIXEL_UM)


def tissue_of(raster: Lattice, occupied: NDArray[np.bool_], closing_um: float) -> Tissue:
    """Return the tissue around occupied pixels (n,), by the rule of this module."""
    radius = round(closing_um / PIXEL_UM)
    # Beyond the raster there is no tissue, but closing must be free to reach there and back.
    room = np.pad(occupied.reshape(raster.rows, raster.columns), radius)
    reach = np.arange(-radius, radius + 1)
    disc = np.add.outer(reach**2, reach**2) <= radius**2
    closed = ndimage.binary_closing(room, disc)[radius:-radius, radius:-radius]
    filled = _without_small_holes(closed)
    summed = np.zeros((raster.rows + 1, raster.columns + 1), np.int32)
    np.cumsum(filled, axis=0, dtype=np.int32, out=summed[1:, 1:])
    np.cumsum(summed, axis=1, out=summed)
    return Tissue(summed=summed, anchor_um=raster.anchor_um)


def _without_small_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `mask` with holes filled that are small and do not touch the edge."""
    holes, n_holes = ndimage.label(~mask)
    sizes = np.bincount(holes.ravel(), minlength=n_holes + 1)
    small = sizes * PIXEL_UM**2 < MAX_HOLE_UM2
    edge = (holes[0], holes[-1], holes[:, 0], holes[:, -1])
    small[np.concatenate(edge)] = False
    small[0] = False
    filled: NDArray[np.bool_] = mask | small[holes]
    return filled


def tissue_share(tissue: Tissue, lattice: Lattice, units: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each unit's area that is tissue.

    Exact for squares; discs and hexagons are cut into 64 strips, which is right to about 0.003.

    Parameters
    ----------
    tissue
        From :func:`tissue_of`.
    lattice, units
        Units (n,) of a lattice.

    Returns
    -------
    NDArray[np.float64]
        (n,), 0 to 1.
    """
    edges, half = strips(lattice)
    area = (2 * half * np.diff(edges)).sum()
    # Where the box around a unit is all tissue or none, so is the unit.
    outer, widest = edges[[0, -1]], half.max(keepdims=True)
    box = _pixels_within(tissue, lattice, units, outer, widest)
    share = box * PIXEL_UM**2 / (2 * widest * np.ptp(outer))
    mixed = np.flatnonzero((share > TINY) & (share < 1 - TINY))
    share = np.rint(share)
    share[mixed] = _pixels_within(tissue, lattice, units[mixed], edges, half) * PIXEL_UM**2 / area
    clipped: NDArray[np.float64] = np.clip(share, 0.0, 1.0)
    return clipped


def _pixels_within(
    tissue: Tissue,
    lattice: Lattice,
    units: NDArray[np.int64],
    edges: NDArray[np.float64],
    half: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the pixels of tissue, parts included, in the strips around the centre of each unit."""
    anchor = np.array(tissue.anchor_um)
    found = np.empty(len(units))
    for some in blocks(len(units), _ARRAYS * 8 * len(half)):
        x, y = ((centres(lattice, units[some]) - anchor) / PIXEL_UM).T[:, :, None]
        left, right = x - half / PIXEL_UM, x + half / PIXEL_UM
        above, below = y + edges[:-1] / PIXEL_UM, y + edges[1:] / PIXEL_UM
        pixels = (
            _area_up_to(tissue.summed, right, below)
            - _area_up_to(tissue.summed, left, below)
            - _area_up_to(tissue.summed, right, above)
            + _area_up_to(tissue.summed, left, above)
        )
        found[some] = pixels.sum(axis=1)
    return found


def _area_up_to(
    summed: NDArray[np.int32], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the pixels of tissue above and left of points, whole pixels being 1 apart.

    Within a pixel the area grows with x, with y and with their product: linear interpolation of
    the sums at its corners is exact.
    """
    rows, columns = summed.shape[0] - 1, summed.shape[1] - 1
    x, y = np.clip(x, 0, columns), np.clip(y, 0, rows)
    column, row = np.minimum(x.astype(np.intp), columns - 1), np.minimum(y.astype(np.intp), rows - 1)
    across, down = x - column, y - row
    upper = summed[row, column] * (1 - across) + summed[row, column + 1] * across
    lower = summed[row + 1, column] * (1 - across) + summed[row + 1, column + 1] * across
    found: NDArray[np.float64] = upper * (1 - down) + lower * down
    return found


MAX_AREA_UM2 = 3.3e9
"""More than a whole 25 mm x 75 mm slide; the raster of the tissue then has 33 million pixels."""

MAX_UNITS = 20_000_000


def bounded_cover(
    spec: BinSpec, lower_um: tuple[float, float], upper_um: tuple[float, float], what: str
) -> Lattice:
    """Return the lattice that `spec` lays over the box from `lower_um` to `upper_um`.

    Raises ``DataError`` for a box that is larger than a slide, more than 20 million units, or
    square units without a size.
    """
    geometry = spec.geometry
    if geometry == "none":
        raise ValueError("bin: geometry none leaves the units as they are: there is no lattice to lay")
    if geometry == "square" and spec.size_um is None:
        raise DataError(
            f"{what}: square bins need their side: set `bin: {{geometry: square, size_um: 16}}` or `bin: 16`"
        )
    width, height = (upper_um[axis] - lower_um[axis] for axis in (0, 1))
    # A line of points is as wide as a pixel.
    if max(width, PIXEL_UM) * max(height, PIXEL_UM) > MAX_AREA_UM2:
        raise DataError(
            f"{what}: coordinates reach from ({lower_um[0]:.6g}, {lower_um[1]:.6g}) to "
            f"({upper_um[0]:.6g}, {upper_um[1]:.6g}) um, more than a slide of 25 mm x 75 mm: give the "
            "scale of coordinates that are not in um, and remove points that are far off"
        )
    side = spec.size_um if geometry == "square" else None
    pitch = PITCH_UM[geometry] if side is None else side
    step = pitch if side is not None else pitch * ROW_STEP
    # Divided before they are multiplied: the product of tiny sizes would be zero.
    n_units = (width / pitch + 2) * (height / step + 2)
    if n_units > MAX_UNITS:
        least = (max(width, PIXEL_UM) * max(height, PIXEL_UM) / MAX_UNITS) ** 0.5
        raise DataError(
            f"{what}: bins of {pitch:g} um on {width:.6g} x {height:.6g} um are {n_units:.3g}, and at most "
            f"{MAX_UNITS:,} can be made: set size_um to {least * 1.05:.2g} or more"
        )
    return cover(geometry, lower_um, upper_um, side_um=side, origin_um=spec.origin_um)
