"""How a slide is cut into tiles, and what of a tile models are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_stbench.data.region import Region, cut, tile_starts
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.image import Image
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.segmentation.declare import Segmentation

FINEST_MPP, COARSEST_MPP = 0.2125, 0.5
"""Um per pixel at which cells are outlined: finer shows no more, coarser loses small nuclei."""

ALIGNED_UM = 2.0
NO_UNITS = np.empty((0, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Where a tile lies: first (row, column) and shape in pixels of `mpp` um, and its corner in um.

    ``name`` says which of the slide's tiles it is, empty ones counted.
    """

    name: str
    start: tuple[int, int]
    shape: tuple[int, int]
    mpp: float
    origin_um: tuple[float, float]

    @property
    def window_um(self) -> tuple[float, float, float, float]:
        """The rectangle of the slide, x0, y0, x1, y1."""
        x, y = self.origin_um
        return x, y, x + self.shape[1] * self.mpp, y + self.shape[0] * self.mpp


def tiles_of(slide: Slide, own: Segmentation) -> tuple[Tile, ...]:
    """Return the tiles of a slide that hold units, row by row; at most as many as the task file says.

    Raises ``DataError`` where the slide has no image or no unit lies in it.
    """
    image = image_of(slide)
    given = image.input(NO_UNITS)
    mpp = own.mpp if own.mpp is not None else float(np.clip(given.mpp, FINEST_MPP, COARSEST_MPP))
    height, width = (max(1, int(side * given.mpp / mpp + 1e-6)) for side in given.shape[:2])
    x0, y0 = _corner(slide, image)
    starts = [
        (row, column)
        for row in tile_starts(height, own.tile_px)
        for column in tile_starts(width, own.tile_px)
    ]
    tiles = [
        Tile(
            name=f"tile{number}",
            start=(row, column),
            shape=(min(own.tile_px, height), min(own.tile_px, width)),
            mpp=mpp,
            origin_um=(x0 + column * mpp, y0 + row * mpp),
        )
        for number, (row, column) in enumerate(starts)
    ]
    occupied = [tile for tile in tiles if _inside(slide.xy_um, tile.window_um).any()]
    if not occupied:
        raise DataError(f"slide {slide.meta.slide_id}: no unit lies in its image; check `scale` and `image`")
    if own.max_tiles is None or len(occupied) <= own.max_tiles:
        return tuple(occupied)
    chosen = np.linspace(0, len(occupied) - 1, own.max_tiles).round().astype(int)
    return tuple(occupied[place] for place in chosen)


def region_of(slide: Slide, tile: Tile, kind: Literal["nucleus", "cell"]) -> Region:
    """Return what a model is shown of a tile."""
    given = image_of(slide).input(NO_UNITS)
    if given.in_parts:
        pixels = given.region((*tile.start[::-1], *tile.shape[::-1]), tile.mpp)
    else:
        pixels = cut(given.array, tile.mpp / given.mpp, tile.start, tile.shape)
    return Region(origin_um=tile.origin_um, mpp=tile.mpp, kind=kind, image=pixels)


def image_of(slide: Slide) -> Image:
    """Return the image of a slide; raises ``DataError`` where it has none."""
    if slide.image is None:
        raise DataError(
            f"slide {slide.meta.slide_id} has no image: the family segmentation shows models tiles of it "
            "(`image:` in the task file)"
        )
    return slide.image


def _corner(slide: Slide, image: Image) -> tuple[float, float]:
    """Return where the first pixel of the image begins, in um."""
    if slide.xy_px is None:
        message = f"slide {slide.meta.slide_id} has an image and no pixel coordinates; set image.spatial"
        raise DataError(message)
    offset = slide.xy_um - slide.xy_px * image.mpp
    offset = offset[np.isfinite(offset).all(axis=1)]
    if not len(offset):
        return 0.0, 0.0
    x, y = np.median(offset, axis=0)
    far = float(np.abs(offset - (x, y)).max())
    if far > ALIGNED_UM:
        raise DataError(
            f"slide {slide.meta.slide_id}: coordinates in um and in pixels of the image differ by up to "
            f"{far:.4g} um at {image.mpp:g} um per pixel: the image must not be turned, mirrored or scaled "
            "against the outlines"
        )
    return float(x), float(y)


def _inside(xy_um: NDArray[np.float64], window_um: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    x0, y0, x1, y1 = window_um
    x, y = xy_um.T
    inside: NDArray[np.bool_] = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    return inside
