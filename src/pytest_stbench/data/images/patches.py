"""Patches out of a pyramid: in the order of its tiles, so that each is decoded once for all that touch it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.images.regions import WHITE
from pytest_stbench.data.images.tile_cache import BUDGET

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.images.regions import Regions


def corners_of(xy: NDArray[np.float64], size: int, shape: tuple[int, int]) -> NDArray[np.intp]:
    """Return the first column and row of patches around places (n, 2) in an image of `shape` (h, w).

    A patch that shows nothing of the image, or has no finite place, lies just outside of it.
    """
    height, width = shape
    placed = np.isfinite(xy).all(axis=1, keepdims=True)
    start = np.floor(np.where(placed, xy, -2.0 * size) - size / 2 + 0.5)
    corners: NDArray[np.intp] = np.clip(start, -size, [width, height]).astype(np.intp)
    return corners


def tile_order(
    corners: NDArray[np.intp], size: int, tile: tuple[float, float], tile_bytes: int
) -> NDArray[np.intp]:
    """Return the order of patches in which tiles of a size (w, h) are read once, (n,).

    Row of tiles by row, in bands so narrow that all tiles which the next row needs again are still kept;
    those on the edge of two bands are read for both.
    """
    width, height = tile
    rows = math.ceil(size / height) + 2
    band = max(1, BUDGET // (tile_bytes * rows))
    x, y = np.maximum(corners, 0).T  # what begins outside touches the first tile
    return np.lexsort((x, np.floor(y / height), np.floor(x / width) // band))


def cut_patches(regions: Regions, corners: NDArray[np.intp], size: int) -> NDArray[np.uint8]:
    """Return patches (n, size, size, 3) whose first column and row are `corners` (n, 2), in this order."""
    patches = np.empty((len(corners), size, size, 3), dtype=np.uint8)
    within = ((corners >= 0) & (corners + size <= regions.size[::-1])).all(axis=1)
    patches[~within] = WHITE
    for place in tile_order(corners, size, regions.tile, regions.tile_bytes).tolist():
        left, top = corners[place].tolist()
        regions.fill(patches[place], left, top)
    return patches
