"""The H&E-like image of a slide, rendered from the tissue alone.

The picture is put together in whole numbers (nuclei per pixel or stain of the nucleus, eosin level)
and coloured by a table, so that the last digit of a number cannot change it. For spots, nuclei are
drawn within the circle that touches the neighbours: `polarity` moves them between its left and right
half and leaves their number alone, so that colour statistics of a patch cannot see it. For cells the
nuclei are those of the cells, and no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.cells.layout import in_ellipse
from pytest_stbench.data.simulate.cells.types import NAMES, TYPES
from pytest_stbench.data.simulate.settings import NICHES, RATE_DECIMALS
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.simulate.cells.layout import Cells
    from pytest_stbench.data.simulate.cells.section import Section
    from pytest_stbench.data.simulate.params import SimulationParams
    from pytest_stbench.data.simulate.table import Member
    from pytest_stbench.data.simulate.tissue import Tissue, TissueState
    from pytest_stbench.kernels.streams import Stream

MPP = 2.0
GRID_PX = 8
REACH_UM = 48.0
NUCLEUS_PX = 2
VACUOLE_PX = 9
NUCLEI_PER_SPOT = 40
VACUOLES_PER_SPOT = 9
POLARISATION = 0.9
EOSIN_LEVELS = 16
EOSIN = np.array([0.35, 0.9, 0.2, 0.1])
"""Relative eosin of tumour, stroma, immune and adipose tissue."""
HEMATOXYLIN_OD = np.array([0.65, 0.70, 0.29])
EOSIN_OD = np.array([0.07, 0.99, 0.11])
"""Optical densities of the stains per channel (Ruifrok and Johnston 2001)."""
STAIN_SPREAD = 0.06
SITE_STAIN_SPREAD = 0.1
NUCLEI_OD = (0.0, 0.8, 1.1)
"""Hematoxylin where no, one and two nuclei lie."""


def render(params: SimulationParams, member: Member, tissue: Tissue, state: TissueState) -> NDArray[np.uint8]:
    """Return the image (height, width, 3) uint8 RGB at :data:`MPP` um per pixel.

    `state` is the tissue at its spots. Pixel (0, 0) covers the square from the origin of the
    coordinates to (MPP, MPP) um. The stains of a patient's slides are a little stronger or weaker.
    """
    rng = stream(params.seed, "image", member.slide)
    width, height = (int(np.ceil(side / MPP)) for side in tissue.lattice.size_um)
    eosin, inside = _background(tissue, height, width)
    eosin = (eosin + rng.levels(3, eosin.shape)) * inside
    nuclei = _nuclei(rng, tissue, state, height, width) * inside
    holes = _vacuoles(rng, tissue, state, height, width)
    nuclei[holes] = 0
    eosin[holes] = 0
    return colours(stain_of(params, member), NUCLEI_OD)[nuclei, eosin]


def stain_of(params: SimulationParams, member: Member) -> NDArray[np.float64]:
    """Return how strong hematoxylin and eosin are, about 1: of the patient and, if several, the site."""
    stain = 1 + STAIN_SPREAD * stream(params.seed, "stain", member.patient).normal(2)
    if params.sites > 1:
        site = stream(params.seed, "site stain", str(member.site)).normal(2)
        stain += SITE_STAIN_SPREAD * site
    return stain


def eosin_level(state: TissueState) -> NDArray[np.float64]:
    """Return how much eosin the niches of each place take up, 1 to :data:`EOSIN_LEVELS` + 1."""
    level: NDArray[np.float64] = 1 + (state.niches @ EOSIN) * EOSIN_LEVELS
    return level


def _background(tissue: Tissue, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the eosin level and the tissue mask of every pixel, interpolated from a coarse grid."""
    # Most runs that draw counts never look at an image.
    from scipy import ndimage

    rows, columns = -(-height // GRID_PX) + 1, -(-width // GRID_PX) + 1
    y, x = np.indices((rows, columns)).reshape(2, -1) * GRID_PX * MPP
    xy = np.stack([x, y], axis=1).astype(np.float64)
    level = eosin_level(tissue.at(xy))
    depth = tissue.lattice.outline.depth(xy)
    fine = [
        ndimage.zoom(
            np.round(values, RATE_DECIMALS).reshape(rows, columns),
            GRID_PX,
            order=1,
            grid_mode=True,
            mode="nearest",
        )
        for values in (level, depth)
    ]
    half = GRID_PX // 2  # a grid point is the centre of its zoomed block
    level, depth = (values[half : half + height, half : half + width] for values in fine)
    return np.round(level).astype(np.uint8), depth < 1


def _nuclei(rng: Stream, tissue: Tissue, state: TissueState, height: int, width: int) -> NDArray[np.uint8]:
    """Return the number of nuclei over each pixel, at most 2."""
    number = _whole(rng, 3 + NUCLEI_PER_SPOT * state.cellularity)
    right = _whole(rng, number * (1 + POLARISATION * state.polarity) / 2)
    unit = np.repeat(np.arange(len(number)), number)
    rank = np.arange(len(unit)) - np.repeat(np.cumsum(number) - number, number)
    side = np.where(rank < right[unit], 1.0, -1.0)
    offset = _in_circle(rng, len(unit))
    offset[:, 0] = np.abs(offset[:, 0]) * side
    layers = _stamp(tissue.lattice.xy_um[unit] + offset, NUCLEUS_PX, height, width)
    shown: NDArray[np.uint8] = np.minimum(layers, 2).astype(np.uint8)
    return shown


def _vacuoles(rng: Stream, tissue: Tissue, state: TissueState, height: int, width: int) -> NDArray[np.bool_]:
    """Return the white holes of adipose tissue."""
    number = _whole(rng, VACUOLES_PER_SPOT * state.niches[:, NICHES.index("adipose")])
    unit = np.repeat(np.arange(len(number)), number)
    place = tissue.lattice.xy_um[unit] + _in_circle(rng, len(unit))
    return _stamp(place, VACUOLE_PX, height, width) > 0


def _whole(rng: Stream, expected: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round up or down at random, so that the mean is `expected`."""
    return np.floor(np.round(expected, RATE_DECIMALS) + rng.uniform(len(expected))).astype(np.int64)


def _in_circle(rng: Stream, n: int) -> NDArray[np.float64]:
    """Return (n, 2) offsets spread evenly over the circle of a spot, in um."""
    radius = REACH_UM * np.sqrt(rng.uniform(n))
    angle = 2 * np.pi * rng.uniform(n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _stamp(xy_um: NDArray[np.float64], radius_px: int, height: int, width: int) -> NDArray[np.int64]:
    """Return how many discs of `radius_px` around `xy_um` cover each pixel."""
    centre = np.floor(np.round(xy_um / MPP, RATE_DECIMALS)).astype(np.int64)
    steps = np.arange(-radius_px, radius_px + 1)
    dy, dx = (step.ravel() for step in np.meshgrid(steps, steps, indexing="ij"))
    disc = dx**2 + dy**2 <= (radius_px + 0.3) ** 2
    x = (centre[:, :1] + dx[disc]).ravel()
    y = (centre[:, 1:] + dy[disc]).ravel()
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    flat = y[within] * width + x[within]
    return np.bincount(flat, minlength=height * width).reshape(height, width)


def colours(stain: NDArray[np.float64], nuclei_od: Sequence[float]) -> NDArray[np.uint8]:
    """Return the colour of every pair of nuclear stain and eosin level, (stains, levels, 3) uint8."""
    nuclei = np.array(nuclei_od)[:, None, None] * stain[0] * HEMATOXYLIN_OD
    levels = np.arange(EOSIN_LEVELS + 4)[None, :, None] / EOSIN_LEVELS
    eosin = 0.55 * levels * stain[1] * EOSIN_OD
    table: NDArray[np.uint8] = np.round(np.exp(-(nuclei + eosin)) * 245).astype(np.uint8)
    return table


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
    level = _background_of_cells(section)
    row, column = (((np.arange(side) + 0.5) * mpp / GRID_UM).astype(np.int64) for side in (height, width))
    eosin = level[np.ix_(row, column)]
    rng = stream(params.seed, "cell image", member.slide)
    eosin += rng.levels(3, eosin.shape) * (eosin > 0)
    fat = cells.kind == NAMES.index("adipocyte")
    round_axes = np.full((int(fat.sum()), 2), VACUOLE_UM)
    _stamp_ellipses(
        eosin, cells.xy_um[fat], round_axes, cells.angle[fat], np.zeros(len(round_axes), np.uint8), mpp
    )
    nuclei = np.zeros((height, width), dtype=np.uint8)
    degree = np.array([kind.stain for kind in TYPES], dtype=np.uint8)[cells.kind]
    _stamp_ellipses(nuclei, cells.xy_um, cells.nucleus_um, cells.angle, degree, mpp)
    return colours(stain_of(params, member), STAINS)[nuclei, eosin]


def _background_of_cells(section: Section) -> NDArray[np.uint8]:
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


def _stamp_ellipses(
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
