"""Lattices of units laid over a plane: which unit a point falls into, and where the units stand.

All arithmetic is float64: in float32 about one point in 10^5 changes sides at the edge of a disc.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

Geometry = Literal["visium", "tiled", "square"]

DISC_UM = 55.0
"""Diameter of a Visium spot, and distance between opposite sides of a ``tiled`` hexagon."""

PITCH_UM = {"visium": 100.0, "tiled": DISC_UM}
ROW_STEP = math.sqrt(0.75)
"""Distance of rows of a hexagonal lattice over its pitch: 86.60254 um at 100 um."""

STRIPS = 64
"""Horizontal strips a disc or hexagon is cut into; a multiple of 4 puts the corners on their edges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """Rows and columns of equal units; unit ``row * columns + column`` of the numbering used here.

    ``anchor_um`` is (x, y) of unit (0, 0): its centre, or the corner of least x and y of a square
    one. Odd rows of a hexagonal lattice stand half a pitch to the right. ``pitch_um`` is the
    distance of neighbouring centres in a row, so the side of a square unit.
    """

    geometry: Geometry
    pitch_um: float
    anchor_um: tuple[float, float]
    rows: int
    columns: int

    @property
    def hexagonal(self) -> bool:
        """Whether units have six neighbours."""
        return self.geometry != "square"

    @property
    def row_step_um(self) -> float:
        """Distance of neighbouring rows."""
        return self.pitch_um * ROW_STEP if self.hexagonal else self.pitch_um

    @property
    def width_um(self) -> float:
        """Width of a unit: diameter, distance of opposite sides, or side."""
        return DISC_UM if self.geometry == "visium" else self.pitch_um

    @property
    def area_um2(self) -> float:
        """Area of a unit: 2375.8 um2 of a disc, 2619.7 um2 of a hexagon."""
        if self.geometry == "visium":
            return math.pi * DISC_UM**2 / 4
        return self.pitch_um * self.row_step_um

    @property
    def n_units(self) -> int:
        """Number of units, empty ones included."""
        return self.rows * self.columns


def cover(
    geometry: Geometry,
    lower_um: tuple[float, float],
    upper_um: tuple[float, float],
    *,
    side_um: float | None = None,
    origin_um: tuple[float, float] = (0.0, 0.0),
) -> Lattice:
    """Return a lattice without a gap between its edge and the box from `lower_um` to `upper_um`.

    The lattice is thought of as endless: `lower_um` + `origin_um` is a centre (of a square unit:
    a corner), which fixes the phase alone, and only the units that points of the box can fall into
    are numbered. Row 0 is always an even one.

    Parameters
    ----------
    geometry
        ``visium`` (discs of 55 um, 100 um apart), ``tiled`` (hexagons without gaps, 55 um apart)
        or ``square``.
    lower_um, upper_um
        (x, y) of the corners of the box, both inside, finite.
    side_um
        Side of a square unit, above 0; the sizes of the other geometries are fixed.
    origin_um
        Shift of the lattice, finite.
    """
    if (geometry == "square") != (side_um is not None):
        raise ValueError("side_um is given for square units and for no others")
    pitch = PITCH_UM[geometry] if side_um is None else float(side_um)
    step = pitch if geometry == "square" else pitch * ROW_STEP
    row_period = step if geometry == "square" else 2 * step
    x0 = _at_or_below(lower_um[0], origin_um[0], pitch)
    y0 = _at_or_below(lower_um[1], origin_um[1], row_period)
    across, down = (upper_um[0] - x0) / pitch, (upper_um[1] - y0) / step
    # A point between two rows of hexagons can be nearest to either, and to either column beside it.
    hexagonal = geometry != "square"
    return Lattice(
        geometry=geometry,
        pitch_um=pitch,
        anchor_um=(x0, y0),
        rows=math.floor(down) + (2 if hexagonal else 1),
        columns=math.floor(across + (0.5 if hexagonal else 0.0)) + 1,
    )


def _at_or_below(lower: float, shift: float, period: float) -> float:
    """Return the greatest ``lower + shift + k * period`` that is not above `lower`."""
    rest = math.fmod(shift, period)
    start = lower + rest
    return start - period if start > lower else start


