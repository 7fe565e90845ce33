"""Damaged tiles shown white, where the task file says so."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PillowImage

from pytest_stbench.data.image import Image
from pytest_stbench.data.images import damaged
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import ImageSpec

from .slides import DEFLATE, JPEG, RAW, damage, set_value, tissue, write_pyramid

WHITE = ImageSpec(path="a.tif", damaged_tiles="white")
PLACES = np.array([[300.0, 180.0], [90.0, 30.0], [30.0, 30.0]])


def written(path, compression, tiles, **options):
    """A slide with damaged `tiles`: (level, number)."""
    write_pyramid(path, tissue(), compression=compression, um=0.25, **options)
    for level, tile in tiles:
        damage(path, compression, level, tile)
    return path


def white_of(path, spec=WHITE):
    return Image.declared(path, spec, None)


@pytest.mark.parametrize("compression", [RAW, DEFLATE, JPEG])
def test_they_are_white_and_counted_in_all_levels(tmp_path, compression):
    path = written(tmp_path / "a.tif", compression, [(0, 1), (0, 9), (1, 6)])
    set_value(path, 325, 0, place=17)
    sound = write_pyramid(tmp_path / "b.tif", tissue(), compression=compression, um=0.25)
    image = white_of(path)
    assert image.notes == {"image_tiles_missing": 1, "image_tiles_damaged": 3}
    expected = Image(sound, mpp=0.25).pixels()
    for row, column in ((0, 1), (1, 2), (2, 3)):
        expected[64 * row : 64 * row + 64, 64 * column : 64 * column + 64] = 255
    np.testing.assert_array_equal(image.pixels(), expected)
    patches = image.input(PLACES).patches(16, 0.5)
    other = Image(sound, mpp=0.25).input(PLACES).patches(16, 0.5)
    assert (patches[0] == 255).all()
    np.testing.assert_array_equal(patches[1:], other[1:])
    with pytest.raises(DataError, match=r"row 0 and column 1 is damaged: .*damaged_tiles: white"):
        replace(image, damaged=None).pixels()


def test_of_a_sound_file_nothing_changes(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", tissue(), um=0.25)
    plain, white = (Image.declared(path, spec, None) for spec in (ImageSpec(path="a.tif"), WHITE))
    assert plain.notes == white.notes == {}
    one, other = (image.input(PLACES) for image in (plain, white))
    assert one.fingerprint == other.fingerprint
    np.testing.assert_array_equal(one.patches(16, 0.5), other.patches(16, 0.5))


def test_white_tiles_are_another_image_to_whoever_keeps_answers(tmp_path):
    path = written(tmp_path / "a.tif", DEFLATE, [(0, 1)])
    plain = Image(path, mpp=0.25)
    assert plain.input(PLACES).fingerprint != white_of(path).input(PLACES).fingerprint


def test_every_tile_is_decoded_once_in_a_run(tmp_path, monkeypatch):
    path = written(tmp_path / "a.tif", DEFLATE, [(0, 1)])
    assert white_of(path).notes == {"image_tiles_damaged": 1}
    monkeypatch.setattr(damaged.WhiteWhereDamaged, "_noting", None)
    assert white_of(path).notes == {"image_tiles_damaged": 1}
    path.write_bytes(path.read_bytes())
    with pytest.raises(TypeError):
        white_of(path).notes  # noqa: B018  # another file is counted anew


def test_an_input_shows_it_elsewhere_and_holds_no_path(tmp_path, in_child):
    path = written(tmp_path / "a.tif", DEFLATE, [(0, 1)])
    given = white_of(path).input(PLACES)
    assert b"a.tif" not in pickle.dumps(given)
    assert (in_child("spawn", given.region, (64, 0, 64, 64), 0.25) == 255).all()


def test_openslide_reads_on_after_a_damaged_tile(tmp_path):
    pytest.importorskip("openslide")
    path = written(tmp_path / "a.tif", JPEG, [(0, 1)])
    image = white_of(path, ImageSpec(path="a.tif", damaged_tiles="white", reader="openslide"))
    assert image.notes["image_tiles_damaged"] >= 1
    found, expected = image.pixels(), white_of(path).pixels()
    assert (found[:64, 64:128] == 255).all()
    levels = image.pyramid.levels[0].tile
    assert found[levels[1] :].shape == expected[levels[1] :].shape


def test_damage_that_one_reader_met_is_none_of_another(tmp_path):
    pytest.importorskip("openslide")
    path = write_pyramid(tmp_path / "a.tif", tissue(256, 256), compression=JPEG, um=0.25, levels=1)
    damage(path, JPEG, 0, 1)
    pyramid = damaged.white_where_damaged(path, "a.tif", "openslide")
    with pyramid.reading() as one, pyramid.reading() as other:
        expected = other(0, 1, 1)
        assert one(0, 0, 1) is None
        np.testing.assert_array_equal(other(0, 1, 1), expected)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_what_is_decoded_whole_has_no_tiles(tmp_path, name):
    PillowImage.fromarray(tissue()).save(tmp_path / name)
    spec = ImageSpec(path=name, um_per_px=0.5, damaged_tiles="white")
    with pytest.raises(DataError, match=r"damaged_tiles: white` is of images that are read in tiles"):
        Image.declared(tmp_path / name, spec, 0.5)
