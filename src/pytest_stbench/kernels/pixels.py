"""Which pixel of a map each unit of a slide falls into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.lattice import ROW_STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL_PIXEL_UM = 100.0


def index_pixels(array_index: NDArray[np.integer], *, hexagonal: bool) -> NDArray[np.int64]:
    """Return (row, column) of units with an array index, (n, 2), the least of both 0.

    Parameters
    ----------
    array_index
        Array row and column, (n, 2).
    hexagonal
        Whether columns count half pitches, as Visium numbers them: each two of them are one pixel.
    """
    pixels = np.array(array_index, dtype=np.int64)
    if hexagonal:
        pixels[:, 1] //= 2
    return _from_zero(pixels)


def lattice_pixels(xy_um: NDArray[np.float64], pitch_um: float, *, hexagonal: bool) -> NDArray[np.int64]:
    """Return (row, column) of units of a lattice by their coordinates, (n, 2), the least of both 0.

    Rows are the nearest multiples of the row distance (the pitch, or sqrt(3) / 2 of it on a
    hexagonal lattice) from the least y; columns those of the pitch from the least x. Every second
    row of a hexagonal lattice stands half a pitch aside; both kinds start at column 0.

    Parameters
    ----------
    xy_um
        Coordinates, (n, 2), finite.
    pitch_um
        Distance of neighbouring units, above 0.
    hexagonal
        Whether units have six neighbours.
    """
    xy = np.asarray(xy_um, dtype=np.float64)
    if len(xy) == 0:
        return np.zeros((0, 2), np.int64)
    x, y = ((xy - xy.min(axis=0)) / pitch_um).T
    row = np.rint(y / ROW_STEP) if hexagonal else np.rint(y)
    column = np.floor(x + 0.25) if hexagonal else np.rint(x)
    return _from_zero(np.column_stack([row, column]).astype(np.int64))


def cell_pixels(xy_um: NDArray[np.float64], side_um: float = CELL_PIXEL_UM) -> NDArray[np.int64]:
    """Return (row, column) of the square of side `side_um` that each cell lies in, (n, 2).

    Squares start at the least x and y; coordinates (n, 2) are finite.
    """
    xy = np.asarray(xy_um, dtype=np.float64)
    if len(xy) == 0:
        return np.zeros((0, 2), np.int64)
    pixels: NDArray[np.int64] = np.floor((xy - xy.min(axis=0)) / side_um).astype(np.int64)[:, ::-1]
    return pixels


def _from_zero(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    return pixels - pixels.min(axis=0) if len(pixels) else pixels
