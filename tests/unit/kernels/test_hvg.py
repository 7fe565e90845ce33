from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csc_matrix, csr_matrix

from pytest_stbench.kernels import hvg
from pytest_stbench.kernels.hvg import standardised_variance


def negative_binomial(seed, n=300, g=80):
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(0, 1.5, g)
    return rng.poisson(rng.gamma(2.0, mean / 2.0, (n, g)))


def by_hand(x):
    x = x.astype(float)
    mean, variance = x.mean(axis=0), x.var(axis=0, ddof=1)
    trend = np.polynomial.Polynomial.fit(np.log10(mean), np.log10(variance), 2)
    deviation = np.sqrt(10 ** trend(np.log10(mean)))
    clipped = np.minimum(x, mean + np.sqrt(len(x)) * deviation)
    return ((clipped - mean) ** 2).sum(axis=0) / ((len(x) - 1) * deviation**2)


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix, np.asarray])
def test_is_the_formula(form):
    x = negative_binomial(0)
    x = x[:, x.var(axis=0) > 0]
    assert standardised_variance(form(x)) == pytest.approx(by_hand(x), rel=1e-9)


def test_outliers_are_clipped():
    x = negative_binomial(2)
    spiked = x.copy()
    spiked[0, 0] = 10_000_000
    assert standardised_variance(spiked)[0] < len(x)


@pytest.mark.parametrize("x", [np.zeros((10, 3), int), np.full((10, 3), 4), np.ones((1, 3), int)])
def test_without_variance_nan(x, recwarn):
    assert np.isnan(standardised_variance(x)).all()
    assert not recwarn.list


def test_a_single_varying_gene_is_on_its_own_trend():
    x = np.zeros((10, 2), int)
    x[:5, 0] = 1
    assert standardised_variance(x)[0] == pytest.approx(1.0)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_order_of_units_does_not_matter(seed):
    x = negative_binomial(seed, n=40, g=12)
    order = np.random.default_rng(seed).permutation(40)
    assert standardised_variance(x[order]) == pytest.approx(standardised_variance(x), nan_ok=True, rel=1e-9)


@pytest.mark.parametrize("entries", [1, 10, 1000])
def test_the_size_of_blocks_changes_no_bit(monkeypatch, entries):
    counts = csr_matrix(np.random.default_rng(4).poisson(0.4, (80, 37)))
    whole = standardised_variance(counts)
    monkeypatch.setattr(hvg, "BLOCK_ENTRIES", entries)
    assert standardised_variance(counts).tobytes() == whole.tobytes()