def units_at(lattice: Lattice, x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the unit each point falls into.

    A point belongs to the nearest centre. One at the same distance from several belongs to the one
    in the greatest row, then in the greatest column (so further down, then further right): each
    square holds its upper and left edge. A disc holds its rim. Distances are compared in float64,
    as they come out there.

    Parameters
    ----------
    lattice
        The units.
    x_um, y_um
        Shape (n,), float64; points that are not finite are nowhere.

    Returns
    -------
    NDArray[np.int64]
        (n,), ``row * columns + column``; -1 between discs and beyond the lattice.
    """
    units = np.empty(len(x_um), np.int64)
    x0, y0 = lattice.anchor_um
    size = (lattice.rows, lattice.columns)
    if lattice.hexagonal:
        reach = DISC_UM**2 / 4 if lattice.geometry == "visium" else np.inf
        _nearest_hexagonal(x_um, y_um, x0, y0, lattice.pitch_um, lattice.row_step_um, reach, *size, units)
    else:
        _nearest_square(x_um, y_um, x0, y0, lattice.pitch_um, *size, units)
    return units


def row_and_column(lattice: Lattice, units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the array index (row, column) of units, (n, 2).

    On a hexagonal lattice columns count half pitches, as Visium numbers them: row + column is even.
    """
    row, column = np.divmod(units, lattice.columns)
    if lattice.hexagonal:
        column = 2 * column + row % 2
    return np.column_stack([row, column])


def centres(lattice: Lattice, units: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return x and y of the centres of units in um, (n, 2)."""
    index = row_and_column(lattice, units)
    if lattice.hexagonal:
        place = index[:, ::-1] * np.array([lattice.pitch_um / 2, lattice.row_step_um])
    else:
        place = (index[:, ::-1] + 0.5) * lattice.pitch_um
    found: NDArray[np.float64] = place + np.array(lattice.anchor_um)
    return found


def strips(lattice: Lattice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the horizontal strips that make up one unit.

    Returns
    -------
    tuple
        Edges of the strips below and above the centre in um, (k + 1,), ascending, and the half
        width of each, (k,). A square is one strip and a hexagon has its exact area; the strips
        of a disc have 0.06 % more than its area.
    """
    if not lattice.hexagonal:
        half = lattice.pitch_um / 2
        return np.array([-half, half]), np.array([half])
    radius = lattice.width_um / 2
    height = radius if lattice.geometry == "visium" else radius / ROW_STEP
    edges = np.linspace(-height, height, STRIPS + 1)
    middle = np.abs(edges[1:] + edges[:-1]) / 2
    if lattice.geometry == "visium":
        return edges, np.sqrt(radius**2 - middle**2)
    return edges, np.minimum(radius, (height - middle) * math.sqrt(3))


@compiled
def _nearest_hexagonal(
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    x0: float,
    y0: float,
    pitch: float,
    step: float,
    reach: float,
    rows: int,
    columns: int,
    units: NDArray[np.int64],
) -> None:
    """Write the unit of each point; `reach` is the greatest squared distance from a centre."""
    for i in range(len(x_um)):
        u, v = x_um[i] - x0, y_um[i] - y0
        above = np.floor(v / step)
        least, row, column = np.inf, -1.0, -1.0
        for candidate in (above, above + 1.0):
            shifted = u - 0.5 * pitch * (candidate % 2.0)
            nearest = np.floor(shifted / pitch + 0.5)
            dx, dy = shifted - nearest * pitch, v - candidate * step
            distance = dx * dx + dy * dy
            if distance <= least:
                least, row, column = distance, candidate, nearest
        inside = least <= reach and 0.0 <= row < rows and 0.0 <= column < columns
        units[i] = np.int64(row) * columns + np.int64(column) if inside else -1


@compiled
def _nearest_square(
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    x0: float,
    y0: float,
    side: float,
    rows: int,
    columns: int,
    units: NDArray[np.int64],
) -> None:
    """Write the unit of each point."""
    for i in range(len(x_um)):
        row, column = np.floor((y_um[i] - y0) / side), np.floor((x_um[i] - x0) / side)
        inside = 0.0 <= row < rows and 0.0 <= column < columns
        units[i] = np.int64(row) * columns + np.int64(column) if inside else -1
