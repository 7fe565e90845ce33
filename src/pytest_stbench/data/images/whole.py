"""Patches and rectangles of an image that is decoded whole, and resampling of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from pytest_stbench.data.encoded import ROWS, picture_of
from pytest_stbench.data.images.patches import corners_of
from pytest_stbench.data.images.regions import SAME, WHITE, resampled_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

LINEAR = PIL.Image.Resampling.BILINEAR
HIGH = 1.5
"""So many times as high as wide may be what is resampled in two steps: of what is twice as high the library
makes columns shorter first, which rounds otherwise."""


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
    corners = corners_of(xy, size, resampled_size(base.shape[:2], ratio))
    return parts_of_whole(base, corners, (size, size), ratio, level)


def parts_of_whole(
    base: NDArray[np.uint8],
    corners: NDArray[np.intp],
    sides: tuple[int, int],
    ratio: float,
    level: Callable[[], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Return rectangles (n, h, w, 3) of `sides` (h, w) from their first column and row (n, 2) on.

    Otherwise as :func:`patches_of_whole`.
    """
    if ratio < 1 - SAME:
        return _enlarged(base, corners, sides, ratio)
    return _cut(level(), corners, sides)


def resample(pixels: NDArray[np.uint8], ratio: float) -> NDArray[np.uint8]:
    """Return (H, W, 3) `pixels` resampled so that one pixel covers `ratio` of the old ones.

    Linear filter, weighted over the covered area when it becomes coarser. Pixel i of the result
    covers [i * ratio, (i + 1) * ratio) of the old.
    """
    if abs(ratio - 1) <= SAME:
        return pixels
    height, width = pixels.shape[:2]
    if height > HIGH * width:
        return _resized(PIL.Image.fromarray(pixels), ratio)
    narrow = PIL.Image.new("RGB", (resampled_size((height, width), ratio)[1], height), None)
    for top in range(0, height, ROWS):  # a copy of all pixels in the format of the library is a third larger
        narrow.paste(_narrowed(PIL.Image.fromarray(pixels[top : top + ROWS]), ratio), (0, top))
    return _shortened(narrow, ratio)


def decode_coarser(source: bytes, name: str, ratio: float) -> NDArray[np.uint8]:
    """Return an encoded image resampled as by :func:`resample`.

    Raises ``DataError`` as :func:`~pytest_stbench.data.encoded.decode`.
    """
    with picture_of(source, name) as picture:
        if picture.height > HIGH * picture.width:
            return _resized(picture, ratio)
        narrow = _narrowed(picture, ratio)
        del picture  # columns are made shorter without it
    return _shortened(narrow, ratio)


def _resized(picture: PIL.Image.Image, ratio: float) -> NDArray[np.uint8]:
    height, width = resampled_size((picture.height, picture.width), ratio)
    box = (0.0, 0.0, min(width * ratio, picture.width), min(height * ratio, picture.height))
    return np.array(picture.resize((width, height), LINEAR, box=box))


def _narrowed(picture: PIL.Image.Image, ratio: float) -> PIL.Image.Image:
    """Return an image resampled in x: what the library does first, and then, as here, in y."""
    _, width = resampled_size((picture.height, picture.width), ratio)
    box = (0.0, 0.0, min(width * ratio, picture.width), float(picture.height))
    return picture.resize((width, picture.height), LINEAR, box=box)


def _shortened(narrow: PIL.Image.Image, ratio: float) -> NDArray[np.uint8]:
    height, _ = resampled_size((narrow.height, narrow.width), ratio)
    box = (0.0, 0.0, float(narrow.width), min(height * ratio, narrow.height))
    return np.array(narrow.resize((narrow.width, height), LINEAR, box=box))


def _cut(pixels: NDArray[np.uint8], corners: NDArray[np.intp], sides: tuple[int, int]) -> NDArray[np.uint8]:
    parts = np.full((len(corners), *sides, 3), WHITE, dtype=np.uint8)
    for part, (x, y), (left, top, right, bottom) in _seen(parts, corners, pixels.shape[:2]):
        part[top - y : bottom - y, left - x : right - x] = pixels[top:bottom, left:right]
    return parts


def _enlarged(
    pixels: NDArray[np.uint8], corners: NDArray[np.intp], sides: tuple[int, int], ratio: float
) -> NDArray[np.uint8]:
    source = PIL.Image.fromarray(pixels)
    parts = np.full((len(corners), *sides, 3), WHITE, dtype=np.uint8)
    shape = resampled_size(pixels.shape[:2], ratio)
    for part, (x, y), (left, top, right, bottom) in _seen(parts, corners, shape):
        box = (
            left * ratio,
            top * ratio,
            min(right * ratio, pixels.shape[1]),
            min(bottom * ratio, pixels.shape[0]),
        )
        shown = source.resize((right - left, bottom - top), LINEAR, box=box)
        part[top - y : bottom - y, left - x : right - x] = np.asarray(shown)
    return parts


def _seen(
    parts: NDArray[np.uint8], corners: NDArray[np.intp], shape: tuple[int, ...]
) -> Iterator[tuple[NDArray[np.uint8], tuple[int, int], tuple[int, int, int, int]]]:
    """Yield parts that show something of an image of `shape`, their corner, and the box of what is seen."""
    for part, (x, y) in zip(parts, corners.tolist(), strict=True):
        left, right = max(x, 0), min(x + part.shape[1], shape[1])
        top, bottom = max(y, 0), min(y + part.shape[0], shape[0])
        if left < right and top < bottom:
            yield part, (x, y), (left, top, right, bottom)
