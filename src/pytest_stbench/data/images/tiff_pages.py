"""The images within a TIFF file: which of them are levels, where their tiles lie, what samples mean."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.images.channels import colour_pages, joined, refuse_channels
from pytest_stbench.data.images.codecs import (
    DEFLATE,
    GREY,
    GREY_INVERTED,
    JPEG,
    NAMES,
    OLD_DEFLATE,
    PREDICTED,
    RAW,
    RGB,
    YCBCR,
    decodable,
)  # fmt: skip
from pytest_stbench.data.images.long_strip import LongStrip, cut_deflated, cut_raw
from pytest_stbench.data.images.pyramid import MOST_TILE_BYTES
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_PAGES = 1000
MOST_TILES = 1 << 23
"""Tiles of one level: 700,000 pixels a side in tiles of 256."""

ASSOCIATED, UNASSOCIATED = 1, 2
SEPARATE = 2
NONE, HORIZONTAL = 1, 2
"""Predictors: samples as they are, or the differences of neighbours."""

VENDORS = {
    "is_ndpi": "Hamamatsu NDPI", "is_scn": "Leica SCN", "is_bif": "Ventana BIF", "is_trestle": "Trestle",
    "is_philips": "Philips TIFF",
}  # fmt: skip
"""Formats within TIFF whose tiles alone are not the image: they overlap, or lie elsewhere."""


class NotInPartsError(Exception):
    """Why a TIFF file is not read in tiles; ``advice`` is what to do where it is large."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """One image of the file: ``offsets`` and ``counts`` say where its tiles lie, plane by plane.

    ``alpha`` is 0, :data:`ASSOCIATED` or :data:`UNASSOCIATED`. Tiles are parts of ``strip`` where there is
    one.
    """

    width: int
    height: int
    tile: tuple[int, int]
    samples: int
    planes: int
    photometric: int
    compression: int
    predictor: int
    alpha: int
    tables: bytes
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    whole_tiles: bool
    strip: LongStrip | None

    @property
    def grid(self) -> tuple[int, int]:
        """Columns and rows of tiles."""
        return -(-self.width // self.tile[0]), -(-self.height // self.tile[1])

    @property
    def missing(self) -> int:
        """Number of tiles that the file leaves out."""
        return int(((self.offsets == 0) | (self.counts == 0)).sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents:
    """The levels of a file, finest first, and the tags that say the size of a pixel.

    ``state`` tells the file from one that was written over it; ``description`` is the text of the first
    image; ``otherwise`` says that Pillow would show another image: the first one, or turned.
    """

    pages: tuple[Page, ...]
    description: str
    resolution: tuple[float, float, int] | None
    state: tuple[int, int, int]
    otherwise: bool


def contents_of(path: Path, name: str) -> Contents:
    """Return what is in a TIFF file; its pixels are not read.

    Raises
    ------
    NotInPartsError
        The file is not read in tiles: another program or Pillow may.
    DataError
        With `name`: the file is damaged, of a kind that is no H&E, or no pyramid.
    """
    import tifffile

    try:
        with path.open("rb") as stream:
            state = state_of(stream.fileno())
            with _silent(), tifffile.TiffFile(stream, name="image") as file:
                return _read(file, name, state)
    except (NotInPartsError, DataError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever a damaged header does to the library
        found = getattr(error, "strerror", None) or str(error) or type(error).__name__
    raise DataError(f"{name}: the image cannot be read (truncated or damaged TIFF): {found}")


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the library from telling on stderr what becomes an error here."""
    logger = logging.getLogger("tifffile")
    was, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was


def state_of(descriptor: int) -> tuple[int, int, int]:
    """Return what changes when a file is written."""
    found = os.fstat(descriptor)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(file: Any, name: str, state: tuple[int, int, int]) -> Contents:
    opening = file.pages[0]
    for sign, vendor in VENDORS.items():
        if getattr(opening, sign, False) or getattr(file, sign, False):
            raise NotInPartsError(f"is {vendor}, which OpenSlide reads")
    first = _largest(file, opening)
    description = str(getattr(opening, "description", "") or getattr(first, "description", "") or "")
    colours = colour_pages(file, first, description)
    levels = _levels(file, colours or (first,))
    pages = [_level(found, name, number, state[1]) for number, found in enumerate(levels)]
    full = pages[0]
    for number, page in enumerate(pages):
        if (page.samples, page.planes) != (full.samples, full.planes):
            raise DataError(f"{name}: level {number} has other channels than level 0: the pyramid is wrong")
    refuse_channels(file, first, full, name)
    tags = first.tags
    unit, x, y = (tags.get(code) for code in (296, 282, 283))
    resolution = None
    if x is not None and y is not None:
        resolution = _ratio(x.value), _ratio(y.value), 2 if unit is None else int(unit.value)
    ordered = sorted(pages, key=lambda page: -page.width * page.height)
    return Contents(
        pages=tuple(ordered), description=description, resolution=resolution, state=state,
        otherwise=bool(colours)
        or first is not opening
        or (tags.get(274) is not None and int(tags[274].value) != 1),
    )  # fmt: skip


def _largest(file: Any, first: Any) -> Any:
    """Return the first image of the file, or a larger one behind it: some writers put a thumbnail first."""
    if first.subifds or first.is_svs:
        return first
    found = first
    for number in range(1, MOST_PAGES):
        try:
            page = file.pages[number]
        except IndexError:
            break
        larger = page.imagewidth > found.imagewidth and page.imagelength > found.imagelength
        if larger and not page.is_reduced:
            found = page
    return found


