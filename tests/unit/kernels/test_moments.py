from __future__ import annotations

import threading
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.kernels import blocks
from pytest_stbench.kernels.moments import PairMoments, column_ranges, pair_moments

NAMES = [field.name for field in fields(PairMoments)]


def moments_by_definition(truth, prediction, mask=None, extra=None):
    """Each moment from its definition, one column after the other, in extended precision."""
    n, g = truth.shape
    rows = {name: np.zeros(g) for name in NAMES}
    for j in range(g):
        used = np.ones(n, bool) if mask is None else mask[:, j]
        t, p = truth[used, j].astype(np.longdouble), prediction[used, j].astype(np.longdouble)
        e = np.zeros(used.sum()) if extra is None else (extra if extra.ndim == 1 else extra[:, j])[used]
        e = e.astype(np.longdouble)
        if not used.any():
            continue
        dt, dp, de = t - t.mean(), p - p.mean(), e - e.mean()
        found = (
            len(t), t.mean(), p.mean(), (dt**2).sum(), (dp**2).sum(), (dt * dp).sum(),
            ((t - p) ** 2).sum(), np.abs(t - p).sum(), (de**2).sum(), (dt * de).sum(), (dp * de).sum(),
        )  # fmt: skip
        for name, value in zip(NAMES, found, strict=True):
            rows[name][j] = value
    return rows


def assert_moments(found, expected, rtol=1e-11):
    scale = {
        "ss_tp": np.sqrt(expected["ss_t"] * expected["ss_p"]),
        "ss_te": np.sqrt(expected["ss_t"] * expected["ss_e"]),
        "ss_pe": np.sqrt(expected["ss_p"] * expected["ss_e"]),
        "mean_t": np.abs(expected["mean_t"]) + np.sqrt(expected["ss_t"]),
        "mean_p": np.abs(expected["mean_p"]) + np.sqrt(expected["ss_p"]),
    }
    for name in NAMES:
        value, wanted = getattr(found, name), expected[name]
        assert value.dtype == np.float64
        assert value.shape == wanted.shape
        # The rounding of a product is relative to its factors, which may nearly cancel.
        assert np.all(np.abs(value - wanted) <= rtol * scale.get(name, np.abs(wanted)) + 1e-13), name


def layouts(array):
    """The same values, as they may lie in memory."""
    wide = np.zeros((2 * array.shape[0], 3 * array.shape[1]), array.dtype)
    wide[::2, ::3] = array
    readonly = array.copy()
    readonly.flags.writeable = False
    return {
        "rows": np.ascontiguousarray(array),
        "columns": np.asfortranarray(array),
        "strided": wide[::2, ::3],
        "strided columns": np.asfortranarray(wide)[::2, ::3],
        "reversed": np.ascontiguousarray(array[::-1])[::-1],
        "readonly": readonly,
    }


@pytest.mark.parametrize("layout", ["rows", "columns", "strided", "strided columns", "reversed", "readonly"])
@pytest.mark.parametrize(
    "types", [(np.float32, np.float32), (np.float64, np.float64), (np.float64, np.float32)]
)
def test_moments_follow_their_definition(layout, types):
    rng = np.random.default_rng(1)
    truth = rng.gamma(2.0, size=(103, 7)).astype(types[0])
    prediction = (0.3 * truth + rng.normal(size=truth.shape)).astype(types[1])
    extra = rng.normal(3.0, size=103)
    found = pair_moments(layouts(truth)[layout], layouts(prediction)["rows"], extra=extra)
    assert_moments(found, moments_by_definition(truth, prediction, extra=extra))


@pytest.mark.parametrize("order", ["C", "F"])
def test_many_blocks_give_what_one_gives(order, monkeypatch):
    rng = np.random.default_rng(2)
    truth = np.asarray(rng.normal(5.0, size=(700, 40)), order=order)
    prediction = np.asarray(rng.normal(size=truth.shape), order=order)
    extra = rng.normal(size=700)
    whole = pair_moments(truth, prediction, extra=extra)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2000)
    assert_moments(pair_moments(truth, prediction, extra=extra), {n: getattr(whole, n) for n in NAMES})
    mask = np.ones(truth.shape, bool)
    assert_moments(pair_moments(truth, prediction, mask, extra), {n: getattr(whole, n) for n in NAMES})
    assert np.array_equal(column_ranges(truth), np.ptp(truth, axis=0))


