"""Sketches tell copies from other predictions, whatever is small, constant or rare in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.kernels.sketch import alike, sketch

SHAPE = (400, 30)


@pytest.fixture(scope="module")
def simple():
    rng = np.random.default_rng(0)
    return (1.5 + 0.3 * rng.standard_normal(SHAPE)).astype(np.float32)


def same(model, baseline):
    return alike(sketch(model), sketch(baseline))


@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-6, 1e-5])
def test_a_copy_with_noise_is_the_baseline(simple, noise):
    rng = np.random.default_rng(1)
    assert same((simple + noise * rng.standard_normal(SHAPE)).astype(np.float32), simple)
    assert same(simple + np.float32(noise), simple)
    assert same(simple.astype(np.float64) * (1 + noise), simple)


@pytest.mark.parametrize("noise", [1e-3, 1e-2, 0.3])
def test_another_prediction_is_not(simple, noise):
    rng = np.random.default_rng(1)
    assert not same((simple + noise * rng.standard_normal(SHAPE)).astype(np.float32), simple)


def test_one_gene_or_one_unit_that_differs_is_seen(simple):
    for place in ((slice(None), 3), (7, slice(None)), (7, 3)):
        changed = simple.copy()
        changed[place] += 0.2
        assert not same(changed, simple)


def test_a_tiny_signal_on_a_constant_is_no_copy_of_the_constant():
    mean = np.tile(np.linspace(0.5, 2.0, 30, dtype=np.float32), (400, 1))
    signal = np.random.default_rng(2).standard_normal(SHAPE).astype(np.float32)
    assert not same(mean + 1e-3 * signal, mean)
    assert same(mean * np.float32(1 + 2e-7), mean), "a rounding of float32 is no signal"


def test_the_same_values_elsewhere_are_no_copy(simple):
    assert not same(simple[::-1], simple)
    assert not same(simple[:, ::-1], simple)
    assert not same(simple[:-1], simple)
    assert not same(simple + 5, simple)
    assert not same(-simple, simple)


def test_long_arrays_go_block_by_block():
    rng = np.random.default_rng(3)
    long = rng.standard_normal((1_200_000, 2)).astype(np.float32)
    changed = long.copy()
    changed[-5:] += 3.0
    assert same(long.copy(), long)
    assert not same(changed, long)


def test_masks_labels_and_nothing():
    mask = np.arange(64 * 64).reshape(64, 64) // 50
    assert same(mask.copy(), mask)
    assert not same(np.where(mask == 3, 0, mask), mask)
    assert same(np.zeros((0, 5)), np.zeros((0, 5)))
    assert same(np.ones(7), np.ones(7))
    assert same(np.zeros((6, 4), np.float32), np.zeros((6, 4), np.float32))


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=30)
def test_what_is_a_copy_does_not_depend_on_the_scale(scale, seed):
    rng = np.random.default_rng(seed)
    baseline, noise = rng.standard_normal((50, 8)), rng.standard_normal((50, 8))
    assert same(scale * (baseline + 2e-5 * noise), scale * baseline)
    assert not same(scale * (baseline + 1e-3 * noise), scale * baseline)


def test_the_distance_is_estimated_without_bias():
    rng = np.random.default_rng(4)
    ratios = []
    for _ in range(200):
        x = rng.standard_normal((100, 5)) * rng.gamma(0.3, size=(1, 5))
        ratios.append((sketch(x).projection ** 2).sum() / 8 / (x**2).sum())
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.05)
    assert min(ratios) > 0.3
