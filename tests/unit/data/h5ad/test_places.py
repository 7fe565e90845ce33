"""x and y by name, array indices that are no places, and places against array indices."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.readers.geometry import axes_of
from pytest_stbench.errors import DataError

from .made import UM, N, check, dataset, lattice, new, section

PIXELS = lattice()[2] / UM


def frame(made, columns):
    """x and y under the names given, in the order given."""
    return pd.DataFrame(columns, index=made.obs_names)


NAMES = [
    ("x", "y"), ("X", "Y"), ("pxl_col_in_fullres", "pxl_row_in_fullres"), ("pxl_col", "pxl_row"),
    ("imagecol", "imagerow"), ("image_col", "image_row"), ("x_centroid", "y_centroid"),
    ("pixel_x", "pixel_y"), ("x_um", "y_um"), ("CenterX_global_px", "CenterY_global_px"),
    ("x_coord", "y_coord"), ("x_coordinate", "y_coordinate"), ("spatial_x", "spatial_y"),
]  # fmt: skip
IN_FILES = [*NAMES[:3], *(pytest.param(names, marks=pytest.mark.exhaustive) for names in NAMES[3:])]
"""All of them; few are written to files in every run, as names alone tell x from y."""


@pytest.mark.parametrize("names", NAMES)
def test_names_alone_tell_x_from_y(names):
    assert axes_of(list(names)) == axes_of(list(names[::-1])) == names


@pytest.mark.parametrize("names", IN_FILES)
@pytest.mark.parametrize("turned", [False, True])
def test_names_decide_and_not_the_order(tmp_path, names, turned):
    made = section(5)
    columns = {names[0]: PIXELS[:, 0], names[1]: PIXELS[:, 1]}
    columns = dict(reversed(columns.items())) if turned else columns
    made.obsm["spatial"] = frame(made, columns)
    made.write_h5ad(tmp_path / "A.h5ad")
    np.testing.assert_array_equal(dataset(tmp_path).slide("A").xy_um, PIXELS)


@pytest.mark.parametrize("names", IN_FILES)
def test_columns_of_obs_are_found_and_read(tmp_path, monkeypatch, names):
    made = section(5)
    made.obs[names[1]], made.obs[names[0]] = PIXELS[:, 1], PIXELS[:, 0]
    del made.obsm["spatial"]
    made.write_h5ad(tmp_path / "A.h5ad")
    config, found, _ = new(tmp_path, monkeypatch)
    assert (config.keys.x, config.keys.y) == names
    np.testing.assert_allclose(found.slide("A").xy_um, PIXELS * UM, rtol=1e-3)
    assert check(tmp_path, select="missing_coords")["missing_coords"]["status"] == "pass"


def test_the_more_telling_pair_goes_first():
    assert axes_of(["y", "x", "pxl_row_in_fullres", "pxl_col_in_fullres"]) == (
        "pxl_col_in_fullres",
        "pxl_row_in_fullres",
    )
    assert axes_of(["x", "total", "y"]) == ("x", "y")
    assert axes_of(["row", "col"]) is None
    assert axes_of(["row", "col"], grid=True) == ("col", "row")
    assert axes_of(["array_row", "array_col", "y", "x"], grid=True) == ("x", "y")
    assert axes_of(["x", "z"]) is None
    assert axes_of(["pxl_col_in_fullres", "pxl_row_in_lowres"]) is None
    assert axes_of([]) is None


def test_a_frame_of_other_names(tmp_path):
    made = section(5)
    made.obsm["spatial"] = frame(made, {"first": PIXELS[:, 0], "second": PIXELS[:, 1]})
    made.write_h5ad(tmp_path / "A.h5ad")
    np.testing.assert_array_equal(dataset(tmp_path).slide("A").xy_um, PIXELS)
    made.obsm["spatial"] = frame(made, {"a": PIXELS[:, 0], "b": PIXELS[:, 1], "c": 0.0})
    made.write_h5ad(tmp_path / "A.h5ad")
    with pytest.raises(DataError, match=r"has the columns a, b, c: none of them are known as x and y"):
        dataset(tmp_path).slide("A")


def test_depth_is_left_out_of_a_frame(tmp_path):
    made = section(5)
    made.obsm["spatial"] = frame(made, {"z": 1.0, "y": PIXELS[:, 1], "x": PIXELS[:, 0]})
    made.write_h5ad(tmp_path / "A.h5ad")
    np.testing.assert_array_equal(dataset(tmp_path).slide("A").xy_um, PIXELS)


def test_x_and_y_go_before_obsm_and_belong_together(tmp_path):
    made = section(5)
    made.obs["imagerow"], made.obs["imagecol"] = PIXELS[:, 1] * 2, PIXELS[:, 0] * 2
    made.write_h5ad(tmp_path / "A.h5ad")
    keys = {"x": "imagecol", "y": "imagerow"}
    np.testing.assert_array_equal(dataset(tmp_path, keys=keys).slide("A").xy_um, PIXELS * 2)
    with pytest.raises(DataError, match=r"obs has no column 'imagecl' \(keys.x, keys.y\); .*mean 'imagecol'"):
        dataset(tmp_path, keys={**keys, "x": "imagecl"}).slide("A")
    made.obs["imagecol"] = ["left"] * N
    made.write_h5ad(tmp_path / "A.h5ad")
    with pytest.raises(DataError, match=r"obs\['imagecol'\] holds coordinates, so numbers"):
        dataset(tmp_path, keys=keys).slide("A")


# -- array indices -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("array_row", "array_col"), ("array_col", "array_row")])
@pytest.mark.parametrize("kind", ["array", "frame"])
def test_array_indices_are_no_places(tmp_path, monkeypatch, order, kind):
    """obsm holds the grid, obs the pixels."""
    made = section(5)
    index = made.obs[list(order)]
    made.obs["pxl_row_in_fullres"], made.obs["pxl_col_in_fullres"] = PIXELS[:, 1], PIXELS[:, 0]
    made.obsm["spatial"] = index.to_numpy() if kind == "array" else index
    made.write_h5ad(tmp_path / "A.h5ad")
    config, found, _ = new(tmp_path, monkeypatch)
    assert (config.keys.x, config.keys.y) == ("pxl_col_in_fullres", "pxl_row_in_fullres")
    np.testing.assert_allclose(found.slide("A").xy_um, PIXELS * UM, rtol=1e-3)


def test_array_indices_alone_give_places(tmp_path, monkeypatch):
    made = section(5)
    made.obsm["spatial"] = made.obs[["array_col", "array_row"]].to_numpy()
    made.write_h5ad(tmp_path / "A.h5ad")
    config, found, text = new(tmp_path, monkeypatch)
    assert config.keys.spatial is None
    assert config.scale is None
    assert "spatial: null" in text
    np.testing.assert_allclose(found.slide("A").xy_um, PIXELS * UM)
    found = check(tmp_path, "--set", "technology=Visium", "--set", "resolution=spot", select="missing_coords")
    assert found["missing_coords"]["status"] == "pass"


def test_array_indices_of_nobody_knows_what(tmp_path, monkeypatch):
    made = section(5)
    made.obs["array_col"] += np.arange(N) % 2  # no array of Visium
    made.obsm["spatial"] = made.obs[["array_col", "array_row"]].to_numpy()
    made.write_h5ad(tmp_path / "A.h5ad")
    assert "units have array indices and no places, and the files do not say" in new(tmp_path, monkeypatch)


def test_pixels_called_row_and_col_are_no_array(tmp_path, monkeypatch):
    made = section(5)
    made.obs = made.obs[["patient"]]
    made.obs["row"], made.obs["col"] = PIXELS[:, 1].round().astype(int), PIXELS[:, 0].round().astype(int)
    made.write_h5ad(tmp_path / "A.h5ad")
    config, *_ = new(tmp_path, monkeypatch)
    assert config.keys.array_row is None


def test_null_for_spatial_needs_array_indices(tmp_path):
    section(5).write_h5ad(tmp_path / "A.h5ad")
    with pytest.raises(DataError, match=r"keys\.spatial is null: name array indices by keys\.array_row"):
        dataset(tmp_path, keys={"spatial": None}).slide("A")


TURNS = {
    "as it is": (lambda xy: xy, "pass"),
    "a quarter": (lambda xy: np.column_stack([-xy[:, 1], xy[:, 0]]) + 9000, "pass"),
    "half": (lambda xy: 9000 - xy, "pass"),
    "exchanged": (lambda xy: xy[:, ::-1], "warn"),
    "flipped": (lambda xy: xy * [-1, 1] + [9000, 0], "warn"),
    "stretched": (lambda xy: xy * [1, 1.3], "fail"),
    "shuffled": (lambda xy: np.random.default_rng(0).permutation(xy), "fail"),
}


@pytest.mark.parametrize("turn", TURNS)
def test_places_against_array_indices(tmp_path, turn):
    change, status = TURNS[turn]
    made = section(5)
    made.obsm["spatial"] = change(PIXELS)
    made.write_h5ad(tmp_path / "A.h5ad")
    options = ("--set", "technology=Visium", "--set", "resolution=spot", "--set", f"um_per_px={UM}")
    found = check(tmp_path, *options, select="missing_coords")["missing_coords"]
    assert found["status"] == status, found["message"]
    words = {"warn": "mirror image", "fail": "array indices", "pass": "complete"}
    assert words[status] in found["message"]


def test_exchanged_array_columns_fail(tmp_path):
    made = section(5)
    made.obs = made.obs.rename(columns={"array_row": "array_col", "array_col": "array_row"})
    made.write_h5ad(tmp_path / "A.h5ad")
    options = ("--set", "technology=Visium", "--set", "resolution=spot", "--set", f"um_per_px={UM}")
    found = check(tmp_path, *options, select="missing_coords")["missing_coords"]
    assert found["status"] == "fail"
    assert "3 times as long as its array indices say" in found["message"]


def test_tables_of_anndata_06_are_entries_too(tmp_path):
    from pytest_stbench.data.readers.annotations import entries_of

    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["obsm"] = np.array([([0.0, 1.0], 5.0)], dtype=[("spatial", "f8", (2,)), ("X_one", "f8")])
        found = entries_of(file)
        assert found["spatial"].tolist() == [[0.0, 1.0]]
        assert set(found) == {"spatial", "X_one"}
