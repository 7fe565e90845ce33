from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.kernels import correlations
from pytest_stbench.kernels.correlations import column_correlations

pytestmark = pytest.mark.filterwarnings("error")


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(4, 60), level=st.sampled_from([0.0, 1e3, -1e6]))
def test_numpy_agrees(seed, n, level):
    rng = np.random.default_rng(seed)
    values = rng.normal(level, 1.0, (n, 6))
    found = column_correlations(values)
    np.testing.assert_allclose(found.values, np.corrcoef(values.T), atol=1e-8)
    assert np.array_equal(found.values, found.values.T)
    assert (np.diagonal(found.values) == 1).all()
    assert not found.constant.any()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_partial_is_the_correlation_of_residuals(seed):
    rng = np.random.default_rng(seed)
    depth = rng.normal(7, 0.5, 40)
    values = rng.normal(size=(40, 5)) + np.outer(depth, rng.normal(size=5))
    design = np.column_stack([np.ones(40), depth])
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    np.testing.assert_allclose(column_correlations(values, depth).values, np.corrcoef(rest.T), atol=1e-9)


def test_columns_without_correlation_are_zero_and_told_apart():
    rng = np.random.default_rng(0)
    depth = rng.normal(7, 0.5, 40)
    values = np.column_stack([rng.normal(size=40), np.full(40, 3.0), 2 * depth - 1, rng.normal(size=40)])
    found = column_correlations(values, depth)
    assert found.constant.tolist() == [False, True, False, False]
    assert found.explained.tolist() == [False, False, True, False]
    assert not found.values[1:3].any()
    assert not found.values[:, 1:3].any()
    # As float32 the third is no exact line any more, and still only follows depth.
    assert column_correlations(values.astype(np.float32), depth).explained[2]
    assert not column_correlations(values).explained.any()


def test_a_variable_that_does_not_vary_takes_nothing_off():
    values = np.random.default_rng(0).normal(size=(20, 3))
    plain = column_correlations(values).values
    assert np.array_equal(column_correlations(values, np.full(20, 7.0)).values, plain)


def test_blocks_and_single_precision(monkeypatch):
    values = np.random.default_rng(0).gamma(0.5, 2.0, (100, 30)).astype(np.float32)
    expected = column_correlations(values).values
    np.testing.assert_allclose(expected, np.corrcoef(values.T), atol=1e-12)
    monkeypatch.setattr(correlations, "MIN_BLOCK_ROWS", 7)
    monkeypatch.setattr("pytest_stbench.kernels.blocks.BLOCK_BYTES", 1)
    np.testing.assert_allclose(column_correlations(values).values, expected, atol=1e-12)
    monkeypatch.setattr(correlations, "FEW_COLUMNS", 10)
    single = column_correlations(values).values
    assert 0 < np.abs(single - expected).max() < 2e-6


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows(n):
    found = column_correlations(np.ones((n, 3)))
    assert found.constant.all()
    assert not found.values.any()
