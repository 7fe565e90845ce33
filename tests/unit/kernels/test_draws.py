"""How many draws are made, and the error that they leave."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.kernels.draws import (
    ceiling_draws,
    drawn,
    effects,
    mean_of_draws,
    settled_ceilings,
    standard_error,
)

NAN = np.nan


def numbered():
    return (np.array([float(number), NAN]) for number in itertools.count())


@pytest.mark.parametrize(("enough", "made"), [(1, 10), (10, 10), (11, 20), (10**6, 200)])
def test_draws_are_made_by_ten_until_they_suffice_and_never_more_than_two_hundred(enough, made):
    source = numbered()
    found = drawn(source, lambda so_far: len(so_far) >= enough)
    assert found.shape == (made, 2)
    assert found[:, 0].tolist() == list(range(made))
    assert next(source)[0] == made, "nothing is drawn that is not used"


def test_a_source_may_end_before():
    assert drawn(itertools.islice(numbered(), 13), lambda _: False).shape == (13, 2)
    assert drawn([], lambda _: False).shape[0] == 0


def test_the_error_is_that_of_a_mean():
    values = np.random.default_rng(0).normal(size=(50, 3))
    values[:48, 2] = NAN
    error = standard_error(values)
    np.testing.assert_allclose(error[:2], values[:, :2].std(axis=0, ddof=1) / np.sqrt(50))
    np.testing.assert_allclose(error[2], values[48:, 2].std(ddof=1) / np.sqrt(2))
    assert np.isnan(standard_error(values[:1])).all()
    assert np.isnan(mean_of_draws(np.full((3, 1), NAN))).all()


def test_ceilings_are_numbers_or_draws():
    found = ceiling_draws([0.5, [0.1, 0.2], NAN, []])
    np.testing.assert_array_equal(found, [[0.5, 0.1, NAN, NAN], [NAN, 0.2, NAN, NAN]])
    np.testing.assert_allclose(mean_of_draws(found), [0.5, 0.15, NAN, NAN])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 5))
def test_effects_are_the_first_order_of_what_other_draws_would_do(seed, draws, k):
    rng = np.random.default_rng(seed)
    ceilings, floors, plain = rng.uniform(0.6, 0.7, (draws, k)), rng.uniform(0, 0.2, k), rng.random(k)
    room = mean_of_draws(ceilings) - floors
    values = (plain - floors) / room
    found = effects(ceilings, values, room)
    np.testing.assert_allclose(found.sum(axis=0), 0, atol=1e-12)
    # Leaving one draw out moves the mean by its deviation over (draws - 1), the other way.
    for number in range(draws):
        left = mean_of_draws(np.delete(ceilings, number, axis=0)) - floors
        moved = (plain - floors) / left - values
        np.testing.assert_allclose(-found[number] / (draws - 1), moved, atol=0.05 / (draws - 1))


def test_ceilings_suffice_once_a_score_of_one_has_an_error_of_two_hundredths():
    still = np.random.default_rng(1).normal(0.5, 0.01, (10, 1))
    assert settled_ceilings(still, np.array([0.1]), 0.05), "0.01 / sqrt(10) of 0.4"
    assert not settled_ceilings(still, np.array([0.4]), 0.05), "0.01 / sqrt(10) of 0.1"
    assert not settled_ceilings(still, np.array([0.45]), 0.05), "whether there is headroom is open"
    assert settled_ceilings(still, np.array([0.6]), 0.05), "there is none"
    assert settled_ceilings(np.full((10, 2), NAN), np.zeros(2), 0.05)
    # What several niches share does not average out, what they have of their own does.
    own = np.random.default_rng(2).normal(0.5, 0.06, (10, 20))
    floors = np.full(20, 0.1)
    assert settled_ceilings(own, floors, 0.05)
    assert not settled_ceilings(np.repeat(own[:, :1], 20, axis=1), floors, 0.05)
