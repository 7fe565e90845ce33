"""Valid files that are seldom met: narrow pyramids, turned strips, channels as pages, threads of a model."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
import tifffile
from hypothesis import given, strategies as st

from pytest_stbench.data.image import Image
from pytest_stbench.data.images import ahead, looking, tokens
from pytest_stbench.data.images.pyramid import scale_of
from pytest_stbench.data.images.resolution import ome_pixels, stated
from pytest_stbench.data.images.tiff import TiffPyramid
from pytest_stbench.errors import DataError

from .slides import patch_bytes, set_value, tissue

ROUND = {"floor": math.floor, "ceil": math.ceil, "round": round}


def write_levels(path, levels, value=100, tile=256):
    with tifffile.TiffWriter(path) as file:
        for number, (width, height) in enumerate(levels):
            file.write(
                np.full((height, width, 3), value, np.uint8), photometric="rgb", tile=(tile, tile),
                compression="deflate", subfiletype=int(number > 0), metadata=None,
            )  # fmt: skip
    return path


@given(
    st.integers(500, 100_000), st.integers(300, 5000), st.sampled_from([2, 4]), st.sampled_from(list(ROUND))
)
def test_a_level_covers_what_its_sides_allow(long, short, factor, how):
    size = full = (long, short)
    for level in range(1, 8):
        size = tuple(max(1, ROUND[how](side / factor)) for side in size)
        if min(size) < 8:
            break
        found = scale_of(level, size, full, "a.tif")
        for side, own in zip(full, size, strict=True):
            assert own - 1 <= side / found * (1 + 1e-9)
            assert side / found <= (own + 1) * (1 + 1e-9)


def test_a_narrow_slide_has_whole_scales_and_no_white_inside(tmp_path):
    levels = [(22_394, 324), (11_197, 162), (5599, 81), (2800, 41), (1400, 21), (700, 11)]
    image = Image(write_levels(tmp_path / "a.tif", levels), mpp=0.25)
    assert [level.scale for level in image.pyramid.levels] == [1, 2, 4, 8, 16, 32]
    given = image.input(np.array([[22_390.0, 300.0], [11_000.0, 160.0]]))
    for mpp in (0.25, 1.0, 3.9, 4.0, 7.85, 8.0):
        patches = given.patches(8, mpp)
        inside = patches[1][2:6, 2:6]
        assert (inside == 100).all(), mpp


@pytest.mark.parametrize("mpp", [3.1, 6.9, 14.200047, 15.3])
def test_the_last_pixel_of_odd_sides_is_no_error(tmp_path, mpp):
    path = write_levels(tmp_path / "a.tif", [(202, 2811), (26, 352), (4, 44), (1, 6)], tile=16)
    patches = Image(path, mpp=0.25).input(np.array([[201.0, 2810.0], [100.0, 1400.0]])).patches(9, mpp)
    assert patches.shape == (2, 9, 9, 3)
    assert set(np.unique(patches)) <= set(range(100, 256))


def test_smaller_levels_lie_where_openslide_has_them(tmp_path):
    pytest.importorskip("openslide")
    rng = np.random.default_rng(0)
    full = np.kron(rng.integers(0, 255, (502, 402, 3), dtype=np.uint8), np.ones((10, 10, 1), np.uint8))
    full = np.ascontiguousarray(full[:4007, :3203])
    small = np.ascontiguousarray(full[::4, ::4][:1001, :800])
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for pixels in (full, small):
            file.write(
                pixels, photometric="rgb", tile=(256, 256), compression="deflate", metadata=None,
                subfiletype=int(pixels is small),
            )  # fmt: skip
    pyramid = Image(path, mpp=0.25, reader="openslide").pyramid
    width, height = pyramid.levels[1].tile
    with pyramid.reading() as read:
        for row in range(-(-1001 // height)):
            for column in range(-(-800 // width)):
                stored = small[row * height : (row + 1) * height, column * width : (column + 1) * width]
                found = read(1, row, column)
                assert np.abs(found.astype(int) - stored).mean() < 7  # by parts of a pixel


@pytest.mark.parametrize(
    "written", [{"photometric": "cfa"}, {"photometric": "rgb", "planarconfig": "separate"}]
)
def test_what_libraries_say_of_a_changed_file_tells_no_path(tmp_path, written):
    path = tmp_path / "SECRETNAME.tif"
    tifffile.imwrite(path, tissue(64, 64), photometric="rgb", tile=(32, 32))
    given = Image(path, mpp=0.5).input(np.array([[9.0, 9.0]]))
    tokens._PYRAMIDS.forget()
    shape = (3, 64, 64) if "planarconfig" in written else (64, 64)
    tifffile.imwrite(path, np.zeros(shape, np.uint16), tile=(32, 32), **written)
    with pytest.raises(DataError) as caught:
        given.patches(8, 0.5)
    assert "SECRET" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("parts", [{}, {"rowsperstrip": 16}, {"tile": (32, 32)}])
def test_pixels_stay_as_they_are_stored_however_a_camera_was_held(tmp_path, orientation, parts):
    pixels = tissue(60, 84)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extratags=[(274, 3, 1, orientation, True)], **parts)
    np.testing.assert_array_equal(Image(path, mpp=0.5).input(np.array([[9.0, 9.0]])).array, pixels)


@pytest.mark.parametrize(
    ("description", "um"),
    [
        ("Aperio Image Library v1|AppMag = 20|MPP = 2.5e-1", 0.25),
        ("Aperio Image Library v1|MPP = 0.5021|x", 0.5021),
        ('<ome:OME xmlns:ome="o"><ome:Pixels SizeX="9" SizeY="9" PhysicalSizeX="0.25"/></ome:OME>', 0.25),
        ('<OME><Pixels SizeX="9" SizeY="9" PhysicalSizeX="2500" PhysicalSizeXUnit="Å"/></OME>', 0.25),
        ('<OME><Pixels SizeX="9" SizeY="9" PhysicalSizeX="1e-5" PhysicalSizeXUnit="in"/></OME>', 0.254),
    ],
)
def test_every_valid_way_to_say_the_size_of_a_pixel(description, um):
    found = stated(description, ome_pixels(description, 9, 9), None, "a.tif")
    assert list(found.values()) == [pytest.approx(um)]


def test_a_call_may_end_while_threads_of_a_model_go_through_batches(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, tissue(), photometric="rgb", tile=(32, 32))
    places = np.random.default_rng(0).uniform(0, 300, (64, 2))
    given = Image(path, mpp=0.5).input(places)
    failed, stop = [], threading.Event()

    def goes_through():
        try:
            while not stop.is_set():
                assert sum(len(units) for units, _ in given.batches(16, 0.5, batch=8)) == 64
        except BaseException as error:  # noqa: BLE001  # shown below
            failed.append(error)

    threads = [threading.Thread(target=goes_through) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        ahead.settle()
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_a_thumbnail_that_stands_first_is_not_the_image(tmp_path, tile):
    pixels = tissue()
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for level in (pixels[::6, ::6], pixels, pixels[::2, ::2]):
            reduced = level.shape[0] == 150
            file.write(
                level.copy(), tile=tile, photometric="rgb", metadata=None, subfiletype=int(reduced),
                resolution=(1e4 / (0.25 * 300 / len(level)),) * 2, resolutionunit="CENTIMETER",
            )  # fmt: skip
    found = TiffPyramid(tmp_path / "a.tif", "a")
    assert [(level.width, level.height) for level in found.levels] == [(420, 300), (210, 150)]
    assert found.statements["TIFF resolution tags"] == pytest.approx(0.25)
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", mpp=0.25).pixels(), pixels)


def test_a_thumbnail_before_a_small_image_in_strips(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for level in (tissue()[::6, ::6].copy(), tissue()):
            file.write(level, photometric="rgb", metadata=None)
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", mpp=0.25).pixels(), tissue())


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_strips_of_either_order_of_bytes_are_read(tmp_path, bigtiff, order, compression):
    tifffile.imwrite(
        tmp_path / "a.tif", tissue(), photometric="rgb", metadata=None, bigtiff=bigtiff, byteorder=order,
        compression=compression, rowsperstrip=32,
    )  # fmt: skip
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", mpp=0.25).pixels(), tissue())


@pytest.mark.parametrize("layout", [{"tile": (64, 64)}, {"rowsperstrip": 10}])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_bits_in_reverse_order_are_those_that_pillow_shows(tmp_path, monkeypatch, layout, compression):
    path = tmp_path / "a.tif"
    turned = np.packbits(np.unpackbits(tissue()[..., None], axis=-1)[..., ::-1], axis=-1)[..., 0]
    stored = turned if compression is None else tissue()
    other = [(263, "H", 1, 2, True)]  # a tag that is written as asked for, and made another
    tifffile.imwrite(
        path, stored, photometric="rgb", compression=compression, metadata=None, extratags=other, **layout
    )
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].tags[263].offset
    patch_bytes(path, place, (266).to_bytes(2, "little"))
    if compression is None:
        np.testing.assert_array_equal(Image(path, mpp=0.5).pixels(), tissue())
    with pytest.raises(DataError, match=r"cannot read it: it stores the bits .* in reverse \(FillOrder 2\)"):
        Image(path, mpp=0.5, reader="tiff").check()
    monkeypatch.setattr(looking, "WHOLE_BYTES", 1000)
    with pytest.raises(DataError, match=r"FillOrder 2\); decoded whole .*vips tiffsave"):
        Image(path, mpp=0.5).check()


def test_differences_are_those_of_codecs_that_have_them(tmp_path):
    path = tmp_path / "a.tif"
    says = [(317, "H", 1, 2, True)]
    tifffile.imwrite(path, tissue(), photometric="rgb", tile=(64, 64), metadata=None, extratags=says)
    np.testing.assert_array_equal(Image(path, mpp=0.5).pixels(), tissue())


def test_differences_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, tissue(), photometric="rgb", tile=(64, 64), metadata=None, compression="zlib", predictor=True
    )
    np.testing.assert_array_equal(Image(path, mpp=0.5).pixels(), tissue())
    set_value(path, 317, 34892)
    with pytest.raises(DataError, match=r"it stores differences of a kind \(34892\)"):
        Image(path, mpp=0.5, reader="tiff").check()
