from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings, strategies as st
from scipy.stats import spearmanr

from pytest_stbench.kernels.sparse_ranks import spearman_with


def by_scipy(values, variable):
    return np.array([spearmanr(column, variable).statistic for column in values.T])


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix, sp.csc_matrix, sp.coo_matrix])
@pytest.mark.parametrize("mean", [0.1, 1.0, 20.0])
def test_counts_against_scipy(make, mean):
    rng = np.random.default_rng(3)
    counts = rng.poisson(mean, (150, 12)).astype(float)
    depth = rng.poisson(30, 150).astype(float)
    assert spearman_with(make(counts), depth) == pytest.approx(by_scipy(counts, depth), abs=1e-12)


def test_negative_values_and_stored_zeros():
    rng = np.random.default_rng(4)
    values = rng.integers(-2, 3, (80, 9)).astype(float)
    stored = sp.csc_matrix(values)
    stored.data[::5] = 0.0
    depth = rng.normal(size=80)
    expected = by_scipy(stored.toarray(), depth)
    assert spearman_with(stored, depth) == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    values = np.array([[0.0, 3.0], [0.0, 2.0], [5.0, 1.0]])
    assert spearman_with(values, np.array([1.0, 2.0, 3.0])) == pytest.approx([np.sqrt(3) / 2, -1.0])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_order_and_monotone_scales_change_nothing(seed):
    rng = np.random.default_rng(seed)
    values, depth = rng.poisson(0.7, (25, 4)).astype(float), rng.integers(1, 9, 25).astype(float)
    found = spearman_with(values, depth)
    order = rng.permutation(25)
    other = spearman_with(sp.csr_matrix(np.log1p(values[order])), np.exp(depth[order]))
    assert other == pytest.approx(found, abs=1e-12, nan_ok=True)
    assert (np.isnan(found) | (np.abs(found) <= 1)).all()


def test_what_is_undefined_is_nan():
    values = np.array([[0.0, 2.0, np.nan, 1.0], [0.0, 2.0, 1.0, np.inf], [0.0, 2.0, 3.0, 0.0]])
    assert np.isnan(spearman_with(values, np.array([1.0, 2.0, 3.0]))).all()
    changing = np.array([[1.0], [2.0], [3.0]])
    assert np.isnan(spearman_with(changing, np.ones(3))).all()
    assert np.isnan(spearman_with(changing, np.array([1.0, np.nan, 3.0]))).all()
    assert np.isnan(spearman_with(changing[:1], np.ones(1))).all()
    assert spearman_with(np.empty((0, 2)), np.empty(0)).shape == (2,)


def test_the_callers_matrix_stays_as_it_is():
    twice = sp.csc_matrix((np.array([1.0, 2.0, 4.0]), np.array([0, 0, 1]), np.array([0, 3])), shape=(3, 1))
    found = spearman_with(twice, np.array([1.0, 2.0, 3.0]))
    assert found == pytest.approx(by_scipy(np.array([[3.0], [4.0], [0.0]]), np.array([1.0, 2.0, 3.0])))
    assert twice.nnz == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_column_that_is_not_finite_or_empty_is_undefined(dtype):
    values = np.array([[1, 0, 2, 0], [np.nan, 0, np.inf, 0], [0, 0, 1, 3], [4, 0, 0, 0]], dtype)
    found = spearman_with(sp.csc_matrix(values), np.arange(4.0))
    assert np.isnan(found).tolist() == [True, True, True, False]
    assert found[3] == pytest.approx(spearmanr(values[:, 3], range(4)).statistic)
