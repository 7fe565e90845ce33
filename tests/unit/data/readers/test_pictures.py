"""Images beside bundles, placed by the matrix that a vendor's software writes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from pytest_stbench.checks import image_registration
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.readers.imaging.pictures import matrix_of, of_explorer, of_mosaic
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec

from .bundles import write_10x_matrix, write_merscope, write_xenium

PUBLISHED = (
    "0.011071028838929093,1.2895790134339569,807.9788953065927\n"
    "-1.2895790134339569,0.011071028838929093,73097.655174759\n"
    "0,0,1\n"
)
"""A matrix that 10x Genomics published, with the place it gives to the corner of the H&E."""


def opened(tmp_path, source, path, **changes):
    config = DatasetSpec(source=source, path=path, **changes)
    return Dataset("d", config, load_samples(config, "d", [tmp_path]), [tmp_path])


def write_matrix(path, matrix):
    path.write_text("\n".join(",".join(repr(float(v)) for v in row) for row in matrix))


def test_the_corner_of_the_published_image_lies_where_its_publisher_says(tmp_path):
    (tmp_path / "m.csv").write_text(PUBLISHED)
    to_px = of_explorer(tmp_path / "m.csv")
    corner_um = np.array([807.9788953065927, 73097.655174759]) * 0.2125
    np.testing.assert_allclose(to_px @ [*corner_um, 1], [0, 0, 1], atol=1e-6)
    # ten thousand pixels to the right on the H&E are down on the morphology image
    right_um = corner_um + np.array([0.011071028838929093, -1.2895790134339569]) * 1e4 * 0.2125
    np.testing.assert_allclose(to_px @ [*right_um, 1], [1e4, 0, 1], atol=1e-6)


@pytest.mark.parametrize(("said", "pixel"), [(0.2125, 0.2125), (0.425, 0.425), (None, 0.2125)])
def test_units_are_placed_by_the_pixel_of_the_bundle(tmp_path, said, pixel):
    write_xenium(tmp_path / "b" / "S1")
    facts = {"panel_name": "p"} | ({} if said is None else {"pixel_size": said})
    (tmp_path / "b" / "S1" / "experiment.xenium").write_text(json.dumps(facts))
    PIL.Image.fromarray(np.full((40, 50, 3), 9, np.uint8)).save(tmp_path / "S1.png")
    # a quarter turn, 1.25 pixels of the morphology image to one of the H&E
    forward = np.array([[0.0, -1.25, 700.0], [1.25, 0.0, -300.0], [0.0, 0.0, 1.0]])
    write_matrix(tmp_path / "S1.csv", forward)
    dataset = opened(tmp_path, "xenium", "b/*", image={"path": "{slide}.png", "alignment": "{slide}.csv"})
    slide = dataset.slide("S1")
    assert slide.image.mpp == pytest.approx(1.25 * pixel)
    back = np.column_stack([slide.xy_px, np.ones(slide.n_units)]) @ forward.T * pixel
    np.testing.assert_allclose(back[:, :2], slide.xy_um)


def test_merscope_writes_the_map_from_um_to_pixels(tmp_path):
    write_merscope(tmp_path / "b" / "R1")
    PIL.Image.fromarray(np.full((40, 50), 9, np.uint8)).save(tmp_path / "R1.png")
    (tmp_path / "R1.csv").write_text("9.26 0.0 -120.5\n0.0 9.26 44.0\n0.0 0.0 1.0\n")
    image = {"path": "{slide}.png", "alignment": "{slide}.csv"}
    slide = opened(tmp_path, "merscope", "b/*", image=image).slide("R1")
    np.testing.assert_allclose(slide.xy_px, slide.xy_um * 9.26 + [-120.5, 44.0])
    assert slide.image.mpp == pytest.approx(1 / 9.26)
    PIL.Image.fromarray(np.full((40, 50), 900, np.uint16)).save(tmp_path / "R1.png")
    with pytest.raises(DataError, match=r"R1\.png: image of mode I;16; 8 bits a channel are needed"):
        opened(tmp_path, "merscope", "b/*", image=image).slide("R1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fixedX,fixedY,alignmentX,alignmentY\n1,2,3,4\n", "m.csv:1: these are the key points"),
        ("a,b,c\n0,1,0\n0,0,1\n", "m.csv:1: field 1 is 'a', no finite number; allowed are three lines"),
        ("1,0,5\n\n0,,1,6\n0,0,1\n", "m.csv:3: field 2 is empty, no finite number; allowed are three lines"),
        ("1,,5\n0,1,6\n0,0,1\n", "m.csv:1: field 2 is empty"),
        ("1,0,5,\n0,1,6,\n0,0,1,\n", "m.csv:1: field 4 is empty"),
        (",,\n1,0,5\n0,1,6\n0,0,1\n", "m.csv:1: field 1 is empty"),
        ("1 0 5\n0 1 inf\n0 0 1\n", "m.csv:2: field 3 is 'inf', no finite number"),
        ("1,0,5\n0,1,5\n", "found 2 lines of 3, 3 numbers; allowed are three lines"),
        ("1,0\n0,1\n0,0\n", "found 3 lines of 2, 2, 2 numbers"),
        ("", "found 0 lines of no numbers"),
        (
            "1,0,nan\n0,1,5\n0,0,1\n",
            "m.csv:1: field 3 is 'nan', no finite number; allowed are three",
        ),
        ("0.1,0,5\n0,0.1,6\n0,0,1\n", r"is 0\.02125 um by this matrix; 0\.05 to 50 um are plausible"),
        ("300,0,5\n0,300,6\n0,0,1\n", r"is 63\.75 um by this matrix; 0\.05 to 50 um are plausible"),
        ("1,0,0\n0,1,0\n5,6,1\n", "m.csv:3: found 5, 6, 1; .* it is transposed"),
        ("1,0,5\n0,1,6\n0,0,2\n", "m.csv:3: found 0, 0, 2; allowed"),
        ("1,1,5\n1,1,6\n0,0,1\n", "maps the image to a line or a point"),
        ("2,0,5\n0,1,6\n0,0,1\n", r"pixels are 0\.425 by 0\.2125 um; models see square pixels"),
        ("1,0.5,5\n0,1,6\n0,0,1\n", "models see square pixels"),
    ],
)
def test_files_that_are_no_alignment_are_told(tmp_path, text, message):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        of_explorer(tmp_path / "m.csv")


def test_a_matrix_may_have_a_mark_blanks_and_empty_lines(tmp_path):
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbf1, 0, 5\r\n0, 1, 6\r\n0, 0, 1\r\n\r\n")
    assert matrix_of(tmp_path / "m.csv").tolist() == [[1, 0, 5], [0, 1, 6], [0, 0, 1]]
    assert of_mosaic(tmp_path / "m.csv").tolist() == [[1, 0, 5], [0, 1, 6], [0, 0, 1]]


def test_a_matrix_that_is_not_there_is_told(tmp_path):
    write_xenium(tmp_path / "b" / "S1")
    PIL.Image.fromarray(np.full((40, 50, 3), 9, np.uint8)).save(tmp_path / "S1.png")
    image = {"path": "{slide}.png", "alignment": "{slide}.csv"}
    with pytest.raises(DataError, match=r"slide S1: the matrix of its image is not there: image\.alignment"):
        opened(tmp_path, "xenium", "b/*", image=image).slide("S1")


# -- whether the check sees a wrong matrix ---------------------------------------------------------

SIDE, PIXEL = 1600.0, 0.2125
FORWARD = np.array([[0.0, 18.8, -400.0], [-18.8, 0.0, 9400.0], [0.0, 0.0, 1.0]])
"""Pixels of 4 um of an H&E a quarter turned, and shifted, against the morphology image."""


@pytest.fixture(scope="module")
def stained(tmp_path_factory):
    """A bundle whose cells express by their place, with an H&E that shows where."""
    folder = tmp_path_factory.mktemp("stained")
    rng = np.random.default_rng(5)
    n = 1200
    xy = rng.uniform(80, SIDE - 80, (n, 2))
    tumour = field(xy)
    rates = np.column_stack([2 + 25 * tumour, 2 + 25 * (1 - tumour), 3 + 10 * tumour, np.full(n, 6.0)])
    genes, names = ["ERBB2", "VIM", "EPCAM", "CD3E"], [f"c{i:05d}-1" for i in range(n)]
    bundle = folder / "b" / "S1"
    bundle.mkdir(parents=True)
    types = ["Gene Expression"] * 4
    write_10x_matrix(bundle / "cell_feature_matrix.h5", rng.poisson(rates).T, genes, types, names)
    pd.DataFrame({"cell_id": names, "x_centroid": xy[:, 0], "y_centroid": xy[:, 1]}).to_parquet(
        bundle / "cells.parquet"
    )
    height, width = 460, 460
    row, column = np.mgrid[0:height, 0:width]
    pixels = np.column_stack([column.ravel() + 0.5, row.ravel() + 0.5, np.ones(row.size)])
    dark = field((pixels @ FORWARD.T)[:, :2] * PIXEL).reshape(height, width)
    noise = rng.normal(0, 4, (height, width))
    colour = np.stack([200 - 110 * dark + noise, 150 - 90 * dark + noise, 205 - 40 * dark + noise], axis=2)
    PIL.Image.fromarray(colour.clip(0, 255).astype(np.uint8)).save(folder / "S1.png")
    return folder


def field(xy):
    """Return 0 to 1 at places (n, 2): patches of tissue in no order, so that no mirror image is alike."""
    middles = np.random.default_rng(3).uniform(0, SIDE, (40, 2))
    away = ((xy[:, None] - middles) ** 2).sum(axis=2) / (2 * 80.0**2)
    return 1 - np.exp(-1.2 * np.exp(-away).sum(axis=1))


@pytest.mark.parametrize(
    ("name", "matrix", "status"),
    [
        ("right", FORWARD, "pass"),
        ("turned", FORWARD * [[1, -1, 1], [-1, 1, 1], [1, 1, 1]], "fail"),
        ("mirrored", FORWARD @ np.array([[-1.0, 0, 460], [0, 1, 0], [0, 0, 1]]), "warn"),
    ],
)
def test_the_check_tells_a_right_matrix_from_a_wrong_one(stained, name, matrix, status):
    write_matrix(stained / f"{name}.csv", matrix)
    dataset = opened(stained, "xenium", "b/*", image={"path": "S1.png", "alignment": f"{name}.csv"})
    assert image_registration(dataset).status == status


@pytest.mark.parametrize(
    ("name", "matrix", "message"),
    [
        ("transposed", FORWARD.T, "it is transposed"),
        ("inverse", np.linalg.inv(FORWARD), r"is 0\.0113 um by this matrix; .* of the other direction"),
    ],
)
def test_a_matrix_the_wrong_way_is_refused(stained, name, matrix, message):
    write_matrix(stained / f"{name}.csv", matrix)
    image = {"path": "S1.png", "alignment": f"{name}.csv"}
    with pytest.raises(DataError, match=message):
        opened(stained, "xenium", "b/*", image=image).slide("S1")
