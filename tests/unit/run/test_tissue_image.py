"""The small image of the tissue lies where the units are, or says why there is none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

from pytest_stbench.data.image import Image
from pytest_stbench.results.map_parts import MapPart, joined, read_part, write_part
from pytest_stbench.results.slide_maps import from_anndata, to_anndata
from pytest_stbench.run.details import tissue_image
from pytest_stbench.run.details.tissue_image import NoImageError, small_image

PER_UM = 0.5
SHIFT = np.array([70.0, -40.0])


def made(tmp_path, suffix=".png", turn=1):
    """A slide whose image is black around every unit and white elsewhere; pixels are shifted and halved."""
    xy = 300 + 150.0 * np.array([[x, y] for x in range(8) for y in range(6)])
    xy_px = (xy * PER_UM + SHIFT)[:, ::turn]
    pixels = np.full((1200, 1200, 3), 255, np.uint8)
    for x, y in xy_px.astype(int):
        pixels[y - 12 : y + 12, x - 12 : x + 12] = 0
    path = tmp_path / f"tissue{suffix}"
    PIL.Image.fromarray(pixels).save(path)
    return SimpleNamespace(image=Image(path, mpp=1 / PER_UM), xy_um=xy, xy_px=xy_px)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("turn", [1, -1])
def test_places_times_the_scale_are_pixels(tmp_path, suffix, turn):
    slide = made(tmp_path, suffix, turn)
    image, scale = small_image(slide)
    assert max(image.shape[:2]) <= tissue_image.MOST_BLANK * tissue_image.SIDE
    inside = (slide.xy_um < slide.xy_um.max(axis=0)).all(axis=1)
    at, between = slide.xy_um * scale, (slide.xy_um[inside] + 75) * scale
    assert image[at[:, 1].astype(int), at[:, 0].astype(int)].max() < 40
    assert image[between[:, 1].astype(int), between[:, 0].astype(int)].min() > 215


def test_a_slide_without_an_image_has_none(tmp_path):
    slide = made(tmp_path)
    slide.image = None
    assert small_image(slide) is None


def test_an_image_that_is_made_is_made_where_the_task_asks_for_images(tmp_path):
    slide = made(tmp_path)
    pixels = slide.image.pixels()
    slide.image = Image(lambda: pixels, mpp=1 / PER_UM)
    assert small_image(slide, make=True)[0].shape
    with pytest.raises(NoImageError, match="asks nothing of images"):
        small_image(slide, make=False)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"xy_um": np.zeros((48, 2))}, "on one line"),
        ({"xy_px": np.random.default_rng(0).uniform(100, 900, (48, 2))}, "do not follow"),
        ({"shift": 1e6}, "begin near 0"),
        ({"shift": -2000.0}, "begin near 0"),
        ({"damage": True}, "tissue.png"),
    ],
)
def test_what_cannot_be_brought_there_is_said(tmp_path, change, word):
    slide = made(tmp_path)
    if "damage" in change:
        slide.image.path.write_bytes(slide.image.path.read_bytes()[:900])
    slide.xy_um = change.get("xy_um", slide.xy_um + change.get("shift", 0.0))
    slide.xy_px = change.get("xy_px", slide.xy_px)
    with pytest.raises(NoImageError, match=word):
        small_image(slide)


def part_of(slide, found):
    n = len(slide.xy_um)
    values = np.arange(n, dtype=np.float32)[:, None]
    return MapPart(
        about={"task": "t", "dataset": "d", "slide": "a/b"}, genes=np.array(["G"]), why=np.array(["asked"]),
        order=np.array([0]), units=np.array([f"u{i}" for i in range(n)]), xy_um=slide.xy_um,
        libsize=np.ones(n), truth=values, layers={"mine": values}, image=found[0], image_scale=found[1],
    )  # fmt: skip


@pytest.mark.filterwarnings(
    "ignore:The function spatial is deprecated:FutureWarning",
    "ignore:Use `squidpy.pl.spatial_scatter` instead:FutureWarning",
)
def test_the_image_goes_with_the_map_and_scanpy_shows_it(tmp_path):
    slide = made(tmp_path)
    found = small_image(slide)
    part = part_of(slide, found)
    write_part(tmp_path, part, "mine")
    back = from_anndata(to_anndata(read_part(next(tmp_path.rglob("*.npz")))))
    assert np.array_equal(back.image, found[0])
    assert back.image_scale == found[1]
    other = replace(part, image=np.empty((0, 0, 3), np.uint8), image_scale=0.0, layers={"b": part.truth})
    assert joined([other, part]).image_scale == found[1]
    data = to_anndata(part)
    (library,) = data.uns["spatial"].values()
    assert library["images"]["hires"].dtype == np.uint8
    assert library["scalefactors"]["spot_diameter_fullres"] == pytest.approx(75)
    scanpy = pytest.importorskip("scanpy")
    import matplotlib as mpl

    mpl.use("agg")
    (axes,) = scanpy.pl.spatial(data, color="G", show=False)
    assert axes.images[0].get_array().shape[:2] == found[0].shape[:2]
