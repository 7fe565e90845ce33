"""Slides that libvips writes, read beside libvips and OpenSlide; the page's example for torch."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import anndata
import numpy as np
import pytest
from PIL import Image as PillowImage, ImageFilter

from pytest_stbench.data.image import Image
from pytest_stbench.data.inputs import ModelSlide
from pytest_stbench.data.slide import SlideMeta

PAGE = Path(__file__).parents[2] / "docs" / "images.md"
MPP = 0.25
LAYOUTS = {
    "tiles": {"tile": True, "tile_width": 128, "tile_height": 128},
    "pyramid": {"tile": True, "tile_width": 128, "tile_height": 128, "pyramid": True},
    "below": {"tile": True, "tile_width": 128, "tile_height": 128, "pyramid": True, "subifd": True},
    "strips": {},
}
COMPRESSIONS = {"none": {}, "deflate": {}, "lzw": {}, "jpeg": {"Q": 85}}


def tissue(height=700, width=900):
    rng = np.random.default_rng(0)
    picture = PillowImage.fromarray(rng.integers(60, 250, (height, width, 3)).astype(np.uint8))
    return np.array(picture.filter(ImageFilter.GaussianBlur(3)))


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_of_libvips_show_what_libvips_shows(tmp_path, layout, compression, bigtiff):
    pyvips = pytest.importorskip("pyvips")
    path = tmp_path / "a.tif"
    pyvips.Image.new_from_array(tissue()).tiffsave(
        str(path), compression=compression, bigtiff=bigtiff, xres=1000 / MPP, yres=1000 / MPP,
        **LAYOUTS[layout], **COMPRESSIONS[compression],
    )  # fmt: skip
    if compression == "lzw" and layout != "strips":
        pytest.importorskip("imagecodecs")
    image = Image(path, mpp=MPP)
    shown = pyvips.Image.new_from_file(str(path)).numpy()
    np.testing.assert_array_equal(image.pixels(), shown)
    if compression != "jpeg":
        np.testing.assert_array_equal(shown, tissue())
    if layout == "strips":
        return
    assert image.pyramid.statements["TIFF resolution tags"] == pytest.approx(MPP, rel=1e-3)
    levels = 1 if layout == "tiles" else 4
    assert len(image.pyramid.levels) == levels


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_openslide_shows_the_same_of_them(tmp_path, compression):
    pyvips, openslide = pytest.importorskip("pyvips"), pytest.importorskip("openslide")
    path = tmp_path / "a.tif"
    pyvips.Image.new_from_array(tissue()).tiffsave(
        str(path), compression=compression, **LAYOUTS["pyramid"], **COMPRESSIONS[compression]
    )
    slide = openslide.OpenSlide(str(path))
    pyramid = Image(path, mpp=MPP).pyramid
    assert [(level.width, level.height) for level in pyramid.levels] == list(slide.level_dimensions)
    places = np.array([[200.0, 150.0], [640.0, 500.0]])
    for level, scale in ((0, 1), (1, 2)):
        patches = Image(path, mpp=MPP).input(places).patches(64, MPP * scale)
        for (x, y), patch in zip(places, patches, strict=True):
            corner = [int(np.floor(at / scale - 32 + 0.5)) * scale for at in (x, y)]
            theirs = np.asarray(slide.read_region(corner, level, (64, 64)).convert("RGB"))
            np.testing.assert_array_equal(patch, theirs)


def test_planes_of_libvips_one_below_the_other_are_channels(tmp_path):
    """The way of libvips to OME-TIFF: planes as images of their own, smaller levels below each."""
    pyvips = pytest.importorskip("pyvips")
    stacked = pyvips.Image.new_from_array(np.concatenate(list(tissue().transpose(2, 0, 1)))).copy()
    channels = "".join(f'<Channel ID="Channel:0:{k}" Name="{name}"/>' for k, name in enumerate("RGB"))
    stacked.set_type(pyvips.GValue.gint_type, "page-height", 700)
    stacked.set_type(
        pyvips.GValue.gstr_type, "image-description",
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels '
        'ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="900" SizeY="700" SizeC="3" SizeZ="1" '
        f'SizeT="1" PhysicalSizeX="{MPP}" PhysicalSizeY="{MPP}">{channels}<TiffData/></Pixels></Image></OME>',
    )  # fmt: skip
    stacked.tiffsave(str(tmp_path / "a.ome.tif"), compression="deflate", **LAYOUTS["below"])
    image = Image(tmp_path / "a.ome.tif", mpp=MPP)
    np.testing.assert_array_equal(image.pixels(), tissue())
    assert [level.scale for level in image.pyramid.levels] == [1, 2, 4, 8]
    assert image.pyramid.statements["OME PhysicalSizeX"] == MPP


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_example_for_torch_reads_in_workers(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    import tifffile

    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "DataLoader" in block]
    (tmp_path / "example_of_the_page.py").write_text(example, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("example_of_the_page")
    try:
        path = tmp_path / "a.tif"
        tiles = {"tile": (128, 128), "photometric": "rgb", "compression": "zlib", "metadata": None}
        tifffile.imwrite(path, tissue(), **tiles)
        n = 150
        places = np.random.default_rng(1).uniform(0, 700, (n, 2))
        given = Image(path, mpp=0.5).input(places)
        slide = ModelSlide(units=anndata.AnnData(np.zeros((n, 1))), meta=SlideMeta(slide_id="S"), image=given)
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.AvgPool2d(32), torch.nn.Flatten(), torch.nn.Linear(147, 5))
        found = module.Encoder(network).embed(slide)
        patches = torch.from_numpy(slide.patches(224, 0.5)).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            np.testing.assert_allclose(found, network(patches).numpy(), atol=1e-5)
    finally:
        sys.modules.pop("example_of_the_page")
