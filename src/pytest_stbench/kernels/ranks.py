"""Ranks of the values of each column, ties averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.blocks import MIN_BLOCK_COLUMNS, blocks
from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIGIT_BITS = 11
# By the bytes of a float: the type of its bits; and its sign bit, the bits of infinity, all bits.
_BITS: dict[int, type[np.unsignedinteger[Any]]] = {4: np.uint32, 8: np.uint64}
_LIMITS: dict[int, NDArray[Any]] = {
    4: np.array([0x80000000, 0x7F800000, 0xFFFFFFFF], np.uint32),
    8: np.array([0x8000000000000000, 0x7FF0000000000000, 0xFFFFFFFFFFFFFFFF], np.uint64),
}


def average_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rank of each value within its column, 1 for the smallest.

    Tied values get the mean of their ranks; 0.0 and -0.0 are tied. NaN is not ranked: it stays
    NaN and the other values are ranked as if it were not there. Values are told apart exactly,
    float64 ones by all their bits.

    Parameters
    ----------
    values
        Shape (n, g), float32 or float64; other types are ranked as float64.

    Returns
    -------
    NDArray
        Shape (n, g), float64, each column contiguous in memory.
    """
    n, g = values.shape
    single = values.dtype == np.float32
    ranks = np.empty((g, n))
    for columns in blocks(g, n * (4 if single else 8), MIN_BLOCK_COLUMNS):
        block: NDArray[Any] = np.ascontiguousarray(
            values[:, columns].T, dtype=np.float32 if single else np.float64
        )
        _rank_rows(block.view(_BITS[block.itemsize]), _LIMITS[block.itemsize], ranks[columns])
    return ranks.T


@compiled
def _rank_rows(bits: NDArray[Any], limits: NDArray[Any], ranks: NDArray[np.float64]) -> None:
    """Rank each row (c, n) of floats, given as their `bits`, into `ranks`.

    A radix sort by digits, least significant first: stable and linear in n. A digit that all keys
    share is skipped, which leaves few passes for counts.
    """
    c, n = bits.shape
    sign, infinity, last_key = limits
    n_digits = (8 * bits.itemsize + _DIGIT_BITS - 1) // _DIGIT_BITS
    size = 1 << _DIGIT_BITS
    counts = np.empty((n_digits, size), np.int64)
    key_a, key_b = np.empty(n, bits.dtype), np.empty(n, bits.dtype)
    row_a, row_b = np.empty(n, np.int64), np.empty(n, np.int64)
    for k in range(c):
        counts[:] = 0
        ranked = n
        for i in range(n):
            key = bits[k, i]
            magnitude = key & ~sign
            if magnitude > infinity:
                # NaN goes last, whatever its sign.
                key = last_key
                ranked -= 1
            elif key & sign and magnitude:
                key = ~key
            else:
                # -0.0 joins 0.0 here.
                key = magnitude | sign
            key_a[i] = key
            row_a[i] = i
            for digit in range(n_digits):
                counts[digit, np.int64(key >> (digit * _DIGIT_BITS)) & (size - 1)] += 1
        for digit in range(n_digits):
            shift = digit * _DIGIT_BITS
            if n == 0 or counts[digit, np.int64(key_a[0] >> shift) & (size - 1)] == n:
                continue
            position = 0
            for value in range(size):
                count = counts[digit, value]
                counts[digit, value] = position
                position += count
            for i in range(n):
                bucket = np.int64(key_a[i] >> shift) & (size - 1)
                place = counts[digit, bucket]
                counts[digit, bucket] = place + 1
                key_b[place] = key_a[i]
                row_b[place] = row_a[i]
            key_a, key_b = key_b, key_a
            row_a, row_b = row_b, row_a
        first = 0
        while first < ranked:
            end = first + 1
            while end < ranked and key_a[end] == key_a[first]:
                end += 1
            for i in range(first, end):
                ranks[k, row_a[i]] = 0.5 * (first + 1 + end)
            first = end
        for i in range(ranked, n):
            ranks[k, row_a[i]] = np.nan
