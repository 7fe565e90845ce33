from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from skimage.metrics import structural_similarity

from pytest_stbench.kernels.ssim import mean_ssim

BLOCKS = np.kron(np.eye(2), np.full((6, 6), 0.8))
OPEN = BLOCKS - np.diag(np.diagonal(BLOCKS))


def of(first, second, offset=1.0):
    return mean_ssim(first, second, data_range=2.0, offset=offset)


@pytest.mark.parametrize(
    ("matrix", "values"),
    [(OPEN, (0.022733, -0.791573, 0.797094)), (BLOCKS, (0.021746, -0.701338, 0.794120))],
    ids=["zero diagonal", "diagonal of 0.8"],
)
def test_golden(matrix, values):
    assert of(matrix, matrix) == pytest.approx(1.0, abs=1e-14)
    found = [of(matrix, other) for other in (0 * matrix, -matrix, 0.5 * matrix)]
    assert found == pytest.approx(values, abs=1e-6)


def test_without_the_offset_a_matrix_and_its_negative_are_alike():
    assert of(OPEN, -OPEN, offset=0.0) == pytest.approx(0.97, abs=0.005)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 40), m=st.integers(3, 40))
def test_skimage_agrees(seed, n, m):
    rng = np.random.default_rng(seed)
    first = rng.uniform(-1, 1, (n, m))
    second = rng.uniform(-1, 1) * first + 0.3 * rng.uniform(-1, 1, (n, m))
    found = mean_ssim(first, second, data_range=2.0, offset=0.7)
    if min(n, m) < 7:
        assert np.isnan(found)
        return
    expected = structural_similarity(first + 0.7, second + 0.7, win_size=7, data_range=2.0)
    assert found == pytest.approx(expected, abs=1e-10)
    assert mean_ssim(second.T, first.T, data_range=2.0, offset=0.7) == pytest.approx(found)


def test_long_matrices_do_not_drift():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(-1, 1, (2, 3000, 8))
    expected = structural_similarity(first + 1, second + 1, win_size=7, data_range=2.0)
    assert of(first, second) == pytest.approx(expected, abs=1e-13)
    single = of(first.astype(np.float32), second.astype(np.float32))
    assert single == pytest.approx(expected, abs=1e-6)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"shapes \(8, 8\) and \(8, 9\)"):
        of(np.zeros((8, 8)), np.zeros((8, 9)))
