from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label

from pytest_stbench.adapters import Segmenter
from pytest_stbench.data.region import Region
from pytest_stbench.errors import ModelError


@pytest.fixture
def region():
    image = np.full((40, 60, 3), 250, dtype=np.uint8)
    image[4:16, 8:20] = image[24:36, 40:52] = 40
    return Region(origin_um=(0.0, 0.0), mpp=0.5, kind="nucleus", image=image)


def dark(image):
    return label(image.mean(axis=2) < 128)


def test_labels_come_back_whatever_their_type(region):
    expected = dark(region.image)
    for change in (
        lambda x: x,
        lambda x: x.astype(np.float32),
        lambda x: x[None],
        lambda x: x[..., None].astype(np.uint16),
    ):
        found = Segmenter(lambda image, change=change: change(dark(image))).segment(None, region)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mpp", [0.25, 1.0])
def test_a_method_is_asked_at_its_resolution(region, mpp):
    shapes = []

    def look(image):
        shapes.append(image.shape)
        return dark(image)

    found = Segmenter(look, mpp=mpp).segment(None, region)
    assert shapes == [(round(20 / mpp), round(30 / mpp), 3)]
    assert set(np.unique(found)) == {0, 1, 2}
    assert (found != dark(region.image)).sum() <= 2  # corners, which interpolation rounds


def test_the_image_of_the_tile_stays_as_it_is(region):
    before = region.image.copy()
    Segmenter(lambda image: image.__setitem__(slice(None), 0) or np.zeros(image.shape[:2], int)).segment(
        None, region
    )
    np.testing.assert_array_equal(region.image, before)


@pytest.mark.parametrize("wrong", [lambda x: x > 0, lambda x: x / 2, lambda x: x[::2], lambda x: x * np.nan])
def test_what_is_no_labels_says_so(region, wrong):
    with pytest.raises(
        ModelError, match="expected whole numbers: make labels of masks and probabilities first"
    ):
        Segmenter(lambda image: wrong(dark(image))).segment(None, region)
