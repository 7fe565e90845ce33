from __future__ import annotations

import sys

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from pytest_stbench.data.image import Image
from pytest_stbench.data.images import looking, tokens, vendors
from pytest_stbench.data.images.looking import pyramid_of
from pytest_stbench.data.images.pyramid import files_of
from pytest_stbench.data.images.tiff import TiffPyramid
from pytest_stbench.errors import DataError

from .slides import JPEG, set_value, tissue, write_pyramid


def kind(path, reader=None):
    found = pyramid_of(path, "a", reader)
    return "pillow" if found is None else type(found).__name__


def test_what_is_in_a_file_decides_and_not_its_name(tmp_path):
    write_pyramid(tmp_path / "tiles.png", tissue())
    write_pyramid(tmp_path / "tiles.tif", tissue(40, 40), levels=1)
    tifffile.imwrite(tmp_path / "strips.tif", tissue(), photometric="rgb", metadata=None)
    PillowImage.fromarray(tissue()).save(tmp_path / "a.tiff", format="JPEG")
    found = {path.name: kind(path) for path in tmp_path.iterdir()}
    assert found == {
        "tiles.png": "TiffPyramid",
        "tiles.tif": "TiffPyramid",
        "strips.tif": "pillow",
        "a.tiff": "pillow",
    }


