"""Blocks of a matrix that stay in the cache while they are worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES = 2**20
# Columns are copied out of a row-major matrix together, so that each cache line is read once.
MIN_BLOCK_COLUMNS = 16


def blocks(length: int, bytes_each: int, shortest: int = 1) -> Iterator[slice]:
    """Yield slices over `length` rows or columns of `bytes_each`, about 1 MiB each.

    A block has at least `shortest` members, but for the last.
    """
    step = max(shortest, BLOCK_BYTES // max(1, bytes_each))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))
