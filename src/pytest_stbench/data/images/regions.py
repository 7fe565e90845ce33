"""Rectangles of a pyramid at any resolution, out of its nearest finer level.

Pixels lie as in :mod:`pytest_stbench.data.image`: pixel i covers [i, i + 1), resampling scales about the
origin. What lies outside of the image, and what the file leaves out, is white.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.images.tile_cache import TILES
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_stbench.data.images.pyramid import Pyramid, ReadTile
    from pytest_stbench.data.images.tile_cache import TileCache

    Pixels = NDArray[np.uint8]
    Box = tuple[int, int, int, int]
    ReadBox = Callable[[Box], Pixels]

WHITE = 255
SAME = 1e-9
FINER = 1e-3
"""A level may be coarser by this share than what is asked for: sizes of pixels are rounded in files."""


MOST_WHOLE = 1 << 30
"""Bytes up to which an image is handed out whole."""

LEAST = 1e-3
"""Of a pixel: the narrowest strip that is resampled."""

ROWS = 512
STRIP_BYTES = 32 << 20
"""Rows of a whole image that are made at a time, and bytes of what they are made of."""


def resampled_size(size: tuple[int, ...], ratio: float) -> tuple[int, int]:
    """Return (height, width) of an image whose pixels become `ratio` times as large.

    Whole pixels only: less than one pixel is left out at the right and lower edge.
    """
    height, width = (max(1, math.floor(length / ratio + 1e-6)) for length in size)
    return height, width


def refuse_whole(size: tuple[int, int], name: str) -> None:
    """Raise ``DataError`` with `name` for an image of `size` (h, w) that is too large to be handed out."""
    height, width = size
    if 3 * height * width > MOST_WHOLE:
        raise DataError(
            f"{name}: {width} x {height} pixels are {3 * height * width / 2**30:,.1f} GiB, more than the "
            f"{MOST_WHOLE >> 30} GiB that are handed out at once: read `patches` or `batches`, a `region`, a "
            "`thumbnail(max_size)`, or set `image.mpp`"
        )


class Regions:
    """A pyramid as one image of `mpp` um per pixel.

    Parameters
    ----------
    pyramid, read
        The image, and what reads its tiles.
    um_per_px
        Um per pixel of its level 0.
    common
        Um per pixel to which the image is brought before anything else, at least `um_per_px`.
    mpp
        Um per pixel of what is asked for.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        read: ReadTile,
        *,
        um_per_px: float,
        common: float,
        mpp: float,
        cache: TileCache = TILES,
    ) -> None:
        self._pyramid = pyramid
        self._read = read
        self._cache = cache
        finest = pyramid.levels[0]
        base = resampled_size((finest.height, finest.width), common / um_per_px)
        self.size = resampled_size(base, mpp / common)
        wanted = max(mpp, common) / um_per_px * (1 + FINER)
        self.level = max(
            (number for number, level in enumerate(pyramid.levels) if level.scale <= wanted),
            key=lambda number: pyramid.levels[number].scale,
        )
        own = pyramid.levels[self.level]
        level_mpp = um_per_px * own.scale
        steps = [(mpp / level_mpp, self.size)]
        # A level that is finer than the common resolution shows more than models may see.
        if level_mpp < common * (1 - FINER) and abs(mpp / common - 1) > SAME:
            steps = [(common / level_mpp, base), (mpp / common, self.size)]
        self.ratio = mpp / level_mpp
        self._box: ReadBox = self._level_box
        self._as_stored = all(abs(ratio - 1) <= SAME for ratio, _ in steps)
        sides = own.height, own.width
        for ratio, size in steps:
            if abs(ratio - 1) > SAME:
                self._box = _resampled(self._box, sides, ratio)
            sides = size

    @property
    def tile(self) -> tuple[float, float]:
        """Width and height of the tiles that are read, in pixels of `mpp`."""
        width, height = self._pyramid.levels[self.level].tile
        return width / self.ratio, height / self.ratio

    @property
    def tile_bytes(self) -> int:
        """Decoded bytes of a tile that is read."""
        width, height = self._pyramid.levels[self.level].tile
        return 3 * width * height

    def whole(self, name: str) -> Pixels:
        """Return the whole image. Raises ``DataError`` with `name` where it is too large for that."""
        refuse_whole(self.size, name)
        found = np.empty((*self.size, 3), dtype=np.uint8)
        of_row = 3 * self._pyramid.levels[self.level].width * max(self.ratio, 1.0)
        rows = max(1, min(ROWS, int(STRIP_BYTES / of_row)))
        for top in range(0, len(found), rows):
            self.fill(found[top : top + rows], 0, top)
        return found

    def fill(self, out: Pixels, left: int, top: int) -> None:
        """Write the rectangle that begins at `left`, `top` into `out`, (h, w, 3); not what lies outside."""
        height, width = self.size
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + out.shape[1], width), min(top + out.shape[0], height)
        if x0 >= x1 or y0 >= y1:
            return
        target = out[y0 - top : y1 - top, x0 - left : x1 - left]
        if self._as_stored:
            self._tiles(target, x0, y0)
        else:
            target[...] = self._box((x0, y0, x1, y1))

    def _level_box(self, box: Box) -> Pixels:
        left, top, right, bottom = box
        found = np.empty((bottom - top, right - left, 3), dtype=np.uint8)
        self._tiles(found, left, top)
        return found

    def _tiles(self, out: Pixels, left: int, top: int) -> None:
        """Write a rectangle of the level, all within it but for rounding, out of its tiles."""
        level = self._pyramid.levels[self.level]
        width, height = level.tile
        bottom, right = min(top + out.shape[0], level.height), min(left + out.shape[1], level.width)
        if bottom - top < out.shape[0] or right - left < out.shape[1]:
            out[...] = WHITE
        if bottom <= top or right <= left:
            return
        for row in range(top // height, (bottom - 1) // height + 1):
            y = row * height
            y0, y1 = max(top, y), min(bottom, y + height)
            for column in range(left // width, (right - 1) // width + 1):
                x = column * width
                x0, x1 = max(left, x), min(right, x + width)
                tile = self._tile(row, column)
                part = WHITE if tile is None else tile[y0 - y : y1 - y, x0 - x : x1 - x]
                out[y0 - top : y1 - top, x0 - left : x1 - left] = part

    def _tile(self, row: int, column: int) -> Pixels | None:
        key = (self._pyramid.key, self.level, row, column)
        found: Pixels | None = self._cache.get(key, lambda: self._read(self.level, row, column))
        return found


def _resampled(source: ReadBox, sides: tuple[int, int], ratio: float) -> ReadBox:
    """Return what reads boxes of an image of `sides` (h, w) whose pixels become `ratio` times as large.

    Linear filter, weighted over the covered area; the same pixels as of the whole image.
    """
    from PIL import Image

    reach = math.ceil(max(ratio, 1.0)) + 1

    def read(box: Box) -> Pixels:
        left, top, right, bottom = box
        x1, y1 = min(right * ratio, sides[1]), min(bottom * ratio, sides[0])
        # By rounded sizes the last pixel may begin where the level ends: it shows what lies there.
        x0, y0 = min(left * ratio, x1 - LEAST), min(top * ratio, y1 - LEAST)
        seen = (
            max(0, math.floor(x0) - reach),
            max(0, math.floor(y0) - reach),
            min(sides[1], math.ceil(x1) + reach),
            min(sides[0], math.ceil(y1) + reach),
        )
        part = (x0 - seen[0], y0 - seen[1], x1 - seen[0], y1 - seen[1])
        image = Image.fromarray(source(seen))
        return np.asarray(image.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=part))

    return read
