"""Streams against Philox written out, the laws they are to follow, and values that never change."""

from __future__ import annotations

import hashlib
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_stbench.kernels.streams import BLOCK, Stream, stream

MASK = 2**64 - 1
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
MIN_P = 1e-4
"""Draws are fixed: a law that is kept gives a p above this, once and for all."""


def philox(counter, key):
    """Philox 4x64 with ten rounds, as its authors describe it."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        left, right = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b, c, d = (right >> 64) ^ b ^ k0, right & MASK, (left >> 64) ^ d ^ k1, left & MASK
        k0, k1 = k0 + WEYL[0] & MASK, k1 + WEYL[1] & MASK
    return [a, b, c, d]


def fits(draws, chances):
    """p of a chi-square test of draws 0 to k - 1; classes that are expected fewer than 8 times are one."""
    expected = np.asarray(chances) * len(draws)
    seen = np.bincount(draws, minlength=len(expected))
    large = expected >= 8
    expected = np.append(expected[large], len(draws) - expected[large].sum())
    seen = np.append(seen[large], len(draws) - seen[large].sum())
    if expected[-1] < 8:
        expected, seen = expected[:-1], seen[:-1]
    return stats.chi2.sf(((seen - expected) ** 2 / expected).sum(), len(expected) - 1)


def test_philox_written_out_gives_the_published_answers():
    """Known answers of the authors' library (kat_vectors)."""
    assert philox([0] * 4, [0] * 2) == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]
    assert philox([MASK] * 4, [MASK] * 2)[0] == 0x87B092C3013FE90B


@pytest.mark.parametrize("key", [0, 1, 2**127 + 12345, 2**128 - 1])
def test_words_are_those_of_philox(key):
    blocks = [philox([number, 0, 0, 0], [key & MASK, key >> 64]) for number in (1, 2, 3)]
    assert Stream(key).words((3, 4)).tolist() == blocks


def test_a_stream_has_the_key_of_its_names():
    key = int.from_bytes(hashlib.sha256(b"7\x1fcounts\x1fP01").digest()[:16], "little")
    assert stream(7, "counts", "P01").words(4).tolist() == Stream(key).words(4).tolist()


def test_streams_are_told_apart_by_seed_and_names():
    names = [
        (0,),
        (1,),
        (0, "a"),
        (0, "a", "bc"),
        (0, "ab", "c"),
        (0, "abc"),
        (0, "a", "b", "c"),
        (0, "1", "2"),
    ]
    assert len({int(stream(*name).words(1)[0]) for name in names}) == len(names)
    assert stream(3, "a", 4).words(3).tolist() == stream(3, "a", "4").words(3).tolist()


def test_one_word_a_number():
    """What is drawn next depends on how much was drawn, never on what."""
    counts = np.array([0, 1, 64, 65, 10**6])
    chance = np.array([0.0, 1.0, 0.5, 0.1, 0.9])
    for draw in (
        lambda rng: rng.uniform(5),
        lambda rng: rng.normal(5),
        lambda rng: rng.gumbel(5),
        lambda rng: rng.integers(10, 5),
        lambda rng: rng.permutation(5),
        lambda rng: rng.halves(counts),
        lambda rng: rng.binomial(counts, chance),
        lambda rng: rng.poisson(counts.astype(float)),
        lambda rng: rng.negative_binomial(counts.astype(float), 2.0),
    ):
        rng, other = stream(0, "s"), stream(0, "s")
        draw(rng)
        other.words(5)
        assert rng.words(1) == other.words(1)


