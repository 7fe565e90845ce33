"""Patches of an image that is decoded whole, and resampling of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from pytest_stbench.data.images.patches import corners_of
from pytest_stbench.data.images.regions import SAME, WHITE, resampled_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def patches_of_whole(
    base: NDArray[np.uint8],
    xy: NDArray[np.float64],
    size: int,
    ratio: float,
    level: Callable[[], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Return patches (n, size, size, 3) around places (n, 2); pixels are `ratio` times those of `base`.

    `level` returns `base` resampled so; where its pixels become smaller, patches alone are.
    """
    shape = resampled_size(base.shape[:2], ratio)
    corners = corners_of(xy, size, shape)
    if ratio < 1 - SAME:
        return _enlarged(base, corners, size, ratio, shape)
    return _cut(level(), corners, size)


def resample(pixels: NDArray[np.uint8], ratio: float) -> NDArray[np.uint8]:
    """Return (H, W, 3) `pixels` resampled so that one pixel covers `ratio` of the old ones.

    Linear filter, weighted over the covered area when it becomes coarser. Pixel i of the result
    covers [i * ratio, (i + 1) * ratio) of the old.
    """
    if abs(ratio - 1) <= SAME:
        return pixels
    height, width = resampled_size(pixels.shape[:2], ratio)
    box = (0.0, 0.0, min(width * ratio, pixels.shape[1]), min(height * ratio, pixels.shape[0]))
    resized = PIL.Image.fromarray(pixels).resize((width, height), PIL.Image.Resampling.BILINEAR, box=box)
    return np.array(resized)


def _cut(pixels: NDArray[np.uint8], corners: NDArray[np.intp], size: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    patches = np.full((len(corners), size, size, 3), WHITE, dtype=np.uint8)
    for patch, (x, y) in zip(patches, corners.tolist(), strict=True):
        left, right, top, bottom = max(x, 0), min(x + size, width), max(y, 0), min(y + size, height)
        if left < right and top < bottom:
            patch[top - y : bottom - y, left - x : right - x] = pixels[top:bottom, left:right]
    return patches


def _enlarged(
    pixels: NDArray[np.uint8], corners: NDArray[np.intp], size: int, ratio: float, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    source = PIL.Image.fromarray(pixels)
    patches = np.full((len(corners), size, size, 3), WHITE, dtype=np.uint8)
    for patch, (x, y) in zip(patches, corners.tolist(), strict=True):
        left, right, top, bottom = max(x, 0), min(x + size, shape[1]), max(y, 0), min(y + size, shape[0])
        if left < right and top < bottom:
            box = (
                left * ratio,
                top * ratio,
                min(right * ratio, pixels.shape[1]),
                min(bottom * ratio, pixels.shape[0]),
            )
            part = source.resize((right - left, bottom - top), PIL.Image.Resampling.BILINEAR, box=box)
            patch[top - y : bottom - y, left - x : right - x] = np.asarray(part)
    return patches