def test_large_images_in_strips_are_read_in_parts(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", tissue(), photometric="rgb", metadata=None, rowsperstrip=16)
    assert kind(tmp_path / "a.tif") == "pillow"
    monkeypatch.setattr(looking, "WHOLE_BYTES", tissue().nbytes - 1)
    assert kind(tmp_path / "a.tif") == "TiffPyramid"


def test_a_reader_can_be_forced(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", tissue())
    assert kind(path, "pillow") == "pillow"
    assert kind(path, "tiff") == "TiffPyramid"
    jpeg = tmp_path / "a.jpg"
    PillowImage.fromarray(tissue()).save(jpeg)
    with pytest.raises(DataError, match="a: `reader: tiff` cannot read it: it is no TIFF file"):
        kind(jpeg, "tiff")
    places = np.array([[100.0, 80.0]])
    by_pillow = Image(path, mpp=1.0, reader="pillow").input(places)
    assert by_pillow.array.shape == (300, 420, 3)
    np.testing.assert_array_equal(
        by_pillow.patches(32, 1.0), Image(path, mpp=1.0).input(places).patches(32, 1.0)
    )


def test_what_needs_the_extra_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openslide", None)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert vendors.openslide() is None
    path = tmp_path / "a.mrxs"
    path.write_bytes(b"\xff\xd8 of a slide")
    with pytest.raises(
        DataError, match=r"a: no image .* it needs OpenSlide: pip install 'pytest-stbench\[wsi\]'"
    ):
        kind(path)
    with pytest.raises(DataError, match=r"a: it needs OpenSlide: pip install"):
        kind(path, "openslide")
    packed = write_pyramid(tmp_path / "a.tif", tissue())
    set_value(packed, 259, 5)
    assert kind(packed) == "pillow", "small enough to be decoded whole"
    with pytest.raises(
        DataError, match=r"a: `reader: tiff` cannot read it: it has tiles of compression LZW, .*wsi"
    ):
        kind(packed, "tiff")
    monkeypatch.setattr(looking, "WHOLE_BYTES", 1000)
    with pytest.raises(
        DataError, match=r"a: the image of 420 x 300 pixels has tiles of compression LZW, .*wsi"
    ):
        kind(packed)


@pytest.mark.parametrize("sign", ["is_ndpi", "is_scn", "is_bif", "is_philips"])
def test_tiles_of_scanners_that_overlap_are_left_to_openslide(tmp_path, monkeypatch, sign):
    path = write_pyramid(tmp_path / "a.tif", tissue(), compression=JPEG)
    monkeypatch.setattr(tifffile.TiffPage, sign, True)
    with pytest.raises(DataError, match=r"cannot read it: it is .*, which OpenSlide reads"):
        kind(path, "tiff")
    asked = []
    monkeypatch.setattr(vendors, "knows", lambda path: asked.append(path) or False)
    assert kind(path) == "pillow"
    assert asked == [path]


def test_openslide_reads_the_same_patches(tmp_path):
    pytest.importorskip("openslide")
    path = write_pyramid(tmp_path / "a.tif", tissue(), side=128, compression=JPEG, um=0.25)
    assert kind(path, "openslide") == "VendorPyramid"
    places = np.array([[200.0, 100.0], [10.0, 10.0], [415.0, 295.0], [np.nan, 0.0], [-500.0, 3.0]])
    theirs = Image(path, mpp=0.25, reader="openslide")
    assert theirs.pyramid.statements == pytest.approx({"openslide.mpp-x": 0.25})
    for mpp in (0.25, 0.4, 1.0):
        ours = Image(path, mpp=0.25).input(places).patches(48, mpp)
        assert np.abs(theirs.input(places).patches(48, mpp).astype(int) - ours).max() <= 1
    np.testing.assert_array_equal(theirs.pixels(), Image(path, mpp=0.25).pixels())


def test_errors_of_openslide_name_no_file(tmp_path):
    pytest.importorskip("openslide")
    path = write_pyramid(tmp_path / "secret.tif", tissue(), side=128, compression=JPEG)
    given = Image(path, mpp=0.25, reader="openslide").input(np.array([[100.0, 100.0]]))
    path.write_bytes(b"no image any more")
    given._content.seal = tokens._seal_of(path)  # as if nobody had looked before
    for ask in (lambda: given.patches(16, 0.25), lambda: next(given.batches(16, 0.25))):
        with pytest.raises(DataError, match="image of a slide: OpenSlide cannot open the image") as caught:
            ask()
        assert "secret" not in str(caught.value)
        assert caught.value.__context__ is None


def test_formats_of_several_files_are_all_of_them(tmp_path):
    (tmp_path / "a").mkdir()
    names = ("a.mrxs", "a/Slidedat.ini", "a/Data0000.dat", "b.vms", "b-0.jpg", "b(1,0).jpg", "1.dcm", "2.DCM")
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "b.vms").write_text(
        "[Virtual Microscope Specimen]\nNoLayers=1\nImageFile=b-0.jpg\nImageFile(1,0)=b(1,0).jpg\nMapFile=\n"
    )
    found = {
        name: [str(file.relative_to(tmp_path)) for file in files_of(tmp_path / name)]
        for name in ("a.mrxs", "b.vms", "1.dcm", "2.DCM", "b-0.jpg")
    }
    assert found == {
        "a.mrxs": ["a.mrxs", "a/Data0000.dat", "a/Slidedat.ini"],
        "b.vms": ["b.vms", "b(1,0).jpg", "b-0.jpg"],
        "1.dcm": ["1.dcm", "2.DCM"],
        "2.DCM": ["2.DCM", "1.dcm"],
        "b-0.jpg": ["b-0.jpg"],
    }
    assert files_of(tmp_path / "b.tif") == (tmp_path / "b.tif",)


def test_svs_says_its_pixels_and_keeps_its_levels_in_the_chain(tmp_path):
    path = tmp_path / "a.svs"
    text = "Aperio Image Library v1\n420x300 [0,0 420x300] (64x64) JPEG/RGB Q=70|AppMag = 20|MPP = 0.4990"
    with tifffile.TiffWriter(path) as file:
        for level in (tissue(), tissue(40, 60), tissue(75, 105), tissue(50, 50)):
            tiled = {"tile": (64, 64)} if level.shape[0] in (300, 75) else {}
            file.write(level, photometric="rgb", metadata=None, description=text, software="", **tiled)
    found = pyramid_of(path, "a")
    assert isinstance(found, TiffPyramid)
    assert [level.scale for level in found.levels] == [1.0, 4.0]
    assert found.statements == {"MPP of Aperio": 0.499}


def test_files_that_may_be_read_in_parts_carry_the_rules_of_their_pixels(tmp_path):
    write_pyramid(tmp_path / "a.bin", tissue())
    (tmp_path / "b.ndpi").write_bytes(b"of a scanner")
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8")
    found = [looking.rules_of(tmp_path / name) for name in ("a.bin", "b.ndpi", "c.jpg", "gone")]
    assert found == [looking.RULES, looking.RULES, "", ""]
