"""Deflated images in one strip, read from marks; large images that nothing reads in parts."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from pytest_stbench.data.image import Image
from pytest_stbench.data.images import long_strip, looking, tiff_pages
from pytest_stbench.data.images.tile_cache import TILES
from pytest_stbench.errors import DataError

from .slides import patch_bytes, set_value, tag_values, tissue

ROWS = 7


@pytest.fixture(autouse=True)
def _small_bounds(monkeypatch):
    """What is small here is large: images in one strip are read in parts of a few rows."""
    TILES.forget()
    monkeypatch.setattr(tiff_pages, "MOST_TILE_BYTES", 1 << 16)
    monkeypatch.setattr(looking, "WHOLE_BYTES", 1 << 16)
    monkeypatch.setattr(long_strip, "PART_BYTES", ROWS * 420 * 3)
    monkeypatch.setattr(long_strip, "CHUNK", 1000)


def written(path, pixels, **options):
    tifffile.imwrite(
        path, pixels, compression=options.pop("compression", "zlib"), rowsperstrip=len(pixels), metadata=None,
        photometric="rgb" if pixels.ndim == 3 else "minisblack", **options,
    )  # fmt: skip
    assert len(tag_values(path, 273)[1]) == 1
    return path


@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_parts_are_those_of_the_whole_in_any_order(tmp_path, predictor, channels):
    pixels = tissue() if channels == 3 else tissue()[..., 0]
    image = Image(written(tmp_path / "a.tif", pixels, predictor=predictor), mpp=0.5)
    (level,) = image.pyramid.levels
    assert level.tile == (420, ROWS * 3 // channels)
    expected = pixels if channels == 3 else np.repeat(pixels[..., None], 3, axis=2)
    rows = -(-300 // level.tile[1])
    for order in (np.random.default_rng(0).permutation(rows), np.arange(rows)):
        with image.pyramid.reading() as read:
            for row in order.tolist():
                top = row * level.tile[1]
                found = read(0, row, 0)
                np.testing.assert_array_equal(found, expected[top : top + level.tile[1], :, :channels])
    np.testing.assert_array_equal(image.pixels(), expected)


def test_each_byte_is_inflated_once_in_order(tmp_path, monkeypatch):
    image = Image(written(tmp_path / "a.tif", tissue()), mpp=0.5)
    made = []
    real = long_strip.LongStrip._inflated
    monkeypatch.setattr(
        long_strip.LongStrip,
        "_inflated",
        lambda self, read, number: made.append(number) or real(self, read, number),
    )
    image.pixels()
    assert made == list(range(-(-300 // ROWS)))


def test_threads_see_the_same(tmp_path):
    image = Image(written(tmp_path / "a.tif", tissue()), mpp=0.5)
    given = image.input(np.array([[200.0, 150.0], [60.0, 290.0], [400.0, 10.0]]))
    expected = Image.from_array(tissue(), mpp=0.5).input(given.xy_px).patches(64, 0.5)
    found = [None] * 6

    def look(number):
        found[number] = given.patches(64, 0.5)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for patches in found:
        np.testing.assert_array_equal(patches, expected)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_damage_is_told_where_the_sum_at_the_end_tells_it(tmp_path, share):
    path = written(tmp_path / "a.tif", tissue())
    (offset,), (count,) = tag_values(path, 273)[1], tag_values(path, 279)[1]
    patch_bytes(path, offset + int(share * count), b"\xff" * 64)
    with pytest.raises(DataError, match=r"a\.tif: level 0, tile in row \d+ and column 0 is damaged"):
        Image(path, mpp=0.5).pixels()


def test_a_strip_that_ends_early_is_damaged(tmp_path):
    path = written(tmp_path / "a.tif", tissue())
    (count,) = tag_values(path, 279)[1]
    set_value(path, 279, count // 2)
    with pytest.raises(DataError, match=r"is damaged: it ends after [\d,]+ of 8,820 bytes"):
        Image(path, mpp=0.5).pixels()


def test_a_header_of_more_than_the_strip_can_hold_is_refused(tmp_path):
    path = written(tmp_path / "a.tif", tissue())
    for code in (257, 278):
        set_value(path, code, 60_000_000 // 420)
    set_value(path, 279, 5000)
    with pytest.raises(DataError, match=r"5,000 bytes cannot hold an image of 420 x 142857 pixels"):
        Image(path, mpp=0.5).check()


def test_other_codecs_in_one_strip_are_refused_with_advice(tmp_path):
    pytest.importorskip("imagecodecs")
    path = written(tmp_path / "a.tif", tissue(), compression="lzw")
    with pytest.raises(DataError, match=r"parts of 420 x 300 pixels, too large .*vips tiffsave --tile"):
        Image(path, mpp=0.5).check()
    np.testing.assert_array_equal(Image(path, mpp=0.5, reader="pillow").pixels(), tissue())


@pytest.mark.parametrize(
    "options", [{"format": "PNG"}, {"format": "JPEG"}, {"format": "JPEG", "progressive": True}]
)
def test_what_is_no_tiff_is_refused_where_it_is_very_large(tmp_path, monkeypatch, options):
    path = tmp_path / "a.img"
    PillowImage.fromarray(tissue()).save(path, **options)
    assert Image(path, mpp=0.5).pyramid is None
    monkeypatch.setattr(looking, "MOST_WHOLE", 1 << 16)
    with pytest.raises(DataError, match=r"420 x 300 pixels is stored in one piece; .*`reader: pillow`"):
        Image(path, mpp=0.5).check()
    assert Image(path, mpp=0.5, reader="pillow").pixels().shape == (300, 420, 3)
