"""What reads an image file: decided by looking into it, or by the task file.

TIFF files in tiles, and large ones in strips, are read in parts; files of scanners by OpenSlide; all
others are decoded whole by Pillow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pytest_stbench.data.images.regions import MOST_WHOLE
from pytest_stbench.data.images.tiff_pages import MAGIC, NotInPartsError
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_stbench.data.images.pyramid import Pyramid

    Reader = Literal["tiff", "openslide", "pillow"]

RULES = "images/3"
"""Raised when pixels of files that are read in parts become others: a part of the checksum of their data."""

WHOLE_BYTES = 256 << 20
"""Decoded bytes up to which an image without tiles is decoded whole."""

OF_SCANNERS = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".czi", ".dcm")
"""Suffixes by which a file that nothing here reads is told to need the extra."""

NOT_OF_PILLOW = b"MM\0+"
"""How BigTIFF of the other order of bytes begins."""

TO_TILES = "write it as a pyramid in tiles (vips tiffsave --tile --pyramid --compression jpeg)"


def pyramid_of(path: Path, name: str, reader: Reader | None = None) -> Pyramid | None:
    """Return a file as a pyramid that is read in parts; None where Pillow decodes it whole.

    Parameters
    ----------
    path
        The image file.
    name
        What errors call it.
    reader
        Reads it whatever it is; by default what fits what is in the file.

    Raises
    ------
    DataError
        With `name`: it is damaged, of a kind that is no H&E, needs an extra that is not installed, or
        cannot be read by `reader`.
    """
    from pytest_stbench.data.images.vendors import NEEDED, VendorPyramid, knows

    if reader == "pillow":
        return None
    if reader == "openslide":
        return VendorPyramid(path, name)
    if _is_tiff(path):
        from pytest_stbench.data.images.tiff import TiffPyramid

        try:
            found = TiffPyramid(path, name)
        except NotInPartsError as error:
            why = str(error)
        else:
            parts = found.in_parts or _large(found) or _magic(path) == NOT_OF_PILLOW
            return found if reader == "tiff" or parts else None
        if reader == "tiff":
            raise DataError(f"{name}: `reader: tiff` cannot read it: it {why}")
        if knows(path):
            return VendorPyramid(path, name)
        _refuse_large(path, name, why, WHOLE_BYTES)
        return None
    if reader == "tiff":
        raise DataError(f"{name}: `reader: tiff` cannot read it: it is no TIFF file")
    if knows(path):
        return VendorPyramid(path, name)
    if path.suffix.lower() in OF_SCANNERS and path.exists():
        raise DataError(f"{name}: no image that can be read here; as a file of a scanner {NEEDED}")
    if path.exists():
        _refuse_large(path, name, "is stored in one piece", MOST_WHOLE)
    return None


def statements_of(path: Path, name: str, reader: Reader | None = None) -> Mapping[str, float]:
    """Return um per pixel of an image by what in the file says so, whatever reads it.

    Raises ``DataError`` as :func:`pyramid_of`.
    """
    found = pyramid_of(path, name, reader)
    if found is None and _is_tiff(path):
        from pytest_stbench.data.images.tiff import TiffPyramid

        try:
            found = TiffPyramid(path, name)
        except (NotInPartsError, DataError):
            return {}  # Pillow tells what is wrong with it
    return {} if found is None else found.statements


def rules_of(path: Path) -> str:
    """Return the reading rules of a file that may be read in parts; nothing for others."""
    return RULES if path.suffix.lower() in OF_SCANNERS or _is_tiff(path) else ""


def _is_tiff(path: Path) -> bool:
    return _magic(path) in MAGIC


def _magic(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError:
        return b""  # told by what decodes it


def _large(found: Pyramid) -> bool:
    return 3 * found.levels[0].width * found.levels[0].height > WHOLE_BYTES


def _refuse_large(path: Path, name: str, why: str, most: int) -> None:
    """Raise ``DataError`` for a file of more than `most` bytes decoded, which is not read in parts."""
    from pytest_stbench.data.encoded import size_of

    height, width = size_of(path, name)
    if 3 * width * height > most:
        raise DataError(
            f"{name}: the image of {width} x {height} pixels {why}; decoded whole it is "
            f"{3 * width * height / 2**30:.1f} GiB: {TO_TILES}, or write `reader: pillow`"
        )
