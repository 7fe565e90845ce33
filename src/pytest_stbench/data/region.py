"""A rectangle of a slide that a model is asked to segment, and how a slide is cut into them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """One tile, as ``segment(slide, region)`` gets it.

    ``image`` is (H, W, 3) uint8 RGB; a single fluorescent stain comes as three equal channels.
    Pixel (row, column) covers the square from ``origin_um + (column, row) * mpp``, x before y.
    ``kind`` says what to outline: ``nucleus``, or the whole ``cell``. The answer is one label for
    each pixel, ``shape`` = (H, W).
    """

    origin_um: tuple[float, float]
    mpp: float
    kind: Literal["nucleus", "cell"]
    image: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the mask that is asked for."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def window_um(self) -> tuple[float, float, float, float]:
        """The rectangle on the slide, x0, y0, x1, y1."""
        x, y = self.origin_um
        height, width = self.shape
        return x, y, x + width * self.mpp, y + height * self.mpp

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, to be written to a file."""
        return {
            "image": self.image,
            "origin_um": np.array(self.origin_um),
            "mpp": np.array(self.mpp),
            "kind": np.array(self.kind),
        }


def tile_starts(length: int, tile: int) -> list[int]:
    """Return where tiles of `tile` pixels start that cover `length` pixels.

    The last one ends with the image and overlaps the one before; what is shorter than a tile is
    one smaller tile.

    Raises
    ------
    ValueError
        If a number is below 1.
    """
    if length < 1 or tile < 1:
        raise ValueError(f"{length} pixels cannot be cut into tiles of {tile}: both must be at least 1")
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile), length - tile]


def cut(
    pixels: NDArray[np.uint8], ratio: float, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return a rectangle of an image whose pixels become `ratio` times as large; a copy.

    Parameters
    ----------
    pixels
        (H, W, 3) uint8.
    ratio
        Size of a new pixel in old ones; below 1 the image is interpolated.
    start, shape
        First (row, column) and number of rows and columns, in new pixels.
    """
    import PIL.Image

    if ratio == 1.0:
        rows, columns = (slice(first, first + n) for first, n in zip(start, shape, strict=True))
        return pixels[rows, columns].copy()
    sides = pixels.shape[:2]
    ends = [min((first + n) * ratio, side) for first, n, side in zip(start, shape, sides, strict=True)]
    # Only what is seen is handed on: the library copies what it is given.
    top, left = (int(first * ratio) for first in start)
    seen = np.ascontiguousarray(pixels[top : math.ceil(ends[0]), left : math.ceil(ends[1])])
    box = (start[1] * ratio - left, start[0] * ratio - top, ends[1] - left, ends[0] - top)
    resized = PIL.Image.fromarray(seen).resize(shape[::-1], PIL.Image.Resampling.BILINEAR, box=box)
    return np.array(resized)