def test_golden_values():
    """Nothing that is drawn from one and the same stream may ever change."""
    rng = stream(0, "golden")
    assert rng.words(2).tolist() == GOLDEN["words"]
    assert rng.uniform(2).tolist() == GOLDEN["uniform"]
    np.testing.assert_allclose(rng.normal(3), GOLDEN["normal"], rtol=1e-14)
    np.testing.assert_allclose(rng.gumbel(3), GOLDEN["gumbel"], rtol=1e-14)
    assert rng.integers(1000, 8).tolist() == GOLDEN["integers"]
    assert rng.levels(3, (2, 5)).tolist() == GOLDEN["levels"]
    assert rng.permutation(8).tolist() == GOLDEN["permutation"]
    assert rng.permutations(2, 4).tolist() == GOLDEN["permutations"]
    assert rng.sample(6, 3).tolist() == GOLDEN["sample of few"]
    assert rng.sample(10**9, 3).tolist() == GOLDEN["sample of many"]
    assert rng.halves([0, 1, 5, 64, 65, 20_000, 10**12]).tolist() == GOLDEN["halves"]
    assert rng.binomial([0, 5, 60, 20_000], np.array([0.5, 0.1, 0.9, 0.3])).tolist() == GOLDEN["binomial"]
    assert rng.poisson(np.array([0.0, 0.1, 5.0, 30.0, 1e4])).tolist() == GOLDEN["poisson"]
    means = np.array([0.0, 0.1, 5.0, 30.0, 1e4])
    assert rng.negative_binomial(means, 10.0).tolist() == GOLDEN["negative binomial"]
    assert rng.negative_binomial(means, 0.15).tolist() == GOLDEN["bursts"]


GOLDEN = {
    "words": [18034329289814169622, 13358942338121348115],
    "uniform": [0.714439620361114, 0.05419017707747231],
    "normal": [0.451208931962493, -0.4095855310274398, -1.6081080211078196],
    "gumbel": [-0.8436407470314853, 0.8090410035220207, 0.22181913924119373],
    "integers": [169, 675, 469, 141, 21, 854, 797, 390],
    "levels": [[0, 1, 0, 0, 2], [0, 0, 0, 0, 1]],
    "permutation": [6, 7, 5, 1, 0, 3, 4, 2],
    "permutations": [[0, 3, 2, 1], [0, 3, 2, 1]],
    "sample of few": [2, 0, 5],
    "sample of many": [877574807, 865541965, 729714435],
    "halves": [0, 0, 4, 32, 34, 10033, 499999517034],
    "binomial": [0, 0, 54, 6083],
    "poisson": [0, 0, 6, 43, 10018],
    "negative binomial": [0, 0, 6, 17, 10272],
    "bursts": [0, 0, 92, 81, 3753],
}


def test_uniform_numbers_are_even_and_never_0_or_1():
    draws = stream(1, "uniform").uniform((200, 500))
    assert draws.shape == (200, 500)
    assert stats.kstest(draws.ravel(), "uniform").pvalue > MIN_P
    lowest, highest = Stream(0), Stream(0)
    lowest.words, highest.words = (
        (lambda size: np.zeros(size, np.uint64)),
        (lambda size: np.full(size, MASK, np.uint64)),
    )
    assert lowest.uniform(1)[0] == 2.0**-53
    assert highest.uniform(1)[0] == 1 - 2.0**-53
    assert np.isfinite(
        [lowest.normal(1)[0], highest.normal(1)[0], lowest.gumbel(1)[0], highest.gumbel(1)[0]]
    ).all()


def test_normal_and_gumbel_numbers():
    assert stats.kstest(stream(2, "normal").normal(100_000), "norm").pvalue > MIN_P
    assert stats.kstest(stream(3, "gumbel").gumbel(100_000), "gumbel_r").pvalue > MIN_P


@pytest.mark.parametrize("high", [1, 2, 3, 7, 100])
def test_integers_are_even(high):
    draws = stream(4, "integers").integers(high, 100_000)
    assert draws.dtype == np.int64
    assert fits(draws, np.full(high, 1 / high)) > MIN_P if high > 1 else (draws == 0).all()
    pixels = stream(4, "levels").levels(high, (1000, 100))
    assert pixels.dtype == np.uint8
    assert fits(pixels.ravel(), np.full(high, 1 / high)) > MIN_P if high > 1 else (pixels == 0).all()


