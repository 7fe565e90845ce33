"""What an image fit is made of, beside scipy, sklearn and skimage."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from skimage.color import hed_from_rgb
from sklearn.decomposition import PCA

from pytest_stbench.checks import image_fit
from pytest_stbench.data.image import Image


def test_haematoxylin_is_the_stain_of_skimage():
    found, expected = image_fit.HAEMATOXYLIN, hed_from_rgb[:, 0]
    assert found / np.linalg.norm(found) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-3)


@pytest.mark.parametrize(
    ("extent", "expected"),
    [
        ((8000.0, 3000.0), (200.0, 1000.0)),
        ((1000.0, 100.0), (125.0, 500.0)),
        ((100.0, 1000.0), (125.0, 500.0)),
    ],
)
def test_shifts_are_at_most_half_of_the_longer_side(extent, expected):
    places = np.array([[0.0, 0.0], extent])
    assert image_fit._lengths(places) == expected


def test_standardised_columns_have_unit_spread():
    x = np.column_stack([np.arange(10.0), np.arange(10.0) * 1e4, np.full(10, 3.0)])
    found = image_fit._standard(x)
    assert found[:, :2].std(axis=0) == pytest.approx(1.0)
    assert not found[:, 2].any()


def test_expression_is_log_counts_and_the_shares_of_the_highest_genes(make_slide):
    counts = np.random.default_rng(2).poisson(np.linspace(0.1, 20, 60), (40, 60))
    slide = make_slide("S", counts=counts)
    rows = np.arange(5, 35)
    scores, amount = image_fit._expression(slide, rows)
    total = counts[rows].sum(axis=1)
    assert amount.tolist() == total.tolist()
    highest = np.sort(np.argsort(-counts[rows].sum(axis=0), kind="stable")[:50])
    values = np.column_stack([np.log1p(total), np.log1p(1e4 * counts[rows][:, highest] / total[:, None])])
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    expected = PCA(10, svd_solver="full").fit_transform(values)
    assert np.abs(scores) == pytest.approx(np.abs(expected), abs=1e-8)


def test_masked_pixels_have_no_density_and_white_ones_none():
    pixels = np.array([[[0, 0, 0], [14, 14, 14], [14, 200, 14], [255, 255, 255]]], np.uint8)
    red, green, blue = image_fit._densities(pixels)
    assert red[0].tolist() == pytest.approx([0.0, 0.0, -np.log10(14 / 255), 0.0])
    assert green[0].tolist() == pytest.approx([0.0, 0.0, -np.log10(200 / 255), 0.0])
    assert blue[0, 2] == red[0, 2]


def test_of_a_large_slide_units_on_the_image_are_drawn_in_any_order(make_slide, monkeypatch):
    monkeypatch.setattr(image_fit, "MAX_UNITS", 60)
    slide = make_slide("S", side=20)
    inside = slide.xy_um[:, 0] > 1900
    looked_at = []
    measure = image_fit._expression
    monkeypatch.setattr(
        image_fit,
        "_expression",
        lambda slide, rows: looked_at.append(slide.unit_names[rows].tolist()) or measure(slide, rows),
    )
    pixels = np.random.default_rng(3).integers(60, 220, (500, 500, 3), dtype=np.uint8)
    for order in (np.arange(400), np.random.default_rng(4).permutation(400)):
        units = slide.select(order)
        image_fit._rank(units, pixels, units.xy_um / 8, inside[order], 8.0)
    assert len(looked_at[0]) == 60
    assert set(looked_at[0]) <= set(slide.unit_names[inside].tolist())
    assert looked_at[0] == looked_at[1]


def test_memory_is_that_of_a_few_copies_of_the_image(make_slide, spoil):
    slide = make_slide("S", side=20)
    side = 1200
    pixels = np.random.default_rng(5).integers(60, 220, (side, side, 3), dtype=np.uint8)
    slide = spoil(slide, image=Image.from_array(pixels, mpp=8.0), xy_px=slide.xy_um / 8)
    assert slide.image.input(slide.xy_px).array.shape == pixels.shape
    tracemalloc.start()
    found = image_fit.image_fit(slide, slide.xy_px, 0.8)
    taken = tracemalloc.get_traced_memory()[1] / side**2
    tracemalloc.stop()
    assert found.rank is not None
    assert taken < 40, "bytes a pixel: a slide of 150,000 pixels a side has 22 million of 8 um"
