"""Files as strangers may have made them: nothing is allocated on the word of a header, no link leads out.

Whoever made the data does not choose what is read.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FREE_BYTES = 64 << 20
"""So much may be declared by anything, whatever the file holds."""

DEFLATE = 1_100
"""Deflate makes 1,032 bytes of one at most."""

ANY_CODEC = 10_000
"""What zstd, blosc and runs of parquet make of one byte of anything but constants."""


def refuse_hollow(path: Path, what: str, declared: int, held: int, most: int = ANY_CODEC) -> None:
    """Raise ``DataError`` where so few bytes cannot hold what is declared.

    Parameters
    ----------
    path, what
        The file and its part, for the message.
    declared, held
        Bytes in memory as the header says, and bytes that are there.
    most
        How many bytes one byte that is held can stand for.
    """
    if declared <= FREE_BYTES or declared <= most * held:
        return
    raise DataError(
        f"{path}: {what} says that it has {declared / 1e6:,.0f} MB, of which {held:,} bytes are there: the "
        "file is damaged, or made to fill the memory; write it anew"
    )


def refuse_hollow_zip(path: Path) -> None:
    """Raise ``DataError`` where a member of a zip (an npz too) declares more than its bytes can hold."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            what = f"the member {member.filename}"
            refuse_hollow(path, what, member.file_size, member.compress_size, DEFLATE)


def refuse_links_out(files: Iterable[Path], roots: Sequence[Path]) -> None:
    """Raise ``DataError`` for the first file that is, or lies behind, a link out of all of `roots`."""
    homes = [root.resolve() for root in roots]
    folders: dict[Path, bool] = {}
    for path in files:
        folder = path.parent
        if folder not in folders:
            folders[folder] = _inside(folder.resolve(), homes)
        if folders[folder] and not (path.is_symlink() and not _inside(path.resolve(), homes)):
            continue
        raise DataError(
            f"{path} is a link to {path.resolve()}, outside of the folder of the data: copy the file there, "
            "or point --stbench-data at the folder that really holds the data"
        )


def refuse_links_in(folder: Path) -> None:
    """Raise ``DataError`` for the first link below `folder` that leads out of it."""
    home = folder.resolve()
    for parent, names, files in os.walk(folder):
        for name in (*names, *files):
            path = Path(parent, name)
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                raise DataError(
                    f"{path} is a link to {path.resolve()}, outside of {folder}: copy what it leads to there"
                )


def _inside(path: Path, homes: Sequence[Path]) -> bool:
    return any(path.is_relative_to(home) for home in homes)
