from __future__ import annotations

import numpy as np
import pytest
from skimage.color import hed2rgb, rgb2hed

from pytest_stbench.kernels.stain import STAINS, scale_stains

pytestmark = pytest.mark.filterwarnings("error")


def density(pixels):
    return -np.log10(np.maximum(pixels, 1) / 255.0)


def test_a_factor_of_one_changes_nothing():
    pixels = np.random.default_rng(0).integers(1, 256, (7, 9, 3), dtype=np.uint8)
    np.testing.assert_array_equal(scale_stains(pixels, factor=1.0), pixels)


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize("stain", [0, 1])
def test_a_pure_stain_becomes_so_much_denser(stain, factor):
    pixel = np.rint(255 * 10 ** (-0.4 * STAINS[stain])).astype(np.uint8)
    found = scale_stains(pixel[None], factor=factor)[0]
    np.testing.assert_allclose(found, 255 * 10 ** (-0.4 * factor * STAINS[stain]), atol=2)


def test_what_the_stains_do_not_explain_stays():
    pixel = np.rint(255 * 10 ** (-0.4 * STAINS[2])).astype(np.uint8)
    np.testing.assert_allclose(scale_stains(pixel[None], factor=1.2)[0], pixel, atol=2)


def test_it_is_what_another_package_gives():
    """Scikit-image has the same stains; its logarithm is another, which the factor does not see."""
    pixels = np.random.default_rng(0).integers(60, 256, (20, 20, 3), dtype=np.uint8)
    stains = rgb2hed(pixels)
    # That package sets negative densities to 0: only pixels without any can be compared.
    inside = (density(pixels.reshape(-1, 3).astype(float)) @ np.linalg.inv(STAINS) > 0.001).all(axis=1)
    stains[..., :2] *= 1.1
    expected = np.rint(255 * hed2rgb(stains)).reshape(-1, 3)[inside]
    found = scale_stains(pixels, factor=1.1).reshape(-1, 3)[inside]
    assert inside.sum() > 20
    np.testing.assert_allclose(found, expected, atol=1)


def test_white_stays_white_and_values_stay_in_range():
    white = np.full((2, 3, 4, 3), 255, np.uint8)
    np.testing.assert_array_equal(scale_stains(white, factor=1.2), white)
    black = np.zeros((1, 3), np.uint8)
    assert scale_stains(black, factor=1.2).max() <= 1
    assert scale_stains(np.zeros((0, 3), np.uint8), factor=1.2).shape == (0, 3)
