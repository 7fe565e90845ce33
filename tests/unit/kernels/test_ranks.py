from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from pytest_stbench.kernels import blocks
from pytest_stbench.kernels.ranks import average_ranks

TYPES = [np.float32, np.float64]


@pytest.mark.parametrize("kind", TYPES)
def test_ties_get_the_mean_of_their_ranks(kind):
    values = np.array([[3, 1, 4, 1, 5, 9, 2, 6, 5, 5]], kind).T
    assert average_ranks(values)[:, 0].tolist() == [4, 1.5, 5, 1.5, 7, 10, 3, 9, 7, 7]


@settings(deadline=None, max_examples=50)
@given(st.data(), st.sampled_from(TYPES))
def test_ranks_are_those_of_scipy(data, kind):
    width = 8 * np.dtype(kind).itemsize
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 5)))
    anything = st.floats(width=width, allow_nan=False)
    elements = st.one_of(anything, st.sampled_from([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf]))
    values = data.draw(hnp.arrays(kind, shape, elements=elements))
    assert np.array_equal(average_ranks(values), stats.rankdata(values, axis=0))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("make", [np.ascontiguousarray, np.asfortranarray, lambda v: np.repeat(v, 2, 0)[::2]])
def test_long_columns_in_any_layout(kind, make):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(3000, 20)).astype(kind)
    values[rng.random(values.shape) < 0.5] = 0
    values[:, 3] = rng.poisson(2.0, 3000)
    values[:, 4] *= 1e30
    values[:, 5] = 7
    ranks = average_ranks(make(values))
    assert ranks.dtype == np.float64
    assert np.array_equal(ranks, stats.rankdata(values, axis=0))


def test_many_blocks_give_what_one_gives(monkeypatch):
    values = np.random.default_rng(2).normal(size=(50, 70))
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    assert np.array_equal(average_ranks(values), stats.rankdata(values, axis=0))


def test_float64_values_are_told_apart_by_their_last_bit():
    close = np.nextafter(1.0, 2.0)
    values = np.array([[close, 1.0, 2.0, -1.0, np.nextafter(-1.0, -2.0), 1e-320, 0.0]]).T
    assert average_ranks(values)[:, 0].tolist() == [6, 5, 7, 2, 1, 4, 3]


@pytest.mark.parametrize("kind", TYPES)
def test_nan_is_not_ranked(kind):
    values = np.array([[np.nan, 3, -np.inf, np.nan, np.inf, 3, -2], [np.nan] * 7], kind).T
    # A NaN with its sign set sorts before everything unless it is treated as NaN.
    values[3, 0] = np.copysign(kind(np.nan), kind(-1))
    ranks = average_ranks(values)
    assert np.array_equal(ranks[:, 0], [np.nan, 3.5, 1, np.nan, 5, 3.5, 2], equal_nan=True)
    assert np.isnan(ranks[:, 1]).all()


def test_the_input_is_left_alone():
    values = np.array([[2.0, -0.0], [1.0, 0.0]])
    before = values.copy()
    average_ranks(values)
    assert values.tobytes() == before.tobytes()


def test_other_types_and_no_values():
    assert average_ranks(np.array([[3], [1], [2]])).tolist() == [[3], [1], [2]]
    assert average_ranks(np.zeros((0, 4))).shape == (0, 4)
    assert average_ranks(np.zeros((4, 0))).shape == (4, 0)
    assert average_ranks(np.zeros((1, 1))).tolist() == [[1.0]]


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.float64, (12, 3), elements=st.integers(-4, 4)), st.permutations(range(12)))
def test_ranks_move_with_their_units(values, order):
    assert np.array_equal(average_ranks(values)[order], average_ranks(values[order]))
