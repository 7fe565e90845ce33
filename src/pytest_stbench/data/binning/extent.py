"""Lattices over a slide, refused before memory is taken where the extent or the size is no slide's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.data.binning.tissue import PIXEL_UM
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.lattice import PITCH_UM, ROW_STEP, cover

if TYPE_CHECKING:
    from pytest_stbench.kernels.lattice import Lattice
    from pytest_stbench.spec.model import BinSpec

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
