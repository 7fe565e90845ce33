from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.data.image import Image
from pytest_stbench.data.images import patches as ordering
from pytest_stbench.data.images.patches import tile_order
from pytest_stbench.data.images.tiff import TiffPyramid
from pytest_stbench.data.images.tile_cache import TILES, TileCache
from pytest_stbench.errors import DataError, ModelError

from .slides import DEFLATE, JPEG, tissue, write_pyramid

PLACES = np.array(
    [
        [300.0, 200.0],
        [10.5, 20.49],
        [0, 0],
        [420, 300],
        [419.9, 0.2],
        [-3, 30],
        [1e4, 10],
        [40, -300],
        [np.nan, 1],
    ]
)


def both(path, pixels, *, mpp=0.25, target=None, places=PLACES):
    """The image in parts, and the same pixels decoded whole."""
    given = Image(path, mpp=mpp, target_mpp=target).input(places)
    return given, Image(pixels, mpp=mpp, target_mpp=target).input(places)


@pytest.mark.parametrize("side", [64, 112])
@pytest.mark.parametrize("size", [1, 7, 64, 301])
def test_patches_at_the_resolution_of_the_file_are_those_of_the_whole(tmp_path, size, side):
    path = write_pyramid(tmp_path / "a.tif", tissue(), side=side - side % 16)
    parts, whole = both(path, tissue())
    np.testing.assert_array_equal(parts.patches(size, 0.25), whole.patches(size, 0.25))
    np.testing.assert_array_equal(parts.array, whole.array)
    assert parts.shape == whole.shape


@pytest.mark.parametrize("target", [None, 0.25, 0.4, 0.5, 1.3])
def test_of_one_level_patches_are_within_one_grey_level_of_the_whole(tmp_path, target):
    path = write_pyramid(tmp_path / "a.tif", tissue(), levels=1)
    parts, whole = both(path, tissue(), target=target)
    assert parts.shape == whole.shape
    for mpp in (0.1, 0.25, 0.3, 0.5, 0.77, 1.0, 2.5, 9.0):
        difference = parts.patches(40, mpp).astype(int) - whole.patches(40, mpp)
        assert np.abs(difference).max() <= 1, mpp
    assert np.abs(parts.array.astype(int) - whole.array).max() <= 1


@pytest.mark.parametrize(
    ("compression", "most", "coarsest"),
    [(DEFLATE, 2.0, 3.0), (JPEG, 3.0, 0.8)],  # coarser, edges drawn here are finer than JPEG's colours
)
def test_levels_of_a_pyramid_show_what_the_whole_shows(tmp_path, compression, most, coarsest):
    pixels = tissue(600, 800)
    path = write_pyramid(tmp_path / "a.tif", pixels, levels=4, compression=compression)
    places = np.random.default_rng(0).uniform((150, 60), (740, 540), (30, 2))
    parts, whole = both(path, pixels, places=places)
    for mpp in (m for m in (0.25, 0.3, 0.5, 0.8, 1.0, 1.7, 3.0) if m <= coarsest):
        size = max(8, round(24 / mpp))
        expected = whole.patches(size, mpp).astype(int)
        difference = np.abs(parts.patches(size, mpp) - expected)[(expected < 220).any(axis=-1)]
        assert difference.mean() <= most, mpp
        assert np.percentile(difference, 99) <= 15, mpp


def test_the_coarsest_level_that_is_fine_enough_is_read(tmp_path, monkeypatch):
    path = write_pyramid(tmp_path / "a.tif", tissue(), levels=3)
    seen = set()
    real = TiffPyramid._tile
    monkeypatch.setattr(
        TiffPyramid, "_tile", lambda self, d, level, *at: seen.add(level) or real(self, d, level, *at)
    )

    def levels(mpp, target=None):
        seen.clear()
        Image(path, mpp=0.25, target_mpp=target).input(PLACES).patches(16, mpp)
        return seen.copy()

    assert [levels(mpp) for mpp in (0.1, 0.25, 0.49, 0.4999, 0.5, 0.99, 1.0, 8.0)] == [
        {0}, {0}, {0}, {1}, {1}, {1}, {2}, {2},
    ]  # fmt: skip
    assert levels(0.25, target=0.5) == {1}, "finer than the common resolution shows no more"


