from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.data.simulate.known_truth import latent
from pytest_stbench.data.simulate.render import MPP, REACH_UM
from pytest_stbench.data.simulate.source import open_source
from pytest_stbench.data.simulate.tissue import draw_tissue


def discs(pixels, xy_um):
    """Pixels of the circle in which a unit's nuclei lie: red channel, and whether right of centre."""
    reach = REACH_UM / MPP
    for unit_x, unit_y in xy_um / MPP - 0.5:
        top, left = max(0, int(unit_y - reach)), max(0, int(unit_x - reach))
        square = pixels[top : int(unit_y + reach) + 2, left : int(unit_x + reach) + 2]
        y, x = np.indices(square.shape[:2]) + np.array([top, left])[:, None, None]
        within = (x - unit_x) ** 2 + (y - unit_y) ** 2 <= reach**2
        yield square[within], x[within] > unit_x


def test_image_is_small_rgb_on_white(simulated_config, raw_pixels):
    pixels = raw_pixels(simulated_config(), "P01S1")
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert max(pixels.shape[:2]) < 1200
    assert (pixels[0, 0] > 230).all()
    assert (pixels[0, 0] == pixels[-1, -1]).all()


def test_units_lie_on_tissue(simulated_config, raw_pixels):
    config = simulated_config()
    pixels = raw_pixels(config, "P02S1")
    xy = draw_tissue(0, "P02S1", 180).lattice.xy_um
    background = [(disc.min(axis=1) > 225).mean() for disc, _ in discs(pixels, xy)]
    assert np.mean(np.array(background) > 0.8) < 0.1


@pytest.mark.parametrize("slide", ["P01S1", "P02S1"])
def test_image_shows_the_truth(simulated_config, raw_pixels, slide):
    config = simulated_config()
    truth = latent(config, slide)
    pixels = raw_pixels(config, slide)
    found = []
    for disc, right in discs(pixels, draw_tissue(0, slide, 180).lattice.xy_um):
        dark, white = disc[:, 0] < 160, disc.min(axis=1) > 225
        stained = ~dark & ~white
        eosin = 255.0 - disc[stained, 1].mean() if stained.any() else 0.0
        found.append((dark.mean(), (dark & right).sum() / (dark.sum() + 1.0), white.mean(), eosin))
    dark, right, white, eosin = np.array(found).T
    assert np.corrcoef(dark, truth["cellularity"])[0, 1] > 0.8
    assert np.corrcoef(right, truth["polarity"])[0, 1] > 0.85
    assert np.corrcoef(white, truth["niches"][:, 3])[0, 1] > 0.8
    assert np.corrcoef(eosin, truth["niches"][:, 1])[0, 1] > 0.6


def test_image_is_left_out_when_asked(simulated_config):
    assert open_source(simulated_config(image=False, units=30), (), ()).read("P01S1").image is None


def test_models_get_the_same_picture_as_patches(simulated_config, raw_pixels):
    config = simulated_config()
    slide = open_source(config, (), ()).read("P02S1")
    np.testing.assert_array_equal(slide.image.pixels(), raw_pixels(config, "P02S1"))
    patches = slide.image.input(slide.xy_px).patches(size=56, mpp=2.0)
    dark = patches[..., 0] < 160
    right = dark[:, :, 28:].sum(axis=(1, 2)) / dark.sum(axis=(1, 2)).clip(1)
    assert np.corrcoef(right, latent(config, "P02S1")["polarity"])[0, 1] > 0.75
