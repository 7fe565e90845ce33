"""What a file declares against what it holds: nothing is allocated on the word of a header alone."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

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
