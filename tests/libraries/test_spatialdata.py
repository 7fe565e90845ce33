"""Stores of spatialdata and spatialdata-io, read and held against what went into them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("zarr")

from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.spec.validate import load_task

COSMX_UM = 0.120280945
HIRES = {"image": "demo_hires_image"}
STORES = {
    "xenium": {},
    "xenium-old": {},
    "xenium-geoarrow": {},
    "xenium-all": {},
    "xenium-circles": {},
    "xenium-rows": {},
    "visium": {"params": HIRES},
    "visium-old": {"params": HIRES},
    "visium_hd": {"params": {"table": "square_016um", **HIRES}},
    "visium_hd-labels": {"params": {"table": "square_016um", **HIRES}},
    "visium_hd-cells": {"path": "visium_hd.zarr", "params": {"table": "cell_segmentations", **HIRES}},
    "cosmx": {"params": {"region": "*"}, "scale": {"um_per_px": COSMX_UM}},
    "merscope": {},
    "labelled": {"keys": {"niche": "niche"}, "scale": {"um_per_px": 1.0}},
    "outlines": {"params": {"table": "table"}, "scale": {"um_per_px": 0.5}},
    "fields": {"params": {"region": "*"}, "scale": {"um_per_px": 1.0}},
    "shards": {"scale": {"um_per_px": 0.25}},
}


def opened(folder, name, path=None, **changes):
    config = DatasetSpec(source="spatialdata", path=path or f"{name}.zarr", **changes)
    return Dataset("d", config, load_samples(config, "d", [folder]), [folder])


def slide_of(folder, name, **changes):
    dataset = opened(folder, name, **(STORES[name] | changes))
    (slide_id,) = dataset.slide_ids
    return dataset.slide(slide_id), dataset


@pytest.mark.parametrize("name", STORES)
def test_units_are_those_that_were_written(folder, truth, name):
    told = truth(name)
    slide, dataset = slide_of(folder, name)
    order = [slide.unit_names.tolist().index(unit) for unit in told["names"]]
    assert slide.unit_names[order].tolist() == told["names"]
    # pixels of masks are half a pixel off an outline, whole pixels of Visium half a pixel
    np.testing.assert_allclose(slide.xy_um[order], told["xy_um"], rtol=1e-3, atol=0.25)
    assert sorted(slide.genes) == sorted(told["genes"])
    columns = [told["genes"].index(gene) for gene in slide.genes]
    np.testing.assert_array_equal(slide.counts.toarray()[order], told["counts"][:, columns])
    if "technology" in told:
        assert slide.meta.technology == told["technology"]
    if "controls" in told and name != "merscope":  # its reader drops them from the table
        np.testing.assert_array_equal(slide.measures["control_counts"][order], told["controls"])
    if "niche" in told:
        assert slide.labels["niche"][order].tolist() == told["niche"]
    notes = {note: next(iter(number.values())) for note, number in dataset.notes.items()}
    assert notes["barcodes_not_under_tissue"] == told.get("off_tissue", 0)


@pytest.mark.parametrize("name", [name for name in STORES if name != "visium_hd"])
def test_outlines_are_named_like_units(folder, truth, name):
    told = truth(name)
    if "cells" not in told:
        pytest.skip("nothing in the store outlines cells")
    slide, _ = slide_of(folder, name)
    cells = slide.segmentations["cell"]
    assert sorted(cells.names) == sorted(told["names"])
    x1, y1 = slide.xy_um.max(axis=0) + 20
    pixel = 0.1
    drawn = cells.labels(pixel, (0.0, 0.0, x1, y1))
    for unit, (x, y) in zip(slide.unit_names, slide.xy_um, strict=True):
        if name == "outlines":
            break  # rings have no cell in their middle
        assert cells.names[drawn[int(y / pixel), int(x / pixel)] - 1] == unit
    sizes = dict(
        zip(cells.names, np.bincount(drawn.ravel(), minlength=len(cells.names) + 1)[1:], strict=True)
    )
    if "cell_um2" in told:
        np.testing.assert_allclose(np.array(list(sizes.values())) * pixel**2, told["cell_um2"], rtol=0.1)


@pytest.mark.parametrize(
    "name", ["xenium", "xenium-old", "xenium-circles", "xenium-rows", "cosmx", "merscope", "shards"]
)
def test_transcripts_name_the_units(folder, truth, name):
    told = truth(name)
    slide, _ = slide_of(folder, name)
    batches = list(slide.transcripts.batches(cells=True))
    cell = np.concatenate([batch.cell for batch in batches])
    xy = np.concatenate([np.column_stack([batch.x_um, batch.y_um]) for batch in batches])
    assert len(cell) == told["transcripts"]
    assert (cell == "").sum() == told["unassigned"]
    place = dict(zip(slide.unit_names, slide.xy_um, strict=True))
    owned = cell != ""
    assert set(cell[owned]) <= set(place)
    away = np.abs(xy[owned] - np.array([place[unit] for unit in cell[owned]]))
    assert away.max() < 3.3
    feature = np.concatenate([slide.transcripts.features[batch.feature] for batch in batches])
    for column, gene in enumerate(told["genes"]):
        counted = [int(((feature == gene) & (cell == unit)).sum()) for unit in told["names"]]
        assert counted == told["counts"][:, column].tolist()


def test_a_cell_may_have_two_nuclei(folder, truth):
    told = truth("xenium")
    slide, _ = slide_of(folder, "xenium", params={"nuclei": "nucleus_boundaries"})
    nuclei = slide.segmentations["nucleus"]
    drawn = nuclei.labels(0.1, (0.0, 0.0, 80.0, 60.0))
    sizes = np.bincount(drawn.ravel(), minlength=len(nuclei.names) + 1)[1:] * 0.01
    assert len(nuclei.names) == told["nuclei"]
    np.testing.assert_allclose(sizes, 4.0, rtol=0.15)


def test_the_turned_image_lies_under_the_cells(folder, truth):
    slide, _ = slide_of(folder, "xenium")
    x, y = slide.xy_um.T / 0.2125
    scale = 0.5 / 0.2125
    # x = 4 + scale * row, y = 300 - scale * column of the image
    np.testing.assert_allclose(slide.xy_px, np.column_stack([(300 - y) / scale, (x - 4) / scale]), rtol=1e-6)
    assert slide.image.mpp == pytest.approx(0.5)


def test_images_of_visium(folder, truth):
    slide, _ = slide_of(folder, "visium")
    assert slide.image.mpp == pytest.approx(truth("visium")["hires_um"], rel=1e-3)
    np.testing.assert_allclose(slide.xy_px * slide.image.mpp, slide.xy_um, rtol=1e-6)


def test_cells_that_transcripts_name(folder, truth):
    told = truth("points")
    slide = opened(folder, "points", scale={"um_per_px": 0.25}).slide("points")
    assert sorted(slide.unit_names) == sorted(told["names"])
    order = [slide.unit_names.tolist().index(unit) for unit in told["names"]]
    columns = [told["genes"].index(gene) for gene in slide.genes]
    np.testing.assert_array_equal(slide.counts.toarray()[order], told["counts"][:, columns])


def test_each_of_two_samples(folder, truth):
    told = truth("samples")
    for region, rows in (("a", slice(0, 12)), ("b", slice(12, 24))):
        slide = opened(folder, "samples", scale={"um_per_px": 1.0}, params={"region": region}).slide(
            "samples"
        )
        assert slide.unit_names.tolist() == told["names"][rows]
        np.testing.assert_allclose(slide.xy_um, told["xy_um"][rows])


@pytest.mark.parametrize(
    ("name", "settings", "params", "said"),
    [
        ("xenium", [], None, "a unit of coordinate system 'global' is 0.2125 um"),
        ("visium", [], HIRES, "2 images of r, g and b"),
        (
            "visium_hd", [], {"table": "square_016um", **HIRES},
            "3 tables (cell_segmentations, square_008um, square_016um): square_016um is taken",
        ),
        (
            "visium_hd", ["--set", "params.table=square_008um"], {"table": "square_008um", **HIRES},
            "is 0.2737 um",
        ),
        ("cosmx", [], {"region": "*"}, "2 regions of one slide"),
        ("merscope", [], None, "is 0.108 um"),
        ("samples", [], {"region": "a"}, "2 regions that lie on each other"),
        ("fields", [], {"region": "*"}, "2 regions of one slide"),
        ("outlines", [], {"table": "table"}, "2 tables (scores, table): table is taken"),
    ],
)  # fmt: skip
def test_new_chooses_and_says_so(folder, tmp_path, monkeypatch, name, settings, params, said):
    monkeypatch.chdir(tmp_path)
    # The stores are too small to be scored.
    monkeypatch.setattr("pytest_stbench.cli.new.MAX_BYTES", 0)
    arguments = ["new", "mine", "--data", f"{name}.zarr", "--stbench-data", str(folder), *settings]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert said in " ".join(done.output.split())
    config = load_task(tmp_path / "mine.stbench.yaml", builtin_registry()).spec.datasets["mine"]
    assert config.params == (params or {})


def test_check_takes_a_table(folder):
    path = str(folder / "visium_hd.zarr")
    done = CliRunner().invoke(main, ["check", path, "--select", "duplicate_units"])
    assert "square_016um is taken; --set params.table=NAME takes another" in " ".join(done.output.split())
    done = CliRunner().invoke(
        main, ["check", path, "--select", "duplicate_units", "--set", "params.table=cell_segmentations"]
    )
    assert done.exit_code == 0, done.output
