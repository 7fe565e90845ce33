"""TIFF and OME-TIFF as a pyramid of tiles: every tile is read where the file has it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.images.codecs import GREY_INVERTED, RAW, TileError, decode_tile
from pytest_stbench.data.images.pyramid import DamagedTileError, Level, scale_of
from pytest_stbench.data.images.resolution import channels_declared, ome_pixels, stated
from pytest_stbench.data.images.tiff_pages import (
    ASSOCIATED,
    UNASSOCIATED,
    Page,
    contents_of,
    state_of,
)  # fmt: skip
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_stbench.data.images.pyramid import ReadTile, Tile


class TiffPyramid:
    """A TIFF file in tiles or strips; a :class:`~pytest_stbench.data.images.pyramid.Pyramid`.

    Raises
    ------
    NotInPartsError
        The file is not read in tiles.
    DataError
        With `name`: the file is damaged, no H&E, or a wrong pyramid.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._contents = contents_of(path, name)
        self.key = object()
        self._pages = self._contents.pages
        full = self._pages[0]
        self.levels = tuple(
            Level(
                page.width,
                page.height,
                1.0 if page is full else scale_of(number, _sides(page), _sides(full), name),
                page.tile,
            )
            for number, page in enumerate(self._pages)
        )
        pixels = ome_pixels(self._contents.description, full.width, full.height)
        channels_declared(pixels, full.samples, name)
        self.statements = stated(self._contents.description, pixels, self._contents.resolution, name)
        self.missing = full.missing
        # Pillow reads the first image, and turns it as a camera notes: places belong to pixels as stored.
        self.in_parts = full.whole_tiles or len(self.levels) > 1 or self._contents.otherwise

    @contextmanager
    def reading(self) -> Iterator[ReadTile]:
        """Open the file; what is returned reads the tile of a level, row and column."""
        descriptor = self._opened()
        try:
            if state_of(descriptor) != self._contents.state:
                raise DataError(f"{self._name}: the file was changed after it was opened: start the run anew")
            yield lambda level, row, column: self._tile(descriptor, level, row, column)
        finally:
            os.close(descriptor)

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            found = error.strerror
        raise DataError(f"{self._name}: the file cannot be opened again: {found}")  # without its path

    def _tile(self, descriptor: int, level: int, row: int, column: int) -> Tile | None:
        page = self._pages[level]
        columns, rows = page.grid
        width, height = page.tile
        if not page.whole_tiles:
            height = min(height, page.height - row * height)
        own = page.samples // page.planes
        planes = []
        for plane in range(page.planes):
            at = (plane * rows + row) * columns + column
            offset, count = int(page.offsets[at]), int(page.counts[at])
            if not offset or not count:
                return None
            shape = height, width, own
            try:
                if page.strip is None:
                    # No tile is larger than its pixels by much: a count is a word of the header.
                    data = _read(descriptor, offset, min(count, 2 * width * height * own + 65_536))
                    planes.append(_decoded(data, page, shape, page.compression))
                else:
                    data = page.strip.read(partial(_read, descriptor), row)
                    planes.append(_decoded(data, page, shape, RAW))
            except TileError as error:
                found = str(error)
                break
        else:
            return _coloured(planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2), page)
        raise DamagedTileError(
            f"{self._name}: level {level}, tile in row {row} and column {column} is damaged: {found}; "
            "write the file anew, or write `damaged_tiles: white` to its `image`"
        )


def _decoded(data: bytes, page: Page, shape: tuple[int, int, int], compression: int) -> Tile:
    return decode_tile(
        data,
        shape,
        compression=compression,
        photometric=page.photometric,
        tables=page.tables,
        predictor=page.predictor,
    )


def _sides(page: Page) -> tuple[int, int]:
    return page.width, page.height


def _read(descriptor: int, offset: int, count: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, count)


def _coloured(pixels: Tile, page: Page) -> Tile:
    """Return RGB or grey; transparent parts become white."""
    if page.photometric == GREY_INVERTED:
        pixels = np.concatenate([255 - pixels[..., :1], pixels[..., 1:]], axis=2)
    colours = 1 if pixels.shape[2] < 3 else 3
    if pixels.shape[2] == colours:
        return pixels
    seen = pixels[..., :colours]
    if page.alpha == ASSOCIATED:
        white = 255 - pixels[..., colours:].astype(np.uint16)
        opaque: Tile = np.minimum(seen + white, 255).astype(np.uint8)
        return opaque
    if page.alpha == UNASSOCIATED:
        from PIL import Image

        from pytest_stbench.data.encoded import on_white

        mode = "LA" if colours == 1 else "RGBA"
        return on_white(Image.fromarray(np.ascontiguousarray(pixels), mode).convert("RGBA"))[..., :colours]
    return np.ascontiguousarray(seen)
