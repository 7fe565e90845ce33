"""Rectangles and thumbnails of an image, from a file in parts and from one that is decoded whole."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PillowImage

from pytest_stbench.data.altered_image import AlteredImage
from pytest_stbench.data.image import Image
from pytest_stbench.data.images import regions
from pytest_stbench.errors import DataError, ModelError

from .slides import tissue, write_pyramid

NONE = np.empty((0, 2))


@pytest.fixture(params=["parts", "whole"])
def given(request, tmp_path):
    if request.param == "whole":
        return Image(tissue(), mpp=0.25).input(NONE)
    return Image(write_pyramid(tmp_path / "a.tif", tissue(), levels=1), mpp=0.25).input(NONE)


def test_a_rectangle_is_cut_out_of_the_whole(given):
    whole = tissue()
    np.testing.assert_array_equal(given.region((30, 70, 200, 90)), whole[70:160, 30:230])
    outside = given.region((-10, 290, 50, 40), 0.25)
    np.testing.assert_array_equal(outside[:10, 10:], whole[290:, :40])
    assert (outside[10:] == 255).all()
    assert (outside[:, :10] == 255).all()
    assert (given.region((5000, 0, 8, 9)) == 255).all()


@pytest.mark.parametrize("mpp", [0.1, 0.4, 1.0, 3.3])
def test_at_another_resolution_it_is_cut_out_of_the_resampled(given, mpp):
    small = Image(tissue(), mpp=0.25).input(np.array([[200.0, 150.0]]))
    # A patch around x begins at floor(x - size / 2 + 0.5).
    left, top = (int(np.floor(at * 0.25 / mpp - 16 + 0.5)) for at in (200.0, 150.0))
    expected = small.patches(32, mpp)[0].astype(int)
    assert np.abs(given.region((left, top, 32, 32), mpp) - expected).max() <= 1


@pytest.mark.parametrize(
    ("most", "shape"), [(1000, (300, 420)), (420, (300, 420)), (100, (71, 100)), (1, (1, 1))]
)
def test_a_thumbnail_is_the_whole_image_made_small(given, most, shape):
    found = given.thumbnail(most)
    assert found.shape == (*shape, 3)
    assert not found.flags.writeable
    filtered = PillowImage.fromarray(tissue()).resize(shape[::-1], PillowImage.Resampling.BILINEAR)
    assert np.abs(found.astype(int) - np.asarray(filtered)).mean() < 2


def test_levels_of_a_pyramid_make_thumbnails(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", tissue(600, 800), levels=4)
    found = Image(path, mpp=0.25).input(NONE).thumbnail(90).astype(int)
    whole = Image(tissue(600, 800), mpp=0.25).input(NONE).thumbnail(90)
    assert found.shape == whole.shape
    assert np.abs(found - whole).mean() < 2


def test_alterations_reach_rectangles_and_thumbnails(given):
    darker = AlteredImage(given, pixels=lambda block: block // 2)
    np.testing.assert_array_equal(darker.region((3, 4, 50, 60)), given.region((3, 4, 50, 60)) // 2)
    np.testing.assert_array_equal(darker.thumbnail(64), given.thumbnail(64) // 2)
    assert not darker.thumbnail(64).flags.writeable
    np.testing.assert_array_equal(AlteredImage(given).region((3, 4, 5, 6)), given.region((3, 4, 5, 6)))


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, -1), (0.5, 0, 5, 5), (0, 0, 5)])
def test_boxes_that_are_none_are_refused(given, box):
    with pytest.raises(ModelError, match="the box is first column, first row, width and height"):
        given.region(box)
    for mpp in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ModelError, match="mpp="):
            given.region((0, 0, 5, 5), mpp)
    for size in (0, 2.5):
        with pytest.raises(ModelError, match=r"thumbnail\(max_size="):
            given.thumbnail(size)


def test_what_is_too_large_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(regions, "MOST_WHOLE", 100_000)
    PillowImage.fromarray(tissue()).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", write_pyramid(tmp_path / "a.tif", tissue())):
        given = Image(path, mpp=0.25).input(NONE)
        with pytest.raises(DataError, match=r"420 x 300 pixels are .* a `region`, a `thumbnail\(max_size\)`"):
            _ = given.array
        with pytest.raises(DataError, match="900 x 900 pixels are"):
            given.region((0, 0, 900, 900))
        assert given.thumbnail(60).shape == (42, 60, 3)
        assert given.region((0, 0, 20, 30)).shape == (30, 20, 3)
    held = Image(tissue(), mpp=0.25).input(NONE)
    assert held.array.shape == (300, 420, 3), "it lies in memory"


def test_a_whole_image_is_made_strip_by_strip(tmp_path, monkeypatch):
    path = write_pyramid(tmp_path / "a.tif", tissue(), levels=1)
    expected = Image(path, mpp=0.25).input(NONE).thumbnail(50)
    asked = []
    real = regions.Regions.fill
    monkeypatch.setattr(regions, "STRIP_BYTES", 3 * 420 * 20)
    monkeypatch.setattr(
        regions.Regions, "fill", lambda self, out, *at: asked.append(len(out)) or real(self, out, *at)
    )
    np.testing.assert_array_equal(Image(path, mpp=0.25).input(NONE).thumbnail(50), expected)
    assert max(asked) == 2, "of 8.4 rows of the file each"
