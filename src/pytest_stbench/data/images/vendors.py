"""Formats of scanners (NDPI, MRXS, SCN, BIF ...) through OpenSlide, read in blocks."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.images.pyramid import MOST_TILE_BYTES, DamagedTileError, Level
from pytest_stbench.data.images.resolution import STRETCH
from pytest_stbench.data.images.tile_cache import UsedLast
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.images.pyramid import ReadTile, Tile

SAID = "openslide.mpp-x"
BLOCK = 512
"""Side in pixels of what is read at a time where a level does not name its tiles."""

MOST_OPEN = 4
_OPEN: UsedLast[Any] = UsedLast(MOST_OPEN, lambda _: 1)
"""Slides that are open: opening one may take as long as reading a thousand tiles."""

NEEDED = "it needs OpenSlide: pip install 'pytest-stbench[wsi]'"


def openslide() -> Any:
    """Return the library, or None where it is not installed."""
    try:
        import openslide as library
    except (ImportError, OSError):  # the second where its binaries are missing
        return None
    return library


def knows(path: Path) -> bool:
    """Tell whether OpenSlide is here and knows the format of a file as that of a scanner."""
    library = openslide()
    found = None if library is None else library.OpenSlide.detect_format(str(path))
    return found not in (None, "generic-tiff")


class VendorPyramid:
    """A file that OpenSlide reads; a :class:`~pytest_stbench.data.images.pyramid.Pyramid`.

    Raises ``DataError`` with `name` where it cannot.
    """

    def __init__(self, path: Path, name: str) -> None:
        library = openslide()
        if library is None:
            raise DataError(f"{name}: {NEEDED}")
        self._path = path
        self._name = name
        self._errors = (library.OpenSlideError, OSError)
        self.key = object()
        self.missing = 0
        slide = self._slide()
        said: Mapping[str, str] = slide.properties
        self.levels = tuple(
            Level(width, height, _scale(number, float(scale), slide), _block(said, number, name))
            for number, ((width, height), scale) in enumerate(
                zip(slide.level_dimensions, slide.level_downsamples, strict=True)
            )
        )
        self._divided_by = tuple(map(float, slide.level_downsamples))
        x, y = (_positive(said.get(f"openslide.mpp-{axis}")) for axis in "xy")
        if x and y and max(x, y) > (1 + STRETCH) * min(x, y):
            raise DataError(
                f"{name}: pixels are {x:.4g} by {y:.4g} um (openslide.mpp); models see square pixels: "
                "resample the image"
            )
        self.statements: dict[str, float] = {SAID: math.sqrt(x * (y or x))} if x else {}

    @contextmanager
    def reading(self) -> Iterator[ReadTile]:
        """Open the file; what is returned reads the block of a level, row and column."""
        self._slide()
        yield self._tile

    def _slide(self) -> Any:
        return _OPEN.get(self.key, self._opened)

    def _opened(self) -> Any:
        try:
            return openslide().OpenSlide(str(self._path))
        except self._errors as error:
            found = type(error).__name__  # its own text names the file
        raise DataError(f"{self._name}: OpenSlide cannot open the image ({found}): it is damaged")

    def _tile(self, number: int, row: int, column: int) -> Tile | None:
        level = self.levels[number]
        width, height = level.tile
        left, top = column * width, row * height
        size = min(width, level.width - left), min(height, level.height - top)
        # By what the library itself divides by, whatever whole number the pixels of the level cover.
        corner = round(left * self._divided_by[number]), round(top * self._divided_by[number])
        found = self._region(self._slide(), corner, number, size)
        if found is None:
            # A slide that failed answers nothing more, and others who read from it may have met the damage.
            _OPEN.drop(self.key)
            found = self._region(self._opened(), corner, number, size)
        if found is None:
            raise DamagedTileError(
                f"{self._name}: level {number}, tile in row {row} and column {column} is damaged: OpenSlide "
                "cannot read it; write the file anew, or write `damaged_tiles: white` to its `image`"
            )
        alpha = found[..., 3]
        if alpha.min() == 255:
            return np.ascontiguousarray(found[..., :3])
        if not alpha.max():
            return None
        from PIL import Image

        from pytest_stbench.data.encoded import on_white

        return on_white(Image.fromarray(found))

    def _region(
        self, slide: Any, corner: tuple[int, int], number: int, size: tuple[int, int]
    ) -> NDArray[np.uint8] | None:
        """Return a rectangle with its transparency; None where it cannot be read."""
        try:
            return np.asarray(slide.read_region(corner, number, size))
        except self._errors:
            return None


def _scale(number: int, said: float, slide: Any) -> float:
    """Return the size of a level's pixels; a whole number where the sides of the level allow it."""
    whole = round(said)
    full, own = slide.level_dimensions[0], slide.level_dimensions[number]
    rounded = all(abs(side / whole - part) <= 1 for side, part in zip(full, own, strict=True))
    return float(whole) if whole >= 1 and rounded else said


def _block(said: Mapping[str, str], number: int, name: str) -> tuple[int, int]:
    """Return the size of what is read at a time; raises ``DataError`` where tiles fill the memory."""
    sides = (said.get(f"openslide.level[{number}].tile-{side}", "") for side in ("width", "height"))
    width, height = (int(side) if side.isdecimal() else 0 for side in sides)
    if 4 * width * height > MOST_TILE_BYTES:
        raise DataError(f"{name}: level {number} has tiles of {width} x {height} pixels, too large to read")
    usual = 64 <= width <= 4 * BLOCK and 64 <= height <= 4 * BLOCK
    return (width, height) if usual else (BLOCK, BLOCK)


def _positive(text: str | None) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0
