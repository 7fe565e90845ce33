"""The H&E-like image of a section of cells: the nuclei are those of the cells, and no others.

As in :mod:`pytest_stbench.data.simulate.render`, the picture is put together in whole numbers
(stain of the nucleus, eosin level) and coloured by a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.cells.outlines import in_ellipse
from pytest_stbench.data.simulate.cells.types import NAMES, TYPES
from pytest_stbench.data.simulate.render import colours, eosin_level, stain_of
from pytest_stbench.data.simulate.settings import RATE_DECIMALS
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.simulate.cells.layout import Cells
    from pytest_stbench.data.simulate.cells.section import Section
    from pytest_stbench.data.simulate.params import SimulationParams
    from pytest_stbench.data.simulate.table import Member

GRID_UM = 4.0
"""The background is made of squares of this side, so that no array of floats is as large as the image."""

GRID_ROWS = 32
STAINS = (0.0, 0.6, 0.85, 1.15)
"""Hematoxylin of no nucleus, and of the three degrees a nucleus can have."""

VACUOLE_UM = 16.0
PIXELS_AT_ONCE = 1 << 22


def render_cells(
    params: SimulationParams, member: Member, section: Section, cells: Cells
) -> NDArray[np.uint8]:
    """Return the image (height, width, 3) uint8 RGB at ``params.mpp`` um per pixel.

    Pixel (0, 0) covers the square from the origin of the coordinates. Adipocytes are white discs
    around their nucleus.
    """
    mpp = params.mpp
    width, height = (int(np.ceil(side / mpp)) for side in section.size_um)
    level = _background(section)
    row, column = (((np.arange(side) + 0.5) * mpp / GRID_UM).astype(np.int64) for side in (height, width))
    eosin = level[np.ix_(row, column)]
    rng = stream(params.seed, "cell image", member.slide)
    eosin += rng.levels(3, eosin.shape) * (eosin > 0)
    fat = cells.kind == NAMES.index("adipocyte")
    round_axes = np.full((int(fat.sum()), 2), VACUOLE_UM)
    _stamp(eosin, cells.xy_um[fat], round_axes, cells.angle[fat], np.zeros(len(round_axes), np.uint8), mpp)
    nuclei = np.zeros((height, width), dtype=np.uint8)
    degree = np.array([kind.stain for kind in TYPES], dtype=np.uint8)[cells.kind]
    _stamp(nuclei, cells.xy_um, cells.nucleus_um, cells.angle, degree, mpp)
    return colours(stain_of(params, member), STAINS)[nuclei, eosin]


def _background(section: Section) -> NDArray[np.uint8]:
    """Return the eosin level of every square of the grid, 0 outside of the tissue."""
    columns, rows = (int(np.ceil(side / GRID_UM)) + 1 for side in section.size_um)
    level = np.zeros((rows, columns), dtype=np.uint8)
    for start in range(0, rows, GRID_ROWS):
        stop = min(start + GRID_ROWS, rows)
        y, x = np.indices((stop - start, columns)).reshape(2, -1)
        xy = (np.stack([x, y + start], axis=1) + 0.5) * GRID_UM
        inside = section.outline.depth(xy) < 1
        part = np.zeros(len(xy), dtype=np.uint8)
        if inside.any():
            part[inside] = np.round(np.round(eosin_level(section.at(xy[inside])), RATE_DECIMALS))
        level[start:stop] = part.reshape(stop - start, columns)
    return level


def _stamp(
    image: NDArray[np.uint8],
    xy_um: NDArray[np.float64],
    axes_um: NDArray[np.float64],
    angle: NDArray[np.float64],
    value: NDArray[np.uint8],
    mpp: float,
) -> None:
    """Write `value` where ellipses cover the centre of a pixel; later ones lie above earlier ones."""
    if not len(xy_um):
        return
    height, width = image.shape
    reach = int(np.ceil(axes_um.max() / mpp)) + 1
    steps = np.arange(-reach, reach + 1)
    offset = np.stack([axis.ravel() for axis in np.meshgrid(steps, steps)], axis=1)
    block = max(1, PIXELS_AT_ONCE // len(offset))
    for start in range(0, len(xy_um), block):
        rows = slice(start, start + block)
        pixel = np.floor(xy_um[rows] / mpp).astype(np.int64)[:, None] + offset
        away = np.round((pixel + 0.5) * mpp - xy_um[rows][:, None], RATE_DECIMALS)
        inside = in_ellipse(away, axes_um[rows][:, None], angle[rows][:, None])
        inside &= (pixel >= 0).all(axis=2) & (pixel[..., 0] < width) & (pixel[..., 1] < height)
        unit, spot = np.nonzero(inside)
        image[pixel[unit, spot, 1], pixel[unit, spot, 0]] = value[rows][unit]
