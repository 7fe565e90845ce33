from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from pytest_stbench.data.image import Image
from pytest_stbench.data.images.looking import statements_of
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import ImageSpec

from .slides import tissue, write_pyramid

OME, TAGS = "OME PhysicalSizeX", "TIFF resolution tags"


def said(tmp_path, **options):
    path = write_pyramid(tmp_path / "a.tif", tissue(), levels=1, **options)
    return statements_of(path, "a")


@pytest.mark.parametrize(
    ("written", "um"),
    [
        ({"PhysicalSizeX": "0.2125", "PhysicalSizeY": "0.2125"}, 0.2125),
        ({"PhysicalSizeX": "0.2125"}, 0.2125),
        ({"PhysicalSizeX": "0.2125", "PhysicalSizeXUnit": "µm"}, 0.2125),
        ({"PhysicalSizeX": "212.5", "PhysicalSizeXUnit": "nm"}, 0.2125),
        ({"PhysicalSizeX": "2.125e-4", "PhysicalSizeXUnit": "mm"}, 0.2125),
        ({"PhysicalSizeX": "0.2125", "PhysicalSizeXUnit": "pixel"}, None),
        ({"PhysicalSizeX": "0"}, None),
        ({"PhysicalSizeX": "-1"}, None),
        ({"PhysicalSizeX": "nan"}, None),
        ({"PhysicalSizeX": "much"}, None),
        ({}, None),
    ],
)
def test_ome_says_it_with_its_unit(tmp_path, written, um):
    assert said(tmp_path, ome=written) == ({} if um is None else pytest.approx({OME: um}))


def test_the_ome_image_of_the_same_size_counts(tmp_path):
    text = (
        '<OME xmlns="x"><Image><Pixels SizeX="10" SizeY="10" PhysicalSizeX="9"/></Image>'
        '<Image><Pixels SizeX="420" SizeY="300" PhysicalSizeX="0.5"/></Image></OME>'
    )
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, tissue(), tile=(64, 64), photometric="rgb", description=text, metadata=None)
    assert statements_of(path, "a") == {OME: 0.5}


@pytest.mark.parametrize(
    ("per", "unit", "um"),
    [
        (40_000, "CENTIMETER", 0.25),
        (101_600, "INCH", 0.25),
        (72, "INCH", None),
        (300, "INCH", None),
        (1200, "INCH", None),
        (40_000, "NONE", None),
        (0, "CENTIMETER", None),
    ],
)
@pytest.mark.parametrize("tiled", [True, False])
def test_tags_say_it_but_not_of_screens_and_printers(tmp_path, per, unit, um, tiled):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, tissue(), photometric="rgb", metadata=None, resolution=(per, per), resolutionunit=unit,
        **({"tile": (64, 64)} if tiled else {}),
    )  # fmt: skip
    assert statements_of(path, "a") == ({} if um is None else pytest.approx({TAGS: um}))


def test_imagej_says_it_in_its_description(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, tissue(), imagej=True, resolution=(4, 4), metadata={"unit": "um", "axes": "YXS"})
    assert statements_of(path, "a") == pytest.approx({"ImageJ": 0.25})


def test_pixels_that_are_not_square_are_an_error(tmp_path):
    with pytest.raises(DataError, match=r"a: pixels are 0\.25 by 0\.3 um \(OME PhysicalSizeX\); .* square"):
        said(tmp_path, ome={"PhysicalSizeX": "0.25", "PhysicalSizeY": "0.3"})
    assert said(tmp_path, ome={"PhysicalSizeX": "0.25", "PhysicalSizeY": "0.252"})[OME] == pytest.approx(
        0.251, rel=1e-4
    )


def declared(path, um_per_px, **more):
    spec = ImageSpec(path="a.tif", um_per_px=um_per_px)
    return Image.declared(path, spec, um_per_px, **more)


def test_a_contradiction_above_five_per_cent_names_both(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", tissue(), um=0.25)
    assert declared(path, 0.25).mpp == 0.25
    assert declared(path, 0.262).mpp == 0.262, "what is declared counts"
    for wrong in (0.264, 0.236, 0.5, 1e-9):
        with pytest.raises(
            DataError, match=r"a\.tif: image\.um_per_px says that a pixel is .* the file says 0\.25 um"
        ):
            declared(path, wrong)
    with pytest.raises(DataError, match=r"a\.tif: the matrix m\.csv says that a pixel is 0\.5 um"):
        declared(path, 0.5, said_by="the matrix m.csv")


def test_absence_takes_what_the_file_says_or_asks(tmp_path):
    assert declared(write_pyramid(tmp_path / "a.tif", tissue(), um=0.25), None).mpp == pytest.approx(0.25)
    with pytest.raises(
        DataError, match=r"a\.tif: the file does not say the size of its pixels: write `um_per_px`"
    ):
        declared(write_pyramid(tmp_path / "a.tif", tissue()), None)
    PillowImage.fromarray(tissue()).save(tmp_path / "a.jpg", dpi=(25_400, 25_400))
    with pytest.raises(DataError, match=r"a\.jpg: the file does not say"):
        declared(tmp_path / "a.jpg", None)


def test_two_sizes_in_one_file_ask_for_one(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", tissue(), um=0.5, ome={"PhysicalSizeX": "0.25"})
    with pytest.raises(
        DataError, match=r"a\.tif: the file says two sizes .* 0\.25 um \(OME .*0\.5 um \(TIFF"
    ):
        declared(path, None)
    assert declared(path, 0.25).mpp == 0.25
    assert declared(path, 0.5).mpp == 0.5
    with pytest.raises(
        DataError, match=r"image\.um_per_px says that a pixel is 0\.3 um, the file says 0\.25 um"
    ):
        declared(path, 0.3)


def test_a_task_file_without_it_reads_what_the_file_says(tmp_path, write_slide):
    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.data.samples import load_samples
    from pytest_stbench.spec.model import DatasetSpec

    write_slide(obsm={"spatial": np.full((6, 2), 50.0)})
    write_pyramid(tmp_path / "A1.tif", tissue(), um=0.25, missing={(0, 1)})
    config = DatasetSpec(source="h5ad", path="A1.h5ad", image={"path": "{slide}.tif"})
    dataset = Dataset("d", config, load_samples(config, "d", [tmp_path]), [tmp_path])
    slide = dataset.slide("A1")
    assert slide.image.mpp == pytest.approx(0.25)
    assert dataset.notes["image_tiles_missing"] == {"A1": 1}