@pytest.mark.parametrize("mpp", [0.3, 1.0, 2.5])
def test_parts_of_a_slide_come_in_the_order_of_the_caller(tmp_path, mpp):
    places = np.random.default_rng(0).uniform(0, (420, 300), (50, 2))
    given = Image(write_pyramid(tmp_path / "a.tif", tissue()), mpp=0.25).input(places)
    whole = given.patches(9, mpp)
    chosen = np.random.default_rng(1).permutation(50)[:20]
    np.testing.assert_array_equal(given.patches(9, mpp, units=chosen), whole[chosen])
    np.testing.assert_array_equal(given.patches(9, mpp, units=slice(40, 3, -5)), whole[40:3:-5])
    assert given.patches(9, mpp, units=slice(0, 0)).shape == (0, 9, 9, 3)
    np.testing.assert_array_equal(given.in_order(chosen).patches(9, mpp), whole[chosen])


def reads(monkeypatch):
    counted = []
    real = TiffPyramid._tile
    monkeypatch.setattr(TiffPyramid, "_tile", lambda self, d, *at: counted.append(at) or real(self, d, *at))
    return counted


@pytest.mark.parametrize("tiles_kept", [40, 12])
def test_each_tile_is_decoded_once_for_all_patches_that_touch_it(tmp_path, monkeypatch, tiles_kept):
    path = write_pyramid(tmp_path / "a.tif", tissue(600, 800), levels=1)
    places = np.random.default_rng(0).uniform(0, (800, 600), (200, 2))
    given = Image(path, mpp=0.25).input(places)
    counted = reads(monkeypatch)
    TILES.forget()
    monkeypatch.setattr(TILES, "budget", tiles_kept * 3 * 64 * 64)
    monkeypatch.setattr(ordering, "BUDGET", tiles_kept * 3 * 64 * 64)
    given.patches(48, 0.25)
    everything = {(0, row, column) for row in range(10) for column in range(13)}
    assert set(counted) <= everything
    if tiles_kept == 40:  # a row of tiles, and what the next one needs of it
        assert len(counted) == len(set(counted)) > 100
    else:  # bands: what lies on their edges is read for both
        assert len(counted) < 1.6 * len(set(counted))
    assert TILES.held <= TILES.budget


def test_the_bytes_of_tiles_are_bounded():
    cache = TileCache(100)
    tile = np.zeros(40, np.uint8)
    made = []
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get(key, lambda key=key: made.append(key) or tile)
    assert made == ["a", "b", "c", "b"]
    assert cache.held == 80
    assert cache.get("none", lambda: None) is None
    cache.get("large", lambda: np.zeros(1000, np.uint8))
    assert cache.held == 1000, "the tile in use stays, however large"
    cache.forget()
    assert cache.held == 0


def test_patches_of_a_row_of_tiles_stand_together():
    corners = np.array([[500, 10], [10, 130], [10, 10], [-40, -40], [300, 200]])
    assert tile_order(corners, 48, (64.0, 64.0), 12_288).tolist() == [3, 2, 0, 1, 4]


def test_an_image_too_large_to_decode_whole_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("pytest_stbench.data.images.regions.MOST_WHOLE", 100_000)
    given = Image(write_pyramid(tmp_path / "a.tif", tissue()), mpp=0.25).input(PLACES)
    with pytest.raises(
        DataError, match=r"image of a slide: 420 x 300 pixels are .* read `patches` or `batches`"
    ):
        _ = given.array
    assert given.patches(8, 0.25).shape == (9, 8, 8, 3)
    assert Image(tmp_path / "a.tif", mpp=0.25, target_mpp=2.0).input(PLACES).array.shape == (37, 52, 3)


@pytest.mark.parametrize(("size", "mpp", "batch"), [(0, 1.0, 8), (8, -1.0, 8), (8, 1.0, 0), (8, 1.0, 2.5)])
def test_wrong_numbers_are_refused_at_the_call(tmp_path, size, mpp, batch):
    given = Image(write_pyramid(tmp_path / "a.tif", tissue()), mpp=0.25).input(PLACES)
    with pytest.raises(ModelError, match=r"both > 0|at least 1"):
        given.batches(size, mpp, batch=batch)
