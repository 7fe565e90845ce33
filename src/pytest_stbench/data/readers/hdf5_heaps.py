"""Heaps of text in HDF5 files, looked at first: libhdf5 2.0 does not come back from some damaged ones."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNATURE = b"GCOL\x01\x00\x00\x00"
"""Of a collection of variable-length values (HDF5 file format, III.E), version 1."""

HEADER = 16
BLOCK = 1 << 22
LARGEST = 1 << 30
"""Bytes up to which a file is gone through: its heaps may be anywhere in it."""


def damaged_heap(path: Path, size: int) -> int | None:
    """Return where the first collection stands whose objects do not fill it; None where there is none."""
    if not 0 < size <= LARGEST:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return next((at for at in _collections(content) if not _sound(content, at)), None)


def _collections(content: mmap.mmap) -> Iterator[int]:
    """Yield where collections stand. Bytes are searched, a block at a time: ten times as fast as the map."""
    for start in range(0, len(content), BLOCK):
        block = content[start : start + BLOCK + len(SIGNATURE) - 1]
        at = block.find(SIGNATURE)
        while at >= 0:
            yield start + at
            at = block.find(SIGNATURE, at + 1)


def _sound(content: mmap.mmap, start: int) -> bool:
    size = int.from_bytes(content[start + 8 : start + HEADER], "little")
    if not HEADER <= size <= len(content) - start:
        return False
    # Objects stand at multiples of 8 bytes: a number and a size, then as many bytes.
    words = memoryview(content[start : start + size - size % 8]).cast("Q").tolist()
    at, last = 2, len(words) - 2
    while at <= last:
        # The object without a number is the space that is free, its header included.
        step = 2 + (words[at + 1] + 7 >> 3) if words[at] & 0xFFFF else words[at + 1] >> 3
        if not 2 <= step <= last + 2 - at:
            return False
        at += step
    return True
