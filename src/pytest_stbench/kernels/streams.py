"""Random numbers that are the same with every version of every library.

numpy promises the words of a bit generator and not what ``numpy.random.Generator`` makes of them
(NEP 19): distributions may change with any release, and ``binomial`` did. So only the words of
Philox are taken from numpy, and everything else is made of them here, one word a number.

Whole numbers, orders and halves are made by arithmetic on integers and are equal to the last bit
everywhere. Numbers that need a logarithm or the normal distribution may differ in the last digit;
counts compare such a number with a uniform one, so that one in about 10^14 may differ.
"""

from __future__ import annotations

import hashlib
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.inversion import binomial, negative_binomial, poisson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]
    Size = int | tuple[int, ...]

WORD = 64
BLOCK = 1 << 22
"""Pixels made at once; a multiple of four."""

FEW = 4
"""So many times as many things as are drawn from them are few: they are all put in an order."""


def stream(seed: int, *names: str | int) -> Stream:
    """Return the stream of `names` (who draws, and for which slide or patient).

    Streams of different names are independent of each other, and none depends on what others
    have drawn.
    """
    text = "\x1f".join(map(str, (seed, *names)))
    return Stream(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little"))


class Stream:
    """Numbers made of the words of Philox 4x64-10, in the order in which they are asked for.

    Parameters
    ----------
    key
        Key of Philox, below 2^128; :func:`stream` makes one of names.

    References
    ----------
    Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 10.1145/2063384.2063405.
    """

    def __init__(self, key: int) -> None:
        self._bits = np.random.Philox(key=key)

    def words(self, size: Size) -> NDArray[np.uint64]:
        """Return random words of 64 bits."""
        words: NDArray[np.uint64] = self._bits.random_raw(size)
        return words

    def uniform(self, size: Size) -> Floats:
        """Return numbers between 0 and 1, neither of them included: odd multiples of 2^-53."""
        return _fractions(self.words(size))

    def normal(self, size: Size) -> Floats:
        """Return standard normal numbers."""
        from scipy.special import ndtri

        normal: Floats = ndtri(self.uniform(size))
        return normal

    def gumbel(self, size: Size) -> Floats:
        """Return standard Gumbel numbers."""
        gumbel: Floats = -np.log(-np.log(self.uniform(size)))
        return gumbel

    def integers(self, high: int, size: Size) -> Whole:
        """Return whole numbers from 0 to `high` - 1, `high` at most 2^32; uneven by at most 2^-32."""
        words = self.words(size)
        # The upper word of the product of 64 and 32 bits.
        low = (words & np.uint64(0xFFFFFFFF)) * np.uint64(high) >> np.uint64(32)
        return ((words >> np.uint64(32)) * np.uint64(high) + low >> np.uint64(32)).astype(np.int64)

    def levels(self, high: int, size: Size) -> NDArray[np.uint8]:
        """Return whole numbers from 0 to `high` - 1, four a word, `high` at most 256.

        For pixels: quick, and uneven by up to `high` / 2^16.
        """
        number = prod((size,) if isinstance(size, int) else size)
        levels = np.empty(number, dtype=np.uint8)
        for start in range(0, number, BLOCK):
            part = levels[start : start + BLOCK]
            quarters = self.words(-(-len(part) // 4)).astype("<u8").view("<u2")[: len(part)]
            part[:] = quarters.astype(np.uint32) * np.uint32(high) >> np.uint32(16)
        return levels.reshape(size)

    def permutation(self, n: int) -> NDArray[np.intp]:
        """Return 0 to `n` - 1 in random order."""
        return _order(self.words(n))

    def permutations(self, count: int, n: int) -> NDArray[np.intp]:
        """Return 0 to `n` - 1 in `count` random orders, (count, n)."""
        return _order(self.words((count, n)))

    def sample(self, n: int, size: int) -> Whole:
        """Return `size` different ones of 0 to `n` - 1, all sets equally likely, in random order.

        `n` is at most 2^32. Raises ``ValueError`` where `size` exceeds `n`.
        """
        if size > n:
            raise ValueError(f"{size} different ones of {n} cannot be drawn")
        if n <= FEW * size:
            return self.permutation(n)[:size].astype(np.int64)
        drawn = np.empty(0, dtype=np.int64)
        while len(drawn) < size:
            drawn = np.concatenate([drawn, self.integers(n, size)])
            drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
        return drawn[:size]

    def halves(self, counts: ArrayLike) -> Whole:
        """Return how many of each number of things, 0 or more, fall to the first of two equal halves."""
        return halves(self.words(np.shape(counts)), counts)

    def binomial(self, counts: ArrayLike, chance: Floats) -> Whole:
        """Return how many of `counts` things are kept when each is with its `chance`, 0 to 1."""
        n, p = np.broadcast_arrays(np.asarray(counts, dtype=np.int64), chance)
        return binomial(self.uniform(n.shape), n, p)

    def poisson(self, rate: Floats) -> Whole:
        """Return Poisson counts of `rate`, 0 or more."""
        return poisson(self.uniform(rate.shape), rate)

    def negative_binomial(self, mean: Floats, shape: float) -> Whole:
        """Return Poisson counts whose rate is gamma of `mean`: variance mean + mean^2 / `shape`."""
        return negative_binomial(self.uniform(mean.shape), mean, shape)


def halves(words: NDArray[np.uint64], counts: ArrayLike) -> Whole:
    """Return how many of each number of things, 0 or more, fall to the first of two equal halves.

    Binomial with chance 1/2: the number of ones among as many bits of the word of each number, and by
    inversion of one number where more than 64 are needed.
    """
    n = np.asarray(counts, dtype=np.int64)
    kept = np.where(n > 0, words >> (WORD - np.clip(n, 1, WORD)).astype(np.uint64), np.uint64(0))
    result = _ones(kept)
    many = n > WORD
    if many.any():
        result[many] = binomial(_fractions(words[many]), n[many], np.full(int(many.sum()), 0.5))
    return result


def _fractions(words: NDArray[np.uint64]) -> Floats:
    return ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def _order(words: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return the order of the last axis by the upper bits of the words.

    The place of a word takes its lower bits, so that sorting finds the order, and the same one
    whatever the method.
    """
    n = words.shape[-1]
    bits = np.uint64(max(n - 1, 0).bit_length())
    keys = words >> bits << bits | np.arange(n, dtype=np.uint64)
    keys.sort(axis=-1)
    return (keys & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.intp)


def _ones(words: NDArray[np.uint64]) -> Whole:
    """Return the number of ones among the bits of each word, summed in ever larger groups."""
    pairs, nibbles, octets = (np.uint64(mask) for mask in (0x5 * _FOURTHS, 0x3 * _FOURTHS, 0xF * _EIGHTHS))
    two = words - (words >> np.uint64(1) & pairs)
    four = (two & nibbles) + (two >> np.uint64(2) & nibbles)
    eight = four + (four >> np.uint64(4)) & octets
    ones: Whole = (eight * np.uint64(_EIGHTHS) >> np.uint64(56)).astype(np.int64)
    return ones


_FOURTHS = 0x1111_1111_1111_1111
_EIGHTHS = 0x0101_0101_0101_0101