def _smaller(file: Any, first: Any) -> Iterator[Any]:
    """Yield the smaller levels of an image: those below it, else those beside it."""
    if first.subifds:
        for number in range(min(len(first.subifds), MOST_PAGES)):
            yield first.pages[number]
        return
    for number in range(MOST_PAGES):
        try:
            page = file.pages[number]
        except IndexError:
            return
        smaller = page.imagewidth < first.imagewidth and page.imagelength < first.imagelength
        # Labels and pictures of the whole slide stand between the levels of some scanners.
        alike = page.is_tiled == first.is_tiled and (page.is_reduced or first.is_svs)
        if smaller and alike and not page.subfiletype & 8:
            yield page


def _levels(file: Any, planes: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return the levels of an image, finest first: of each the image, or those of its planes."""
    if len(planes) == 1 or all(page.subifds for page in planes):
        # What one of the planes lacks is no level.
        return [planes, *zip(*(_smaller(file, page) for page in planes), strict=False)]
    return [planes]


def _level(found: tuple[Any, ...], name: str, number: int, held: int) -> Page:
    pages = [_page(page, name, number, held) for page in found]
    return pages[0] if len(pages) == 1 else joined(pages, number, name)


def _page(found: Any, name: str, level: int, held: int) -> Page:
    width, height = int(found.imagewidth), int(found.imagelength)
    samples, photometric = int(found.samplesperpixel), int(found.photometric)
    alpha = _channels(found, name, samples, photometric)
    compression = int(found.compression)
    if not decodable(compression):
        kind = NAMES.get(compression, str(compression))
        raise NotInPartsError(f"has tiles of compression {kind}, which the extra `wsi` reads")
    predictor = int(found.predictor or 1) if compression in PREDICTED else NONE
    if predictor not in (NONE, HORIZONTAL):
        raise NotInPartsError(f"stores differences of a kind ({predictor}) that is not of 8 bits")
    if int(found.fillorder or 1) != 1 and compression != JPEG:
        raise NotInPartsError("stores the bits of each byte in reverse (FillOrder 2)")
    planes = samples if int(found.planarconfig) == SEPARATE else 1
    # The library gives a tuple, of what may be millions.
    strip = None
    places = (np.asarray(values, dtype=np.int64) for values in (found.dataoffsets, found.databytecounts))
    offsets, counts = places
    whole = bool(found.is_tiled)
    if whole:
        tile = int(found.tilewidth), int(found.tilelength)
    else:
        tile = width, min(height, int(found.rowsperstrip))
        if planes == 1 and len(offsets) == len(counts) == 1:
            place = int(offsets[0]), int(counts[0])
            if compression == RAW:
                tile, offsets, counts = cut_raw(width, height, samples, place)
            elif compression in (DEFLATE, OLD_DEFLATE) and tile[0] * tile[1] * samples > MOST_TILE_BYTES:
                (tile, offsets, counts), strip = cut_deflated(width, height, samples, place, name)
    if min(width, height, *tile) < 1 or tile[0] * tile[1] * samples > MOST_TILE_BYTES:
        raise NotInPartsError(f"holds parts of {tile[0]} x {tile[1]} pixels, too large to read one by one")
    page = Page(
        width=width, height=height, tile=tile, samples=samples, planes=planes, photometric=photometric,
        compression=compression, predictor=predictor, alpha=alpha, strip=strip,
        tables=bytes(found.jpegtables or b""), offsets=offsets, counts=counts, whole_tiles=whole,
    )  # fmt: skip
    columns, rows = page.grid
    if not len(offsets) == len(counts) == columns * rows * planes or len(offsets) > MOST_TILES:
        raise DataError(
            f"{name}: level {level} of {width} x {height} pixels has {columns * rows * planes:,} tiles and "
            f"lists {len(offsets):,}, at most {MOST_TILES:,} are read: the header is wrong; write it anew"
        )
    end = int((page.offsets + page.counts).max())
    if end > held:
        raise DataError(
            f"{name}: the image cannot be decoded: level {level} ends at byte {end:,} of a file of {held:,} "
            "bytes: it is truncated; copy or write it anew"
        )
    return page


def _channels(found: Any, name: str, samples: int, photometric: int) -> int:
    """Return the kind of transparency; raises ``DataError`` for what is no H&E image."""
    bits = found.bitspersample
    extra = tuple(int(kind) for kind in found.extrasamples or ())
    if bits not in (1, 8) or int(found.sampleformat or 1) != 1:
        raise DataError(
            f"{name}: image of {bits} bits a channel; 8 bits a channel are needed (RGB or grey): convert it, "
            "or name the H&E of the slide"
        )
    colours = {GREY_INVERTED: 1, GREY: 1, RGB: 3, YCBCR: 3}.get(photometric, 0)
    stored = int(found.compression)
    if bits == 1 or not colours or (photometric == YCBCR and stored != JPEG) or (stored == JPEG and extra):
        raise NotInPartsError("stores colours otherwise than as RGB, grey or JPEG")
    if samples - len(extra) != colours or samples > 4:
        raise DataError(
            f"{name}: image of {samples} channels; RGB or grey is needed: fluorescence is no H&E image"
        )
    return next((kind for kind in extra if kind in (ASSOCIATED, UNASSOCIATED)), 0)


def _ratio(value: Any) -> float:
    if isinstance(value, tuple):
        return float(value[0]) / float(value[1]) if len(value) > 1 and value[1] else 0.0
    return float(value)
