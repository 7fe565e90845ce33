from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.kernels.map_ssim import canvas_of, map_similarity
from pytest_stbench.metrics import map_ssim

pytestmark = pytest.mark.filterwarnings("error")

PIXELS = np.argwhere(np.ones((10, 11), bool))


def pair(n=110, g=4, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.gamma(1.0, size=(n, g))
    return truth, 0.5 * truth + rng.gamma(0.5, size=(n, g))


def test_a_perfect_map_has_one_and_a_mirrored_one_less():
    x = np.tile(np.linspace(0, 1, 11), 10)[:, None]
    assert map_ssim(x, x, pixels=PIXELS).values == pytest.approx([1.0])
    assert map_ssim(x, 1 - x, pixels=PIXELS).values[0] < 0.2
    assert map_ssim(x, np.full_like(x, 0.5), pixels=PIXELS).values[0] < 0.6


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-100, 100))
def test_one_scale_for_both_arms(seed, scale, shift):
    truth, prediction = pair(seed=seed)
    expected = map_ssim(truth, prediction, pixels=PIXELS).values
    found = map_ssim(scale * truth + shift, scale * prediction + shift, pixels=PIXELS).values
    np.testing.assert_allclose(found, expected, atol=1e-7)
    assert (np.abs(expected) <= 1).all()
    # The scale is that of the truth: a prediction on another one is not forgiven.
    assert (map_ssim(truth, 10 * prediction + 5, pixels=PIXELS).values < expected).all()


def test_extremes_of_the_truth_beyond_the_percentiles_do_not_set_the_scale():
    truth, prediction = pair(n=1100, g=1)
    pixels = np.argwhere(np.ones((33, 34), bool))[:1100]
    top = np.argsort(truth[:, 0])[-5:]
    wilder = truth.copy()
    wilder[top] += 1e6
    expected = map_ssim(truth, prediction, pixels=pixels).values
    assert map_ssim(wilder, prediction, pixels=pixels).values == pytest.approx(expected, abs=1e-9)


def test_undefined_truth():
    truth, prediction = pair(g=7)
    truth[:, 0] = 3.0
    truth[:, 1] = 0.0
    truth[50, 1] = 2.0  # more than 99% zeros
    truth[:60, 2] = np.nan
    measured = np.arange(7) != 3
    truth[:, 3] = np.nan
    found = map_ssim(truth, prediction, pixels=PIXELS, measured=measured)
    assert found.reasons.tolist() == ["gt_constant", "gt_constant", "gt_nan", "gene_missing", "", "", ""]


def test_constant_predictions_are_scored():
    truth, prediction = pair()
    prediction[:, 0] = 0.0
    prediction[:, 1] = truth[:, 1].mean()
    found = map_ssim(truth, prediction, pixels=PIXELS)
    assert set(found.reasons) == {""}


def test_missing_truth_is_a_hole_in_both_maps():
    truth, prediction = pair(seed=3)
    rows = np.random.default_rng(4).random(110) < 0.8
    truth[~rows, 1:3] = np.nan
    found = map_ssim(truth, prediction, pixels=PIXELS)
    canvas = canvas_of(PIXELS[rows])
    expected = map_similarity(truth[rows][:, 1:3], prediction[rows][:, 1:3], canvas)
    assert found.values[1:3] == pytest.approx(expected, abs=1e-12)
    whole = map_similarity(truth[:, [0, 3]], prediction[:, [0, 3]], canvas_of(PIXELS))
    assert found.values[[0, 3]] == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("side", [1, 6])
def test_narrow_slides(side):
    pixels = np.argwhere(np.ones((side, 30), bool))
    truth, prediction = pair(n=len(pixels), g=2)
    assert map_ssim(truth, prediction, pixels=pixels).reasons.tolist() == ["too_few_units"] * 2


def test_nothing_to_score():
    empty = np.zeros((0, 2))
    assert map_ssim(empty, empty, pixels=np.zeros((0, 2), int)).reasons.tolist() == ["too_few_units"] * 2
    assert len(map_ssim(np.zeros((110, 0)), np.zeros((110, 0)), pixels=PIXELS).values) == 0


@pytest.mark.parametrize("pixels", [PIXELS[:5], PIXELS - 1, PIXELS * 1.0])
def test_wrong_pixels(pixels):
    with pytest.raises(ValueError, match="row and column, whole numbers from 0, of each of the 110 units"):
        map_ssim(*pair(), pixels=pixels)