@given(word=st.integers(0, MASK), high=st.integers(1, 2**32))
def test_integers_are_the_upper_word_of_a_product(word, high):
    rng = Stream(0)
    rng.words = lambda size: np.array([word], dtype=np.uint64)
    assert rng.integers(high, 1).tolist() == [word * high >> 64]


def test_levels_of_large_pictures_are_those_of_parts():
    whole = stream(0, "levels").levels(3, 2 * BLOCK + 7)
    rng = stream(0, "levels")
    parts = [rng.levels(3, size) for size in (BLOCK, BLOCK, 7)]
    assert (whole == np.concatenate(parts)).all()
    assert stream(0, "levels").levels(3, (0, 4)).shape == (0, 4)


def test_every_order_is_equally_likely():
    place = {order: number for number, order in enumerate(permutations(range(4)))}
    orders = stream(5, "orders").permutations(50_000, 4)
    assert fits(np.array([place[tuple(order)] for order in orders.tolist()]), np.full(24, 1 / 24)) > MIN_P
    rng = stream(5, "orders")
    assert [rng.permutation(4).tolist() for _ in range(3)] == orders[:3].tolist()


@given(n=st.integers(0, 60), size=st.integers(0, 60), seed=st.integers(0, 99))
def test_samples_hold_different_ones(n, size, seed):
    rng = stream(seed, "sample")
    if size > n:
        with pytest.raises(ValueError, match=f"{size} different ones of {n}"):
            rng.sample(n, size)
        return
    drawn = rng.sample(n, size)
    assert len(set(drawn.tolist())) == len(drawn) == size
    assert ((drawn >= 0) & (drawn < n)).all()


@pytest.mark.parametrize(("n", "size"), [(5, 2), (9, 2), (12, 2)])
def test_every_ordered_sample_is_equally_likely(n, size):
    """Of few things, which are put in an order, and of many, which are drawn until they differ."""
    rng = stream(6, "sample")
    place = {order: number for number, order in enumerate(permutations(range(n), size))}
    draws = np.array([place[tuple(rng.sample(n, size).tolist())] for _ in range(20_000)])
    assert fits(draws, np.full(len(place), 1 / len(place))) > MIN_P


@pytest.mark.parametrize("n", [1, 2, 7, 63, 64, 65, 200, 5000])
def test_halves_are_binomial(n):
    draws = stream(7, "halves").halves(np.full(60_000, n))
    assert fits(draws, stats.binom.pmf(np.arange(n + 1), n, 0.5)) > MIN_P


@given(words=st.lists(st.integers(0, MASK), min_size=1, max_size=20), n=st.integers(0, 64))
def test_halves_count_the_first_bits(words, n):
    rng = Stream(0)
    rng.words = lambda size: np.array(words, dtype=np.uint64)
    found = rng.halves(np.full(len(words), n))
    assert found.tolist() == [f"{word:064b}"[:n].count("1") for word in words]


@given(st.lists(st.integers(0, 10**15), max_size=20), st.integers(0, 99))
@settings(max_examples=30)
def test_a_half_is_part_of_the_whole(counts, seed):
    half = stream(seed, "halves").halves(counts)
    assert half.dtype == np.int64
    assert ((half >= 0) & (half <= np.array(counts, dtype=np.int64))).all()


def test_counts_of_any_shape_and_dtype():
    for counts in (np.ones((3, 4), np.float32), np.ones((2, 0), np.int32), [1, 2], 3):
        assert stream(0, "shape").halves(counts).shape == np.shape(counts)
    assert stream(0, "shape").poisson(np.ones((3, 2))).shape == (3, 2)
    assert stream(0, "shape").binomial(5, np.full((2, 3), 0.5)).shape == (2, 3)
