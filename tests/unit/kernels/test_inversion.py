"""Counts by inversion: evenly spread numbers give every count as often as its probability says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_stbench.kernels.inversion import binomial, negative_binomial, poisson

N = 400_000
EVEN = (np.arange(N) + 0.5) / N
SHAPE = 10.0


def deviation(draws, law):
    """By how much the number of draws of any count differs from N times its probability."""
    k = np.arange(draws.max() + 1)
    return np.abs(np.bincount(draws) - law.pmf(k) * N).max()


@pytest.mark.parametrize("rate", [0.001, 0.5, 1.0, 5.0, 15.99, 16.0, 16.01, 66.6, 1234.5, 3e4])
def test_poisson_is_exact(rate):
    assert deviation(poisson(EVEN, np.full(N, rate)), stats.poisson(rate)) < 1


@pytest.mark.parametrize("mean", [0.01, 0.5, 5.0, 17.77, 17.78, 66.0, 800.0])
@pytest.mark.parametrize("shape", [0.15, 1.0, 1.5, 10.0, 1e6])
def test_negative_binomial_is_exact(mean, shape):
    draws = negative_binomial(EVEN, np.full(N, mean), shape)
    assert deviation(draws, stats.nbinom(shape, shape / (shape + mean))) < 1


@pytest.mark.parametrize("n", [1, 2, 15, 31, 32, 33, 500, 20_000])
@pytest.mark.parametrize("chance", [1e-9, 0.1, 0.5, 0.51, 0.9, 1 - 1e-9])
def test_binomial_is_exact(n, chance):
    assert deviation(binomial(EVEN, np.full(N, n), np.full(N, chance)), stats.binom(n, chance)) < 1.001


def test_what_is_certain():
    u = np.array([2.0**-53, 0.5, 1 - 2.0**-53])
    assert poisson(u, np.zeros(3)).tolist() == [0, 0, 0]
    assert negative_binomial(u, np.zeros(3), SHAPE).tolist() == [0, 0, 0]
    assert binomial(u, np.array([7, 0, 7]), np.array([1.0, 1.0, 0.0])).tolist() == [7, 0, 0]


def test_large_parameters_keep_mean_and_spread():
    u = (np.arange(2000) + 0.5) / 2000
    for draws, mean, spread in (
        (poisson(u, np.full(len(u), 1e9)), 1e9, np.sqrt(1e9)),
        (binomial(u, np.full(len(u), 10**10), np.full(len(u), 0.5)), 5e9, 5e4),
        (negative_binomial(u, np.full(len(u), 1e5), SHAPE), 1e5, np.sqrt(1e5 + 1e10 / SHAPE)),
    ):
        # Pieces of the unit interval lie around the mode in turn, so that numbers at even distances
        # say as much as random ones: three SD of the mean and of the SD of 2000 of these.
        assert abs(draws.mean() - mean) < 3 * spread / np.sqrt(len(u))
        assert abs(draws.std() / spread - 1) < 3 / np.sqrt(len(u))


@given(
    u=st.floats(2.0**-53, 1 - 2.0**-53),
    n=st.integers(0, 10**7),
    chance=st.floats(0, 1),
    rate=st.floats(0, 1e7),
)
@settings(max_examples=200)
def test_counts_are_possible_and_probable(u, n, chance, rate):
    """Whatever the parameters: within bounds, and not further out than u is."""
    one = np.array([u])
    kept = binomial(one, np.array([n]), np.array([chance]))[0]
    assert 0 <= kept <= n
    assert abs(kept - n * chance) <= 1 + 10 * np.sqrt(n * chance * (1 - chance) + 10)
    count = poisson(one, np.array([rate]))[0]
    assert 0 <= count <= rate + 10 * np.sqrt(rate + 10)


@pytest.mark.parametrize("rate", [-1e-9, np.nan, np.inf])
def test_rates_that_are_none(rate):
    u = np.array([0.5])
    for draw in (poisson, lambda u, rate: negative_binomial(u, rate, SHAPE)):
        with pytest.raises(ValueError, match="not finite, or not 0 or more"):
            draw(u, np.array([rate]))


@pytest.mark.parametrize(("n", "chance"), [(-1, 0.5), (1, -0.1), (1, 1.1), (1, np.nan)])
def test_things_that_cannot_be_kept(n, chance):
    with pytest.raises(ValueError, match="is not finite, or not"):
        binomial(np.array([0.5]), np.array([n]), np.array([chance]))


def test_order_of_the_parameters_does_not_matter():
    rate = np.array([[0.1, 5.0, 80.0], [2e3, 0.0, 30.0]])
    u = np.array([[0.1, 0.5, 0.9], [0.7, 0.3, 0.2]])
    found = poisson(u, rate)
    assert found.T.tolist() == poisson(u.T, rate.T).tolist()
    assert found.ravel().tolist() == [poisson(u[i], rate[i])[j] for i in range(2) for j in range(3)]
