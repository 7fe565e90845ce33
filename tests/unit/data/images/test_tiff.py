from __future__ import annotations

import io
import resource

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from pytest_stbench.data.image import Image
from pytest_stbench.data.images import codecs
from pytest_stbench.data.images.looking import pyramid_of
from pytest_stbench.data.images.tiff import TiffPyramid
from pytest_stbench.errors import DataError

from .slides import (
    DEFLATE,
    JPEG,
    RAW,
    called_jpeg,
    damage,
    encoded,
    patch_bytes,
    set_value,
    tag_values,
    tiles_of,
    tissue,
    write_pyramid,
)  # fmt: skip


def whole(path):
    image = Image(path, mpp=0.25)
    assert image.pyramid is not None, "read in parts"
    return image.pixels()


def by_pillow(pixels, side, **options):
    """What Pillow makes of every tile as a file of its own."""
    height, width = pixels.shape[:2]
    found = np.zeros((-(-height // side) * side, -(-width // side) * side, 3), np.uint8)
    columns = -(-width // side)
    for place, tile in enumerate(tiles_of(pixels, side)):
        data = encoded(tile, JPEG, **options)
        top, left = place // columns * side, place % columns * side
        opened = PillowImage.open(io.BytesIO(data)).convert("RGB")
        found[top : top + side, left : left + side] = np.asarray(opened)
    return found[:height, :width]


@pytest.mark.parametrize("compression", [RAW, DEFLATE])
@pytest.mark.parametrize(
    "options",
    [{}, {"order": ">"}, {"bigtiff": True}, {"below": True}, {"planarconfig": "separate"}],
    ids=lambda options: "-".join(options) or "plain",
)
def test_lossless_tiles_are_the_pixels_that_were_written(tmp_path, compression, options):
    pixels = tissue()
    if "planarconfig" in options:
        tifffile.imwrite(
            tmp_path / "a.tif", pixels.transpose(2, 0, 1), tile=(64, 64), compression=compression,
            photometric="rgb", planarconfig="separate", metadata=None,
        )  # fmt: skip
    else:
        write_pyramid(tmp_path / "a.tif", pixels, compression=compression, **options)
    np.testing.assert_array_equal(whole(tmp_path / "a.tif"), pixels)


def test_differences_of_neighbours_are_summed(tmp_path):
    write_pyramid(tmp_path / "a.tif", tissue(), predictor=True)
    assert tag_values(tmp_path / "a.tif", 317)[1] == 2
    np.testing.assert_array_equal(whole(tmp_path / "a.tif"), tissue())


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_tiles_are_what_pillow_makes_of_each(tmp_path, subsampling):
    pixels = tissue()
    write_pyramid(tmp_path / "a.tif", pixels, compression=JPEG, subsampling=subsampling)
    expected = by_pillow(pixels, 64, subsampling=subsampling)
    np.testing.assert_array_equal(whole(tmp_path / "a.tif"), expected)
    assert np.abs(expected.astype(int) - pixels).mean() < 4


def test_tables_that_tiles_share_are_put_before_each(tmp_path):
    """The tables of the first tile become those of the file; tiles keep what follows."""
    pixels = tissue(128, 128)
    whole_tiles = [encoded(tile, JPEG, subsampling=0) for tile in tiles_of(pixels, 64)]
    tables, bare = [], []
    for data in whole_tiles:
        at, kept, shared = 2, [data[:2]], [data[:2]]
        while data[at + 1] != 0xDA:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if data[at + 1] in (0xDB, 0xC4):
                shared.append(data[at:end])
            elif data[at + 1] != 0xE0:
                kept.append(data[at:end])
            at = end
        tables.append(b"".join([*shared, b"\xff\xd9"]))
        bare.append(b"".join([*kept, data[at:]]))
    assert len(set(tables)) == 1
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(
            iter(bare), shape=(128, 128, 3), dtype=np.uint8, tile=(64, 64), compression=DEFLATE,
            photometric="rgb", metadata=None,
            extratags=[(347, 7, len(tables[0]), tables[0], True)],
        )  # fmt: skip
    np.testing.assert_array_equal(whole(called_jpeg(path)), by_pillow(pixels, 64, subsampling=0))


@pytest.mark.parametrize("rows", [1, 7, 300, None])
@pytest.mark.parametrize("compression", [RAW, DEFLATE])
def test_strips_are_read_as_tiles_as_wide_as_the_image(tmp_path, rows, compression, monkeypatch):
    monkeypatch.setattr("pytest_stbench.data.images.long_strip.PART_BYTES", 10_000)
    pixels = tissue()
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels,
        rowsperstrip=rows,
        compression=compression,
        photometric="rgb",
        metadata=None,
    )
    pyramid = pyramid_of(tmp_path / "a.tif", "a", "tiff")
    assert pyramid.levels[0].tile[0] == 420
    if compression == RAW and rows in (300, None):
        assert pyramid.levels[0].tile[1] == 10_000 // (420 * 3), "one piece is read in parts"
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", mpp=1, reader="tiff").pixels(), pixels)


def test_grey_becomes_three_channels_and_transparent_parts_become_white(tmp_path):
    grey = tissue()[..., :1]
    for photometric in ("minisblack", "miniswhite"):
        write_pyramid(tmp_path / "a.tif", grey, levels=1, photometric=photometric)
        shown = 255 - grey if photometric == "miniswhite" else grey
        np.testing.assert_array_equal(whole(tmp_path / "a.tif"), shown.repeat(3, axis=2))
    colours = np.concatenate([tissue(), np.full((300, 420, 1), 255, np.uint8)], axis=2)
    colours[:100, ..., 3], colours[100:200, ..., 3] = 0, 51
    expected = np.array(
        PillowImage.alpha_composite(
            PillowImage.new("RGBA", (420, 300), (255,) * 4), PillowImage.fromarray(colours)
        ).convert("RGB")
    )
    for kind in ("unassalpha", "assocalpha"):
        stored = colours.copy()
        if kind == "assocalpha":
            stored[..., :3] = np.rint(colours[..., :3] * (colours[..., 3:] / 255.0))
        tifffile.imwrite(
            tmp_path / "b.tif", stored, tile=(64, 64), compression=DEFLATE, photometric="rgb",
            extrasamples=[kind], metadata=None,
        )  # fmt: skip
        assert np.abs(whole(tmp_path / "b.tif").astype(int) - expected).max() <= 1


def test_what_is_no_image_of_h_and_e_is_refused(tmp_path):
    deep = tissue()[..., :1].astype(np.uint16) * 100
    tifffile.imwrite(tmp_path / "deep.tif", deep[..., 0], tile=(64, 64), metadata=None)
    with pytest.raises(DataError, match=r"deep\.tif: image of 16 bits a channel; 8 bits a channel"):
        Image(tmp_path / "deep.tif", mpp=1).check()
    write_pyramid(tmp_path / "stains.tif", tissue()[..., :1], levels=1, ome={"SizeC": 4})
    with pytest.raises(DataError, match=r"stains\.tif: image of 4 channels, each by itself; .*fluorescence"):
        Image(tmp_path / "stains.tif", mpp=1).check()
    five = np.concatenate([tissue(), tissue()[..., :2]], axis=2)
    tifffile.imwrite(
        tmp_path / "five.tif", five, tile=(64, 64), photometric="minisblack", planarconfig="contig",
        metadata=None,
        extrasamples=["unspecified"] * 4,
    )  # fmt: skip
    with pytest.raises(DataError, match=r"five\.tif: image of 5 channels; RGB or grey"):
        Image(tmp_path / "five.tif", mpp=1).check()


def test_labels_and_pictures_of_the_slide_are_no_levels(tmp_path):
    path = tmp_path / "a.tif"
    write_pyramid(path, tissue(), levels=2)
    with tifffile.TiffWriter(path, append=True) as file:
        file.write(tissue(90, 60, 1), photometric="rgb", metadata=None)
        file.write(tissue(90, 60, 1), photometric="rgb", metadata=None, subfiletype=1)
        file.write(tissue(80, 96, 1), tile=(64, 64), photometric="rgb", metadata=None, subfiletype=9)
    assert [(level.width, level.scale) for level in pyramid_of(path, "a").levels] == [(420, 1.0), (210, 2.0)]


@pytest.mark.parametrize("below", [True, False])
@pytest.mark.parametrize(("height", "width"), [(150, 150), (100, 210), (420, 300)])
def test_a_wrong_pyramid_is_an_error(tmp_path, below, height, width):
    path = write_pyramid(tmp_path / "a.tif", tissue(), smaller=[tissue(height, width)], below=below)
    if not below and (height, width) == (420, 300):
        assert len(pyramid_of(path, "a").levels) == 1, "an image as large as the first is another one"
        return
    with pytest.raises(DataError, match=rf"a\.tif: level 1 of {width} x {height} pixels .* pyramid is wrong"):
        Image(path, mpp=1).check()


def test_levels_of_rounded_sides_are_whole_numbers_smaller(tmp_path):
    pixels = tissue(299, 421)
    for smaller in (tissue(149, 210), tissue(150, 211), tissue(150, 210)):
        path = write_pyramid(tmp_path / "a.tif", pixels, smaller=[smaller])
        assert pyramid_of(path, "a").levels[1].scale == 2.0
    path = write_pyramid(tmp_path / "a.tif", pixels, smaller=[tissue(187, 263)])
    assert pyramid_of(path, "a").levels[1].scale == pytest.approx(1.6, abs=0.005)


@pytest.mark.parametrize("compression", [RAW, DEFLATE, JPEG])
def test_a_damaged_tile_names_its_level_and_place(tmp_path, compression):
    path = write_pyramid(tmp_path / "a.tif", tissue(), compression=compression)
    damage(path, compression, level=1, tile=-(-210 // 64) + 2)
    given = Image(path, mpp=0.25).input(np.array([[300.0, 180.0], [30.0, 30.0]]))
    assert given.patches(16, 0.5, units=[1]).shape == (1, 16, 16, 3), "what is not damaged is read"
    message = "image of a slide: level 1, tile in row 1 and column 2 is damaged"
    with pytest.raises(DataError, match=message) as caught:
        given.patches(16, 0.5)
    assert "a.tif" not in str(caught.value)
    assert caught.value.__context__ is None, "no other error that knows more"
    with pytest.raises(DataError, match=message):
        list(given.batches(16, 0.5, batch=1))


def test_bytes_that_are_no_longer_those_that_were_written_are_damage(tmp_path):
    path = tmp_path / "a.tif"
    flat = tissue(64, 64)
    flat[:] = np.arange(64, dtype=np.uint8)[:, None, None]
    tifffile.imwrite(path, flat, tile=(64, 64), photometric="rgb", compression="zlib", metadata=None)
    (offset,), (count,) = tag_values(path, 324)[1], tag_values(path, 325)[1]
    data = bytearray(path.read_bytes()[offset : offset + count])
    data[-4] ^= 1  # of the sum at the end
    patch_bytes(path, offset, bytes(data))
    with pytest.raises(DataError, match=r"row 0 and column 0 is damaged: .*incorrect data check"):
        whole(path)


def test_a_jpeg_of_another_size_is_a_damaged_tile(tmp_path):
    """The decoder would write as many pixels as the tile declares."""
    path = tmp_path / "a.tif"
    large = [
        encoded(tissue(400, 400), JPEG),
        *[encoded(tile, JPEG) for tile in tiles_of(tissue(128, 128), 64)][1:],
    ]
    with tifffile.TiffWriter(path) as file:
        file.write(
            iter(large), shape=(128, 128, 3), dtype=np.uint8, tile=(64, 64), compression=DEFLATE,
            photometric="rgb", metadata=None,
        )  # fmt: skip
    with pytest.raises(DataError, match=r"row 0 and column 0 is damaged: it is no JPEG of 64 x 64 pixels"):
        whole(called_jpeg(path))


def test_missing_tiles_are_white_and_counted(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", tissue(), missing={(0, 1), (2, 3)})
    assert tag_values(path, 325)[1].count(0) == 2
    image = Image(path, mpp=0.25)
    found = image.pixels()
    expected = tissue()
    expected[:64, 64:128], expected[128:192, 192:256] = 255, 255
    np.testing.assert_array_equal(found, expected)
    assert image.notes == {"image_tiles_missing": 2}
    assert Image(write_pyramid(tmp_path / "b.tif", tissue()), mpp=1).notes == {}


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.97])
@pytest.mark.parametrize("below", [True, False])
def test_a_truncated_file_is_an_error(tmp_path, share, below):
    path = write_pyramid(tmp_path / "a.tif", tissue(), below=below)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"a\.tif: .*(truncated|damaged|wrong)"):
        whole(path)


def test_a_header_of_a_million_pixels_a_side_is_refused_in_bounded_memory(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", tissue(), levels=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for code in (256, 257):
        set_value(path, code, 1_000_000)
    with pytest.raises(DataError, match=r"a\.tif: level 0 of 1000000 x 1000000 pixels has 244,140,625 tiles"):
        Image(path, mpp=0.25).check()
    for code in (322, 323):
        set_value(path, code, 1_000_000)
    for reader in (None, "tiff"):
        with pytest.raises(DataError, match=r"a\.tif: .*(1000000 x 1000000|cannot read)"):
            Image(path, mpp=0.25, reader=reader).check()
    tifffile.imwrite(tmp_path / "b.tif", tissue(), photometric="rgb", metadata=None)
    for code in (256, 257, 278):
        set_value(tmp_path / "b.tif", code, 1_000_000)
    image = Image(tmp_path / "b.tif", mpp=0.25)
    with pytest.raises(DataError, match=r"b\.tif: .* ends at byte 2,999,\d+,\d+,\d+ of a file of 378,"):
        image.input(np.zeros((1, 2))).array  # noqa: B018  # it is made when asked for
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


def test_entities_in_a_description_are_not_expanded(tmp_path):
    entity = '<!DOCTYPE OME [<!ENTITY a "0.25">]>'
    text = f'<?xml version="1.0"?>{entity}<OME><Pixels SizeX="420" PhysicalSizeX="&a;"/></OME>'
    tifffile.imwrite(
        tmp_path / "a.tif", tissue(), tile=(64, 64), photometric="rgb", description=text, metadata=None
    )
    assert pyramid_of(tmp_path / "a.tif", "a").statements == {}


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", tissue())
    given = Image(path, mpp=0.25).input(np.array([[100.0, 100.0]]))
    given.patches(16, 0.25)
    write_pyramid(path, tissue(seed=1), compression=RAW)
    with pytest.raises(DataError, match="image of a slide: the file was changed after it was opened"):
        given.patches(16, 0.25)
    path.unlink()
    with pytest.raises(DataError, match="image of a slide: the file cannot be read any more") as caught:
        given.patches(16, 0.25)
    assert caught.value.__context__ is None


def test_openslide_sees_the_same_pixels(tmp_path):
    openslide = pytest.importorskip("openslide")
    for options in ({"compression": JPEG}, {"compression": DEFLATE}, {"compression": JPEG, "bigtiff": True}):
        path = write_pyramid(tmp_path / "a.tif", tissue(), side=128, um=0.25, **options)
        slide = openslide.OpenSlide(str(path))
        ours = TiffPyramid(path, "a")
        assert [(level.width, level.height) for level in ours.levels] == list(slide.level_dimensions)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(
            ours.statements["TIFF resolution tags"]
        )
        theirs = np.asarray(slide.read_region((0, 0), 0, (420, 300)).convert("RGB"))
        assert np.abs(theirs.astype(int) - whole(path)).max() <= 1


@pytest.mark.parametrize("name", ["LZW", "ZSTD", "PACKBITS", "JPEG2000"])
def test_the_extra_reads_further_compressions(tmp_path, name):
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(
        tmp_path / "a.tif", tissue(), tile=(64, 64), photometric="rgb", compression=name, metadata=None
    )
    np.testing.assert_array_equal(whole(tmp_path / "a.tif"), tissue())


@pytest.mark.parametrize("grey", [False, True])
def test_jpeg_by_the_extra_is_that_of_pillow(tmp_path, monkeypatch, grey):
    pytest.importorskip("imagecodecs")
    pixels = tissue()[..., :1] if grey else tissue()
    path = write_pyramid(tmp_path / "a.tif", pixels, compression=JPEG)
    offset, count = (tag_values(path, code)[1][1] for code in (324, 325))
    cut = write_pyramid(tmp_path / "cut.tif", pixels, compression=JPEG)
    patch_bytes(cut, offset + count // 2, bytes(count - count // 2))
    found, told = [], []
    for decoder in (codecs._extra_jpeg(), (None, Exception)):
        monkeypatch.setattr(codecs, "_extra_jpeg", lambda decoder=decoder: decoder)
        found.append(whole(path))
        with pytest.raises(DataError) as caught:
            whole(cut)
        told.append(str(caught.value))
    np.testing.assert_array_equal(*found)
    assert told[0] == told[1]
    assert "row 0 and column 1 is damaged" in told[0]
