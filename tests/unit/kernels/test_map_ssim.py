from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from pytest_stbench.kernels import blocks, map_ssim
from pytest_stbench.kernels.map_ssim import canvas_of, map_similarity

pytestmark = pytest.mark.filterwarnings("error")


def pixels_of(tissue):
    return np.argwhere(tissue)


def ragged(rows=15, columns=12, seed=0):
    tissue = np.random.default_rng(seed).random((rows, columns)) < 0.75
    tissue[5:9, 3:6] = False
    tissue[0, 0] = tissue[-1, -1] = True
    return tissue


def brute_force(truth, prediction, tissue):
    """Similarity of one gene on a map, pixel by pixel."""
    rows, columns = tissue.shape
    low, high = np.percentile(truth[tissue], (1, 99))
    x, y = (np.clip((arm - low) / (high - low), 0, 1) for arm in (truth, prediction))
    steps = np.arange(-5, 6)
    kernel = np.exp(-(steps[:, None] ** 2 + steps**2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    values = []
    for r, c in np.argwhere(tissue):
        weights, xs, ys = [], [], []
        for dr in steps:
            for dc in steps:
                i, j = r + dr, c + dc
                if 0 <= i < rows and 0 <= j < columns and tissue[i, j]:
                    weights.append(kernel[dr + 5, dc + 5])
                    xs.append(x[i, j])
                    ys.append(y[i, j])
        w, xs, ys = np.array(weights), np.array(xs), np.array(ys)
        if w.sum() < 0.5:
            continue
        w /= w.sum()
        mx, my = w @ xs, w @ ys
        vx, vy, cov = w @ (xs - mx) ** 2, w @ (ys - my) ** 2, w @ ((xs - mx) * (ys - my))
        top = (2 * mx * my + 1e-4) * (2 * cov + 9e-4)
        values.append(top / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))
    return np.mean(values)


def test_ragged_tissue_agrees_with_a_pixel_by_pixel_computation(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    tissue = ragged()
    canvas = canvas_of(pixels_of(tissue))
    assert 0 < canvas.judged.sum() < tissue.sum()
    truth, prediction = np.random.default_rng(1).gamma(1.0, size=(2, *tissue.shape, 3))
    prediction += truth
    found = map_similarity(truth[tissue], prediction[tissue], canvas)
    expected = [brute_force(truth[..., j], prediction[..., j], tissue) for j in range(3)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_windows_inside_the_tissue_agree_with_skimage():
    rng = np.random.default_rng(2)
    truth = rng.gamma(1.0, size=(30, 25))
    prediction = 0.5 * truth + rng.gamma(1.0, size=truth.shape)
    inside = np.zeros(truth.shape, bool)
    inside[5:-5, 5:-5] = True
    canvas = replace(canvas_of(pixels_of(truth > -1)), judged=inside.ravel())
    low, high = np.percentile(truth, (1, 99))
    scaled = [np.clip((arm - low) / (high - low), 0, 1) for arm in (truth, prediction)]
    expected = structural_similarity(
        *scaled, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    found = map_similarity(truth.reshape(-1, 1), prediction.reshape(-1, 1), canvas)
    assert found == pytest.approx([expected], abs=1e-12)


def test_units_of_one_pixel_are_averaged():
    tissue = np.ones((9, 9), bool)
    pixels = pixels_of(tissue)
    rng = np.random.default_rng(3)
    truth, prediction = rng.gamma(1.0, size=(2, 81, 4))
    # Every third pixel has two units on either side of its value.
    twice = np.arange(81) % 3 == 0
    delta = rng.normal(size=(2, 81, 4)) * twice[:, None]
    doubled = [
        np.vstack([arm + shift, (arm - shift)[twice]])
        for arm, shift in zip((truth, prediction), delta, strict=True)
    ]
    found = map_similarity(*doubled, canvas_of(np.vstack([pixels, pixels[twice]])))
    assert found == pytest.approx(map_similarity(truth, prediction, canvas_of(pixels)), abs=1e-12)


def test_the_order_of_units_does_not_matter():
    tissue = ragged(seed=4)
    pixels = pixels_of(tissue)
    truth, prediction = np.random.default_rng(5).gamma(1.0, size=(2, len(pixels), 3))
    order = np.random.default_rng(6).permutation(len(pixels))
    expected = map_similarity(truth, prediction, canvas_of(pixels))
    found = map_similarity(truth[order], prediction[order], canvas_of(pixels[order]))
    assert found == pytest.approx(expected, abs=1e-12)


def test_outside_of_the_tissue_nothing_counts():
    """A margin without tissue changes nothing."""
    pixels = pixels_of(ragged(seed=7))
    truth, prediction = np.random.default_rng(8).gamma(1.0, size=(2, len(pixels), 3))
    expected = map_similarity(truth, prediction, canvas_of(pixels))
    assert map_similarity(truth, prediction, canvas_of(pixels + 9)) == pytest.approx(expected, abs=1e-12)


def test_small_and_scattered_maps():
    assert canvas_of(np.zeros((0, 2), int)).too_small
    assert canvas_of(pixels_of(np.ones((6, 40), bool))).too_small
    assert not canvas_of(pixels_of(np.ones((7, 7), bool))).too_small
    lonely = np.zeros((61, 61), bool)
    lonely[::12, ::12] = True
    assert canvas_of(pixels_of(lonely)).too_small


def test_half_of_the_window_is_enough():
    """The edge of a half plane has more than half of its weight inside, one pixel out less."""
    tissue = np.zeros((25, 25), bool)
    tissue[12:] = True
    tissue[6, 12] = True
    canvas = canvas_of(pixels_of(tissue))
    judged = np.zeros(tissue.shape, bool)
    judged[tissue] = canvas.judged
    assert judged[12, 12]
    assert not judged[6, 12]
    # At the corner only a third of the window is tissue.
    assert not judged[12, 0]
    assert map_ssim.MIN_WEIGHT == 0.5
