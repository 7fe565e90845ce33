"""The mask of tissue, held against shapes whose place is known."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.kernels.tissue import tissue_mask

PINK, GLASS = (215, 150, 190), (241, 240, 242)


def slide(glass=GLASS, tissue=PINK, noise=3.0):
    """A disc of tissue of 800 um beside a speck of dust, with a hole and a gap, 8 um a pixel."""
    y, x = np.mgrid[:200, :260]
    disc = np.hypot(x - 120, y - 100) < 50
    disc &= ~(np.hypot(x - 120, y - 100) < 4)
    disc &= ~((abs(x - 140) < 12) & (abs(y - 90) < 12))
    shown = disc | (np.hypot(x - 220, y - 30) < 4)
    pixels = np.where(shown[..., None], tissue, glass) + np.random.default_rng(0).normal(
        0, noise, (200, 260, 3)
    )
    return pixels.clip(0, 255).astype(np.uint8), disc


@pytest.mark.parametrize("glass", [GLASS, (195, 195, 195), (250, 246, 250), (0, 0, 0), (205, 200, 208)])
def test_tissue_is_what_is_coloured_whatever_the_glass(glass):
    pixels, disc = slide(glass)
    found = tissue_mask(pixels, 8.0)
    filled = disc.copy()
    filled[96:105, 116:125] = True  # a hole of 8 pixels, smaller than a spot
    assert (found == filled).mean() > 0.985
    assert not found[20:40, 210:230].any(), "dust"
    assert found[100, 120]
    assert not found[90, 140], "a gap of 200 um"


def test_scale_is_in_micrometres():
    pixels, _ = slide()
    fine = tissue_mask(np.repeat(np.repeat(pixels, 2, axis=0), 2, axis=1), 4.0)
    assert (fine[::2, ::2] == tissue_mask(pixels, 8.0)).mean() > 0.99


def test_images_of_one_kind():
    noise = np.random.default_rng(1).normal(0, 4, (120, 120, 3))
    assert tissue_mask((np.array(PINK) + noise).astype(np.uint8), 8.0).all()
    assert not tissue_mask((np.array((230, 230, 230)) + noise[..., :1]).astype(np.uint8), 8.0).any()
    assert not tissue_mask(np.zeros((30, 30, 3), np.uint8), 8.0).any()
    assert tissue_mask(np.zeros((0, 5, 3), np.uint8), 8.0).shape == (0, 5)
    assert tissue_mask(np.full((1, 1, 3), PINK, np.uint8), 500.0).all()
