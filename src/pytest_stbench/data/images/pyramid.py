"""What a whole-slide image is to whoever reads it: levels of tiles, and what it says of its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Tile = NDArray[np.uint8]
    ReadTile = Callable[[int, int, int], "Tile | None"]

T = TypeVar("T")


class DamagedTileError(DataError):
    """One tile of an image is damaged; others may be read."""


MOST_TILE_BYTES = 1 << 26
"""Decoded bytes of a tile or strip: what is larger is not read in parts."""


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution: ``scale`` is the size of its pixels in those of level 0.

    ``tile`` is the width and height in which it is read.
    """

    width: int
    height: int
    scale: float
    tile: tuple[int, int]


class Pyramid(Protocol):
    """An image that is read in tiles."""

    @property
    def levels(self) -> Sequence[Level]:
        """The resolutions, finest first."""
        ...

    @property
    def statements(self) -> Mapping[str, float]:
        """Um per pixel of level 0 by what in the file says so, most telling first."""
        ...

    @property
    def missing(self) -> int:
        """Number of tiles of level 0 that the file leaves out, as far as its header tells."""
        ...

    @property
    def key(self) -> Hashable:
        """What tells its tiles from those of other images."""
        ...

    def reading(self) -> AbstractContextManager[ReadTile]:
        """Open the file; what is returned reads the tile of a level, row and column.

        A tile is (h, w, 3) or (h, w, 1) uint8, None where the file leaves it out (white). Raises
        ``DamagedTileError`` that names level and tile, and no file.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """An image that is a part of a file or a store, read in parts; it can be pickled.

    Parameters
    ----------
    path
        The file, or the folder of the store.
    make
        Returns the pyramid, given `path` and what errors call it.
    """

    path: Path
    make: Callable[[Path, str], Pyramid]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files whose content it is."""
        if not self.path.is_dir():
            return files_of(self.path)
        return tuple(sorted(file for file in self.path.rglob("*") if file.is_file()))


def files_of(path: Path) -> tuple[Path, ...]:
    """Return all files of an image, which OpenSlide finds by the one that is named.

    MRXS has its pixels in a folder beside it, VMS and VMU name the files of theirs, and DICOM has each level
    in a file of its own: every DICOM file of the folder may be one.
    """
    kind = path.suffix.lower()
    beside: Iterable[Path] = ()
    if kind == ".mrxs" and path.with_suffix("").is_dir():
        beside = path.with_suffix("").iterdir()
    elif kind == ".dcm":
        beside = (file for file in path.parent.glob("*") if file.suffix.lower() == kind)
    elif kind in {".vms", ".vmu"} and path.is_file():
        named = {line.partition("=")[2].strip() for line in path.read_text("latin-1").splitlines()}
        beside = [file for file in path.parent.iterdir() if file.name in named]
    return path, *sorted({file for file in beside if file.is_file()} - {path})


def without_path(read: Callable[[], T], path: Path, name: str) -> T:
    """Return what `read` returns; its ``DataError`` calls the file `name`, and nothing else is said of it."""
    try:
        return read()
    except DataError as error:
        said = str(error).replace(str(path), name)
    raise DataError(said)


def scale_of(level: int, size: tuple[int, int], full: tuple[int, int], name: str) -> float:
    """Return how many pixels of the full image (width, height) one of a level covers along each axis.

    A whole number where rounding of the level's sides allows one. Raises ``DataError`` where the sides
    are not those of the image made smaller.
    """
    low = max(side / (own + 1) for side, own in zip(full, size, strict=True))
    high = min(side / max(own - 1, 0.5) for side, own in zip(full, size, strict=True))
    if not (low <= high and max(size) < max(full)):
        raise DataError(
            f"{name}: level {level} of {size[0]} x {size[1]} pixels is not that of {full[0]} x {full[1]} "
            "made smaller: the pyramid is wrong; write the file anew, or without its smaller levels"
        )
    # What the sides allow: of a narrow slide the mean of both axes may lie outside of it.
    mean = min(max(math.sqrt((full[0] / size[0]) * (full[1] / size[1])), low), high)
    whole = min(max(round(mean), math.ceil(low)), math.floor(high))
    return float(whole) if low <= whole <= high else mean
