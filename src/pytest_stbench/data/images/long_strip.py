"""An image in one long strip is read in parts: raw where they lie, deflated from marks where they begin."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.images.codecs import TileError
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    ReadBytes = Callable[[int, int], bytes]
    Parts = tuple[tuple[int, int], NDArray[np.int64], NDArray[np.int64]]

PART_BYTES = 1 << 22
"""Decoded bytes of the parts."""

CHUNK = 1 << 18
MOST_RATIO = 1032
"""Bytes that deflate makes of one at most."""


class LongStrip:
    """Parts of a strip in any order, at the price of one pass through what lies before the furthest one.

    A mark is the state of the decoder, some 40 kB, and where it reads on.

    Parameters
    ----------
    offset, count
        Where the strip lies in the file, in bytes.
    part, whole
        Decoded bytes of each part, but for the last one, and of the strip.
    """

    def __init__(self, offset: int, count: int, part: int, whole: int) -> None:
        self._end = offset + count
        self._part = part
        self._whole = whole
        # No state that stands here is ever moved on: threads may read side by side.
        self._marks: dict[int, tuple[int, Any]] = {0: (offset, zlib.decompressobj())}

    def read(self, read: ReadBytes, number: int) -> bytes:
        """Return the bytes of a part; `read` returns bytes of the file, given offset and count.

        Raises :class:`~pytest_stbench.data.images.codecs.TileError` where the strip is damaged.
        """
        for before in range(min(len(self._marks) - 1, number), number):
            self._inflated(read, before)
        return self._inflated(read, number)

    def _inflated(self, read: ReadBytes, number: int) -> bytes:
        at, mark = self._marks[number]
        state = mark.copy()
        found: list[bytes] = []
        wanted = size = min(self._part, self._whole - number * self._part)
        last = number * self._part + size == self._whole
        try:
            while wanted:
                data = read(at, min(CHUNK, self._end - at))
                found.append(state.decompress(data, wanted))
                wanted -= len(found[-1])
                at += len(data) - len(state.unconsumed_tail)
                if wanted and (state.eof or not (data or found[-1])):
                    break
            said = f"it ends after {size - wanted:,} of {size:,} bytes" if wanted else ""
            while last and not said and not state.eof:  # the sum of all bytes stands at the end
                data = read(at, min(CHUNK, self._end - at))
                rest = state.decompress(data, CHUNK)
                at += len(data) - len(state.unconsumed_tail)
                said = "" if state.eof or data or rest else "its end is missing"
        except zlib.error as error:
            said = str(error)
        if said:
            raise TileError(said)
        if not last:
            self._marks.setdefault(number + 1, (at, state))
        return b"".join(found)


def cut_raw(width: int, height: int, samples: int, place: tuple[int, int]) -> Parts:
    """Return width and height of the parts of a raw strip, and where they lie in the file.

    `place` are the first byte of the strip and their number.
    """
    row = max(1, width * samples)
    step = _step(width, height, samples)
    starts = np.arange(0, height, step, dtype=np.int64) * row
    # What the header declares and the file does not hold is found when it is read.
    ends = np.minimum(starts + step * row, min(place[1], height * row))
    return (width, step), starts + place[0], np.maximum(ends - starts, 1)


def cut_deflated(
    width: int, height: int, samples: int, place: tuple[int, int], name: str
) -> tuple[Parts, LongStrip]:
    """Return the parts of a deflated strip, each at the place of the whole, and what reads them.

    Raises ``DataError`` with `name` where the strip is too short for such an image.
    """
    if width * height * samples > MOST_RATIO * place[1]:
        raise DataError(
            f"{name}: {place[1]:,} bytes cannot hold an image of {width} x {height} pixels: the header is "
            "wrong, or the file is truncated; write it anew"
        )
    step = _step(width, height, samples)
    offsets, counts = (np.full(-(-height // step), value, dtype=np.int64) for value in place)
    return ((width, step), offsets, counts), LongStrip(
        *place, step * width * samples, height * width * samples
    )


def _step(width: int, height: int, samples: int) -> int:
    return min(height, max(1, PART_BYTES // max(1, width * samples)))
