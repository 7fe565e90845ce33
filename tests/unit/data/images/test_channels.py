"""Channels of a TIFF file in images of their own: an H&E where they are named so, else fluorescence."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from pytest_stbench.data.image import Image
from pytest_stbench.errors import DataError

from .slides import described, tissue


def test_channels_in_images_of_their_own_are_fluorescence(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for _ in range(5):
            file.write(tissue(64, 64)[..., 0], photometric="minisblack", tile=(32, 32), metadata=None)
    with pytest.raises(DataError, match=r"a\.tif: several grey images of 64 x 64 pixels.*fluorescence"):
        Image(path, mpp=0.5).check()


def write_channels(path, names, pixels, *, below=0, order=(0, 1, 2), **options):
    """Write the channels of `pixels` as images of their own, as OME names them."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[list(order)])
    said = {"axes": "CYX", "Channel": {"Name": names}, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    options = {"photometric": "minisblack", "tile": (64, 64), **options}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(planes, metadata=said, subifds=below, **options)
        for level in range(1, below + 1):
            small = np.ascontiguousarray(planes[:, :: 2**level, :: 2**level])
            file.write(small, subfiletype=1, metadata=None, **options)
    return path


@pytest.mark.parametrize(
    ("names", "order"), [(["Red", "Green", "Blue"], (0, 1, 2)), (["b", "r", "g"], (2, 0, 1))]
)
@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib", "predictor": True}, {"tile": None}, {"tile": None, "rowsperstrip": 16}],
    ids=lambda options: "-".join(options) or "tiles",
)
@pytest.mark.parametrize("below", [0, 2])
def test_channels_that_are_named_red_green_and_blue_are_an_image(tmp_path, names, order, options, below):
    path = write_channels(tmp_path / "a.ome.tif", names, tissue(), order=order, below=below, **options)
    image = Image(path, mpp=0.25)
    np.testing.assert_array_equal(image.pixels(), tissue())
    assert [level.scale for level in image.pyramid.levels] == [1.0, 2.0, 4.0][: below + 1]
    assert image.pyramid.statements["OME PhysicalSizeX"] == 0.25
    if below:
        small = image.input(np.array([[105.0, 75.0]])).patches(32, 0.5)[0]
        left, top = 52 - 15, 38 - 16
        np.testing.assert_array_equal(small, tissue()[::2, ::2][top : top + 32, left : left + 32])


@pytest.mark.parametrize(
    "names",
    [["DAPI", "Green", "Blue"], ["Red", "Red", "Blue"], ["Red", "Green", "Blue", "DAPI"], ["", "", ""]],
)
def test_channels_of_other_names_are_fluorescence(tmp_path, names):
    pixels = np.concatenate([tissue(), tissue()[..., :1]], axis=2)[..., : len(names)]
    path = write_channels(tmp_path / "a.ome.tif", names, pixels, order=range(len(names)))
    with pytest.raises(DataError, match=r"a\.ome\.tif: several grey images .*channels red, green and blue"):
        Image(path, mpp=0.25).check()


def write_named(path, inside, sides=(64, 64, 64)):
    """Write channels as images of tiles of `sides`; `inside` stands in the OME image beside their names."""
    names = "".join(f'<Channel ID="Channel:0:{k}" Name="{name}"/>' for k, name in enumerate("RGB"))
    text = described({"SizeC": 3}, tissue()[..., :1]).replace(
        "/></Image>", f">{names}{inside}</Pixels></Image>"
    )
    with tifffile.TiffWriter(path) as file:
        for side, channel in zip(sides, range(3), strict=True):
            extra = {} if channel else {"description": text.encode()}
            pixels = tissue()[..., channel].copy()
            file.write(pixels, tile=(side, side), photometric="minisblack", metadata=None, **extra)
    return path


@pytest.mark.parametrize(
    "inside", ["", "<TiffData/>", "".join(f'<TiffData FirstC="{k}" IFD="{k}"/>' for k in range(3))]
)
def test_channels_lie_in_the_order_in_which_they_are_named(tmp_path, inside):
    path = write_named(tmp_path / "a.tif", inside)
    np.testing.assert_array_equal(Image(path, mpp=0.25).pixels(), tissue())
    path = write_named(tmp_path / "b.tif", '<TiffData FirstC="0" IFD="2"/>')
    with pytest.raises(DataError, match="several grey images"):
        Image(path, mpp=0.25).check()


def test_channels_of_different_tiles_are_refused(tmp_path):
    path = write_named(tmp_path / "a.tif", "", (64, 32, 64))
    with pytest.raises(DataError, match=r"a\.tif: level 0: red, green and blue are images of different size"):
        Image(path, mpp=0.25).check()


def test_a_level_that_one_of_the_channels_lacks_is_none(tmp_path):
    path = tmp_path / "a.tif"
    text = described({"SizeC": 3, "PhysicalSizeX": 0.25}, tissue()[..., :1]).replace(
        "/></Image>",
        ">" + "".join(f'<Channel Name="{name}"/>' for name in ("Red", "Green", "Blue")) + "</Pixels></Image>",
    )
    options = {"photometric": "minisblack", "tile": (64, 64), "metadata": None}
    with tifffile.TiffWriter(path) as file:
        for channel, levels in enumerate((2, 1, 2)):
            extra = {} if channel else {"description": text.encode()}
            file.write(tissue()[..., channel].copy(), subifds=levels, **options, **extra)
            for level in range(1, levels + 1):
                small = tissue()[:: 2**level, :: 2**level, channel].copy()
                file.write(small, subfiletype=1, **options)
    image = Image(path, mpp=0.25)
    np.testing.assert_array_equal(image.pixels(), tissue())
    assert [level.scale for level in image.pyramid.levels] == [1.0, 2.0]


@pytest.mark.parametrize("below", [0, 2])
def test_planes_of_one_image_as_of_xenium(tmp_path, below):
    """H&E of Xenium Explorer: planes, named as they like."""
    options = {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}
    path = write_channels(tmp_path / "a.ome.tif", ["a", "b", "c"], tissue(), below=below, **options)
    np.testing.assert_array_equal(Image(path, mpp=0.25).pixels(), tissue())
    assert len(Image(path, mpp=0.25).pyramid.levels) == below + 1
