"""Cells that no table names are counted from their outlines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely

from pytest_stbench.errors import DataError

from .bundles import write_cosmx, write_merscope, write_xenium
from .test_imaging import opened

FEW = ("cell_feature_matrix.h5", "cells.parquet")
PX = 0.5


def squares(table, cell, x, y):
    """Outlines of the cells of a table of vertices, by name."""
    return {
        str(name): shapely.Polygon(rows[[x, y]].to_numpy()) for name, rows in table.groupby(cell, sort=False)
    }


def located(points, outlines):
    """Name of the smallest of the outlines around each point, empty for none, and how many are around."""
    names, around = np.full(len(points), "", dtype=object), np.zeros(len(points), int)
    for name, outline in sorted(outlines.items(), key=lambda pair: -pair[1].area):
        within = shapely.contains_xy(outline, points)
        names[within] = name
        around += within
    return names, around


def expected(genes, cells, outlines):
    """Counts of genes in all cells, sorted by name and gene."""
    found = pd.crosstab(pd.Series(cells[cells != ""]), pd.Series(np.asarray(genes)[cells != ""]))
    return found.reindex(sorted(outlines), fill_value=0)


def same(slide, wanted):
    found = pd.DataFrame(slide.counts.toarray(), index=slide.unit_names, columns=slide.genes)
    wanted = wanted[[gene for gene in wanted if gene in found]]
    assert set(found.columns) >= set(wanted.columns)
    pd.testing.assert_frame_equal(
        found[wanted.columns], wanted, check_names=False, check_dtype=False, check_index_type=False,
        check_column_type=False,
    )  # fmt: skip


@pytest.mark.parametrize("ids", ["no column", "in no cell"])
def test_xenium(tmp_path, ids):
    folder = tmp_path / "S1"
    table, cells, _ = write_xenium(folder, drop=FEW)
    bare = table.drop(columns="cell_id") if ids == "no column" else table.assign(cell_id="UNASSIGNED")
    bare.to_parquet(folder / "transcripts.parquet")
    outlines = squares(pd.read_parquet(folder / "cell_boundaries.parquet"), "cell_id", "vertex_x", "vertex_y")
    dataset = opened(tmp_path, "xenium", "S1")
    slide = dataset.slide("S1")

    good = bare[bare["qv"] >= 20]
    names, _ = located(good[["x_location", "y_location"]].to_numpy(np.float64), outlines)
    same(slide, expected(good["feature_name"], names, outlines))
    order = cells.set_index("cell_id").loc[slide.unit_names]
    np.testing.assert_allclose(slide.xy_um, order[["x_centroid", "y_centroid"]], atol=1e-5)
    np.testing.assert_allclose(slide.measures["cell_area_um2"], 36, rtol=1e-5)
    notes = {note: found["S1"] for note, found in dataset.notes.items()}
    assert notes["transcripts_read"] == len(bare)
    assert notes["transcripts_kept"] == (names != "").sum()
    assert notes["transcripts_unassigned"] == (names == "").sum()
    assert notes["transcripts_in_several_outlines"] > 0
    every = located(bare[["x_location", "y_location"]].to_numpy(np.float64), outlines)[1]
    assert notes["transcripts_in_several_outlines"] == (every > 1).sum()
    assert notes["cells_counted_from_outlines"] == len(outlines) == slide.n_units
    assert "cells_counted_from_transcripts" not in notes
    told = np.concatenate([batch.cell for batch in slide.transcripts.batches(cells=True)])
    assert set(told) - {""} <= set(slide.unit_names), "transcripts, units and outlines bear the same names"
    assert next(slide.transcripts.batches()).cell is None


def test_a_cell_without_transcripts_is_a_cell(tmp_path):
    folder = tmp_path / "S1"
    table, _, _ = write_xenium(folder, drop=FEW)
    table.drop(columns="cell_id").to_parquet(folder / "transcripts.parquet")
    path = folder / "cell_boundaries.parquet"
    far = pd.DataFrame({"cell_id": "zz-1", "vertex_x": [900, 909, 909, 900.0], "vertex_y": [0, 0, 9, 9.0]})
    line = pd.DataFrame({"cell_id": "zy-1", "vertex_x": [900, 909, 900.0], "vertex_y": [0, 0, 0.0]})
    pd.concat([far, line, pd.read_parquet(path)]).to_parquet(path)
    dataset = opened(tmp_path, "xenium", "S1")
    slide = dataset.slide("S1")
    (row,) = np.flatnonzero(slide.unit_names == "zz-1")
    assert slide.counts[row].sum() == 0
    np.testing.assert_allclose(slide.xy_um[row], [904.5, 4.5])
    assert "zy-1" not in slide.unit_names, "it covers nothing"
    assert dataset.notes["cell_outlines_without_area"]["S1"] == 1


def test_merscope_takes_the_plane_that_outlines_are_read_of(tmp_path):
    folder = tmp_path / "R1"
    _, metadata = write_merscope(folder, drop=("cell_by_gene.csv", "cell_metadata.csv"))
    table = pd.read_csv(folder / "detected_transcripts.csv").drop(columns="cell_id")
    table.to_csv(folder / "detected_transcripts.csv", index=False)
    path = folder / "cell_boundaries.parquet"
    low = pd.read_parquet(path)
    pd.concat([low.assign(ZIndex=1, Geometry=low["Geometry"].to_numpy()[::-1]), low]).to_parquet(path)
    dataset = opened(tmp_path, "merscope", "R1")
    slide = dataset.slide("R1")
    centres = metadata.set_index("EntityID").loc[slide.unit_names, ["center_x", "center_y"]]
    np.testing.assert_allclose(slide.xy_um, centres)
    outlines = {
        name: shapely.box(x - 4, y - 4, x + 4, y + 4)
        for name, x, y in zip(slide.unit_names.tolist(), *centres.to_numpy().T, strict=True)
    }
    names, _ = located(table[["global_x", "global_y"]].to_numpy(), outlines)
    assert (names != "").all()
    same(slide, expected(table["gene"], names, outlines))


def test_cosmx_in_pixels_of_the_slide(tmp_path):
    folder = tmp_path / "Run"
    write_cosmx(folder, drop=("Run_exprMat_file.csv", "Run_metadata_file.csv"))
    table = pd.read_csv(folder / "Run_tx_file.csv").drop(columns="cell_ID")
    table.to_csv(folder / "Run_tx_file.csv", index=False)
    vertices = pd.read_csv(folder / "Run-polygons.csv")
    vertices["cell"] = vertices["fov"].astype(str) + "_" + vertices["cellID"].astype(str)
    outlines = squares(vertices, "cell", "x_global_px", "y_global_px")
    dataset = opened(tmp_path, "cosmx", "Run", scale={"um_per_px": PX})
    slide = dataset.slide("Run")
    names, _ = located(table[["x_global_px", "y_global_px"]].to_numpy(np.float64), outlines)
    assert 0 < (names == "").sum() < len(names)
    same(slide, expected(table["target"], names, outlines))
    centres = np.array([outlines[name].centroid.coords[0] for name in slide.unit_names.tolist()])
    np.testing.assert_allclose(slide.xy_um, centres * PX)
    np.testing.assert_allclose(slide.measures["cell_area_um2"], 18 * 18 * PX**2)


def test_names_that_transcripts_have_go_before_outlines(tmp_path):
    write_xenium(tmp_path / "S1", drop=FEW)
    dataset = opened(tmp_path, "xenium", "S1")
    dataset.slide("S1")
    assert "cells_counted_from_transcripts" in dataset.notes
    assert "cells_counted_from_outlines" not in dataset.notes


def test_outlines_of_another_slide_are_told(tmp_path):
    folder = tmp_path / "S1"
    table, _, _ = write_xenium(folder, drop=FEW)
    table.drop(columns="cell_id").to_parquet(folder / "transcripts.parquet")
    path = folder / "cell_boundaries.parquet"
    moved = pd.read_parquet(path)
    moved[["vertex_x", "vertex_y"]] += 10_000
    moved.to_parquet(path)
    message = (
        r"none of 1800 transcripts is counted in one of 30 outlines of cells, which lie from \(99.*`bin`"
    )
    with pytest.raises(DataError, match=message):
        opened(tmp_path, "xenium", "S1").slide("S1")


def test_nuclei_are_no_cells(tmp_path):
    folder = tmp_path / "S1"
    table, _, _ = write_xenium(folder, drop=(*FEW, "cell_boundaries.parquet"))
    table.drop(columns="cell_id").to_parquet(folder / "transcripts.parquet")
    message = (
        "S1 has no units.*with `bin`; cells are counted from polygons of cells, not from outlines of nuclei"
    )
    with pytest.raises(DataError, match=message):
        opened(tmp_path, "xenium", "S1").slide("S1")


def test_what_of_merscope_is_not_read_is_said(tmp_path):
    drop = ("cell_by_gene.csv", "cell_metadata.csv", "detected_transcripts.csv")
    write_merscope(tmp_path / "R1", drop=drop)
    with pytest.raises(DataError, match="outlines and mosaics alone are not read"):
        opened(tmp_path, "merscope", "R1")