@pytest.mark.parametrize("per_column", [False, True])
def test_a_mask_leaves_pairs_out(per_column):
    rng = np.random.default_rng(3)
    truth, prediction = rng.normal(1.0, size=(2, 60, 20))
    extra = rng.normal(size=(60, 20) if per_column else 60)
    mask = rng.random(truth.shape) < 0.6
    mask[:, 4] = False
    expected = moments_by_definition(truth, prediction, mask, extra)
    hidden = np.where(mask, truth, np.nan), np.where(mask, prediction, np.inf)
    assert_moments(pair_moments(*hidden, mask, extra), expected)
    assert pair_moments(*hidden, mask, extra).n[4] == 0


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_small_variation_on_a_large_mean_keeps_its_digits(order, masked):
    rng = np.random.default_rng(4)
    # Multiples of 2^-12 below 2^20 are exact in float64, so that only the algorithm can lose digits.
    small = np.round(rng.normal(size=(5000, 3)) * 4096) / 4096
    other = np.round(rng.normal(size=small.shape) * 4096) / 4096
    offset = 1e6
    extra = rng.normal(size=5000)
    mask = np.ones(small.shape, bool) if masked else None
    shifted = pair_moments(
        np.asarray(small + offset, order=order), np.asarray(other - offset, order=order), mask, extra + offset
    )
    expected = moments_by_definition(small + offset, other - offset, extra=extra + offset)
    for name in ("ss_t", "ss_p", "ss_e"):
        np.testing.assert_allclose(getattr(shifted, name), expected[name], rtol=1e-10)
    for name, left, right in (("ss_tp", "t", "p"), ("ss_te", "t", "e"), ("ss_pe", "p", "e")):
        scale = np.sqrt(expected[f"ss_{left}"] * expected[f"ss_{right}"])
        assert np.all(np.abs(getattr(shifted, name) - expected[name]) <= 1e-10 * scale)


def test_a_level_far_from_the_first_block_keeps_its_digits():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(20_000, 2))
    values[2000:] += 1e6
    found = pair_moments(values, values)
    expected = moments_by_definition(values, values)
    np.testing.assert_allclose(found.ss_t, expected["ss_t"], rtol=1e-10)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_equal_values_have_an_error_of_exactly_zero(order, kind):
    values = np.asarray(np.random.default_rng(6).normal(7.0, size=(301, 5)), dtype=kind, order=order)
    found = pair_moments(values, values.copy(order="K"))
    assert not found.sum_sq_error.any()
    assert not found.sum_abs_error.any()


def test_float32_is_summed_in_float64():
    rng = np.random.default_rng(7)
    truth, prediction = rng.normal(100.0, size=(2, 30_000, 2)).astype(np.float32)
    assert_moments(pair_moments(truth, prediction), moments_by_definition(truth, prediction), rtol=1e-11)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 50])
def test_a_column_that_is_not_finite_shows(order, bad, row):
    truth, prediction = np.random.default_rng(8).normal(size=(2, 60, 3))
    truth[row, 1] = bad
    found = pair_moments(np.asarray(truth, order=order), np.asarray(prediction, order=order))
    assert np.isfinite(found.ss_t).tolist() == [True, False, True]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("masked", [False, True])
def test_nothing_gives_zeros(shape, masked):
    empty = np.zeros(shape)
    found = pair_moments(empty, empty, np.ones(shape, bool) if masked else None, np.zeros(shape[0]))
    for name in NAMES:
        assert getattr(found, name).shape == shape[1:]
        assert not getattr(found, name).any()


def test_without_extra_its_moments_are_zero():
    found = pair_moments(np.eye(4), np.eye(4), np.ones((4, 4), bool))
    assert not found.ss_e.any()
    assert not found.ss_te.any()
    assert not pair_moments(np.eye(4), np.eye(4)).ss_pe.any()


def test_ranges_ignore_what_is_masked():
    values = np.array([[1.0, 5.0, np.nan], [4.0, 7.0, 1.0], [100.0, 6.5, 3.0]])
    mask = np.array([[True, True, False], [True, False, False], [False, True, False]])
    assert column_ranges(values, mask).tolist() == [3.0, 1.5, 0.0]
    assert column_ranges(values[:, :2]).tolist() == [99.0, 2.0]
    assert column_ranges(np.zeros((0, 2))).tolist() == [0.0, 0.0]


def test_threads_share_the_kernel():
    rng = np.random.default_rng(9)
    pairs = [rng.normal(size=(2, 300, 30)) for _ in range(8)]
    results = [None] * len(pairs)

    def work(k):
        results[k] = pair_moments(*pairs[k]).ss_tp

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(pairs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (truth, prediction), found in zip(pairs, results, strict=True):
        np.testing.assert_allclose(found, moments_by_definition(truth, prediction)["ss_tp"], atol=1e-10)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 90), st.integers(1, 9), st.integers(0, 2**32 - 1), st.booleans())
def test_the_order_of_units_does_not_matter(n, g, seed, by_column):
    rng = np.random.default_rng(seed)
    order = "F" if by_column else "C"
    truth, prediction = (np.asarray(a, order=order) for a in rng.normal(size=(2, n, g)))
    shuffled = rng.permutation(n)
    found = pair_moments(truth[shuffled], prediction[shuffled])
    assert_moments(found, moments_by_definition(truth, prediction), rtol=1e-10)
