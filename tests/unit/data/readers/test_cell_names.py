"""Transcripts, units and outlines of one slide bear the same names, and what is in no cell is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.readers.transcripts import open_transcripts
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec

from .bundles import GENES, wkb, write_10x_matrix, write_cosmx, write_merscope

SCALE = {"um_per_px": 0.12}
LONG = 1195290300019100001


def opened(tmp_path, source, path, **changes):
    config = DatasetSpec(source=source, path=path, **changes)
    return Dataset("d", config, load_samples(config, "d", [tmp_path]), [tmp_path])


def named_in(transcripts):
    """The cells that transcripts name, and how many transcripts are in none."""
    cells = np.concatenate([batch.cell for batch in transcripts.batches(cells=True)])
    return set(cells[cells != ""].tolist()), int((cells == "").sum())


def table(n=40, **columns):
    """Transcripts; `columns` are repeated over them."""
    rng = np.random.default_rng(1)
    base = {"x": rng.uniform(0, 90, n), "y": rng.uniform(0, 90, n), "gene": rng.choice(GENES, n)}
    return pd.DataFrame(
        {**base, **{name: np.resize(np.array(v, dtype=object), n) for name, v in columns.items()}}
    )


@pytest.mark.parametrize(
    "ending", [".parquet", ".csv", pytest.param(".csv.gz", marks=pytest.mark.exhaustive)]
)
@pytest.mark.parametrize(
    ("column", "kind", "ids", "cells", "outside"),
    [
        ("cell_id", object, ["UNASSIGNED", "aaab-1", "aaac-1", None], {"aaab-1", "aaac-1"}, 20),
        ("cell_id", "int64", [-1, 1, 2, 10], {"1", "2", "10"}, 10),
        ("cell_id", "int64", [-1, LONG, LONG + 1, LONG + 2], {str(LONG), str(LONG + 1), str(LONG + 2)}, 10),
        ("cell_id", "Int64", [None, LONG, LONG + 1, -1], {str(LONG), str(LONG + 1)}, 20),
        ("cell_id", "float64", [np.nan, 1.0, 2.0, 0.0], {"1", "2"}, 20),
        ("cell_id", "uint32", [2**32 - 1, 1, 2, 0], {"1", "2"}, 20),
        ("cell_id", "uint64", [2**64 - 1, 1, 2, 3], {"1", "2", "3"}, 10),
        ("assignment", "uint32", [2**32 - 1, 1, 2, 0], {"0", "1", "2"}, 10),
        ("assignment", "float64", [np.nan, 1, 2, 0], {"0", "1", "2"}, 10),
        ("cell", object, ["", "CRa1-1", "CRa1-2", "CRa1-3"], {"CRa1-1", "CRa1-2", "CRa1-3"}, 10),
        ("cell", "int64", [0, 1, 2, 3], {"1", "2", "3"}, 10),
        ("cell", object, ["noise", "cell-1", "cell-2", "NA"], {"cell-1", "cell-2"}, 20),
        ("EntityID", "int64", [-1, 7, 8, 9], {"7", "8", "9"}, 10),
    ],
    ids=[
        "10x", "10x before 1.3", "Vizgen", "Vizgen with holes", "floats", "unsigned", "wide unsigned",
        "proseg", "proseg with holes", "Baysor", "Baysor by number", "noise", "entity",
    ],
)  # fmt: skip
def test_cells_of_tables_of_transcripts(tmp_path, ending, column, kind, ids, cells, outside):
    (tmp_path / "t").mkdir()
    path = tmp_path / "t" / f"A{ending}"
    made = table(**{column: ids}).astype({column: kind})
    made.to_parquet(path, row_group_size=7) if ending == ".parquet" else made.to_csv(path, index=False)
    for source in ("xenium", "merscope", "cosmx"):
        dataset = opened(tmp_path, source, f"t/A{ending}")
        slide = dataset.slide("A")
        assert set(slide.unit_names.tolist()) == cells
        assert named_in(slide.transcripts) == (cells, outside)
        assert dataset.notes["transcripts_unassigned"]["A"] == outside
        assert slide.counts.sum() == len(made) - outside


def test_rounded_ids_are_told(tmp_path):
    table(cell_id=[np.nan, float(LONG)]).astype({"cell_id": "float64"}).to_parquet(tmp_path / "A.parquet")
    with pytest.raises(DataError, match=r"A\.parquet: 1\.19\d+e\+18 is a whole number .* ids were rounded"):
        opened(tmp_path, "xenium", "A.parquet").slide("A")


# -- Xenium ------------------------------------------------------------------------------------


def xenium(folder, ids, matrix_ids, *, holes=False):
    """A bundle whose tables hold ids as they come."""
    folder.mkdir(parents=True)
    ring = [(-3, -3), (3, -3), (3, 3), (-3, 3), (-3, -3)]
    centres = [(20.0 + 30 * n, 20.0) for n in range(len(ids))]
    cells = pd.DataFrame({"cell_id": ids, "x_centroid": [c[0] for c in centres], "y_centroid": 20.0})
    outlines = pd.DataFrame(
        [
            (i, x + dx, y + dy, n)
            for n, (i, (x, y)) in enumerate(zip(ids, centres, strict=True))
            for dx, dy in ring
        ],
        columns=["cell_id", "vertex_x", "vertex_y", "label_id"],
    )
    transcripts = table(60, cell_id=[*ids, -1]).rename(
        columns={"x": "x_location", "y": "y_location", "gene": "feature_name"}
    )
    transcripts["qv"] = 40.0
    if holes:
        extra = {"cell_id": None, "x_centroid": 0.0, "y_centroid": 0.0}
        cells = pd.concat([cells.astype({"cell_id": object}), pd.DataFrame([extra])]).astype(
            {"cell_id": "float64"}
        )
        transcripts["cell_id"] = transcripts["cell_id"].replace(-1, None).astype("float64")
    cells.to_parquet(folder / "cells.parquet")
    transcripts.to_parquet(folder / "transcripts.parquet")
    outlines.to_parquet(folder / "cell_boundaries.parquet")
    outlines.to_parquet(folder / "nucleus_boundaries.parquet")
    counts = np.arange(len(ids) * 4).reshape(4, -1)
    write_10x_matrix(folder / "cell_feature_matrix.h5", counts, GENES, ["Gene Expression"] * 4, matrix_ids)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("ids", [[1, 2, 3], [0, 1, 2]])
def test_a_bundle_bears_one_name_a_cell(tmp_path, ids, holes):
    """Ids of the analysis before 1.3 are numbers; 0 is one where the table of cells has it."""
    names = list(map(str, ids))
    xenium(tmp_path / "S1", ids, names, holes=holes)
    slide = opened(tmp_path, "xenium", "S1").slide("S1")
    assert slide.unit_names.tolist() == names
    assert named_in(slide.transcripts) == (set(names), 15)
    for kind in ("cell", "nucleus"):
        outlines = slide.segmentations[kind]
        assert outlines.names.tolist() == outlines.owners.tolist() == names
        assert outlines.notes[f"{kind}_outlines_in_no_cell"] == 0


# -- CosMx -------------------------------------------------------------------------------------


def spoil_cosmx(folder, way):
    """Rewrite the tables of a folder with ids in another type; each says the same."""
    for file in folder.glob("*.csv"):
        frame = pd.read_csv(file)
        key = "cellID" if "cellID" in frame else "cell_ID"
        if way == "floats with a hole":
            frame = frame.astype({key: "float64"})
            if "polygons" not in file.name and "metadata" not in file.name:
                frame.loc[frame[key] == 0, key] = np.nan
        elif way == "text":
            frame[key] = frame["fov"].map("c_2_{}_".format) + frame[key].astype(str)
        elif way == "with the name":
            frame["cell"] = frame["fov"].map("c_2_{}_".format) + frame[key].astype(str)
            frame["cell_id"] = frame["cell"]
        frame.to_csv(file, index=False)


WAYS = ["as it is", "floats with a hole", "text", "with the name"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("drop", [(), ("Run_exprMat_file.csv",)], ids=["matrix", "transcripts"])
def test_cells_of_cosmx_are_the_same_in_every_table(tmp_path, way, drop):
    write_cosmx(tmp_path / "plain" / "S1")
    write_cosmx(tmp_path / "other" / "S1", drop=drop)
    spoil_cosmx(tmp_path / "other" / "S1", way)
    expected = opened(tmp_path, "cosmx", "plain/S1", scale=SCALE).slide("S1")
    dataset = opened(tmp_path, "cosmx", "other/S1", scale=SCALE)
    slide = dataset.slide("S1")
    assert sorted(slide.unit_names.tolist()) == sorted(expected.unit_names.tolist())
    assert slide.counts.sum() == expected.counts.sum()
    names, outside = named_in(slide.transcripts)
    assert names == set(slide.unit_names.tolist())
    assert outside == named_in(expected.transcripts)[1] > 0
    assert set(slide.segmentations["cell"].names.tolist()) == names
    if not drop:
        assert dataset.notes["background_rows"]["S1"] == 2


def test_only_the_name_of_a_cell_of_cosmx(tmp_path):
    write_cosmx(tmp_path / "S1", drop=("Run_exprMat_file.csv",))
    for file in (tmp_path / "S1").glob("*.csv"):
        frame = pd.read_csv(file)
        key = "cellID" if "cellID" in frame else "cell_ID"
        frame["cell"] = frame["fov"].map("c_2_{}_".format) + frame[key].astype(str)
        if "metadata" not in file.name:
            frame.drop(columns=[key, "fov"]).to_csv(file, index=False)
    slide = opened(tmp_path, "cosmx", "S1", scale=SCALE).slide("S1")
    assert len(slide.unit_names) == 20
    assert "1_3" in slide.unit_names
    assert set(slide.segmentations["cell"].names.tolist()) == set(slide.unit_names.tolist())


def test_two_slides_in_one_table_are_told(tmp_path):
    names = [f"c_{slide}_1_{cell}" for slide in (1, 2) for cell in (1, 2)]
    table(cell=names).sort_values("cell").to_parquet(tmp_path / "A.parquet", row_group_size=10)
    with pytest.raises(
        DataError, match=r"A\.parquet: cells of slides 1 and 2 of CosMx.*keep one table a slide"
    ):
        opened(tmp_path, "cosmx", "A.parquet").slide("A")


# -- MERSCOPE ----------------------------------------------------------------------------------


def test_rows_in_no_cell_are_no_units(tmp_path):
    write_merscope(tmp_path / "R1")
    file = tmp_path / "R1" / "cell_by_gene.csv"
    matrix = pd.read_csv(file, dtype={"cell": str})
    rows = pd.DataFrame(
        [{"cell": name, **dict.fromkeys(matrix.columns[1:], 900)} for name in ("-1", "0", None)]
    )
    pd.concat([rows, matrix]).to_csv(file, index=False)
    dataset = opened(tmp_path, "merscope", "R1")
    slide = dataset.slide("R1")
    assert len(slide.unit_names) == 12
    assert slide.libsize.max() < 900
    assert dataset.notes["background_rows"]["R1"] == 3


def test_a_region_that_counts_cells_from_0(tmp_path):
    write_merscope(tmp_path / "R1")
    old = pd.read_csv(tmp_path / "R1" / "cell_metadata.csv", dtype={"EntityID": str})[
        "EntityID"
    ].sort_values()
    place = {name: number for number, name in enumerate(old)}
    for name, key in (
        ("cell_by_gene.csv", "cell"),
        ("cell_metadata.csv", "EntityID"),
        ("detected_transcripts.csv", "cell_id"),
    ):
        frame = pd.read_csv(tmp_path / "R1" / name, dtype={key: str})
        frame[key] = frame[key].map(place)
        if key == "cell_id":
            frame.loc[frame.index[:5], key] = -1
        frame.to_csv(tmp_path / "R1" / name, index=False)
    outlines = pd.read_parquet(tmp_path / "R1" / "cell_boundaries.parquet")
    outlines["EntityID"] = outlines["EntityID"].map(place)
    outlines.to_parquet(tmp_path / "R1" / "cell_boundaries.parquet")
    slide = opened(tmp_path, "merscope", "R1").slide("R1")
    names = {str(number) for number in range(12)}
    assert set(slide.unit_names.tolist()) == set(slide.segmentations["cell"].names.tolist()) == names
    assert named_in(slide.transcripts) == (names, 5)


def test_long_ids_with_holes_keep_every_digit(tmp_path):
    """Ids that differ in the last digit are the same float: a hole must not make floats of them."""
    folder = tmp_path / "R1"
    folder.mkdir()
    ids = [LONG, LONG + 1]
    pd.DataFrame({"cell": ids, "ERBB2": [3, 5], "VIM": [1, 0]}).to_csv(
        folder / "cell_by_gene.csv", index=False
    )
    pd.DataFrame({"EntityID": [*ids, ""], "center_x": [20.0, 60.0, 0], "center_y": 20.0}).to_csv(
        folder / "cell_metadata.csv", index=False
    )
    square = np.array([[-4, -4], [4, -4], [4, 4], [-4, 4]])
    boundaries = pa.table(
        {"EntityID": pa.array([*ids, None], pa.int64()), "Geometry": [wkb(square + x) for x in (20, 60, 40)]}
    )
    pq.write_table(boundaries, folder / "cell_boundaries.parquet")
    transcripts = pa.table(
        {"global_x": [1.0, 2.0, 3.0], "global_y": [1.0, 2.0, 3.0], "gene": ["VIM"] * 3,
         "cell_id": pa.array([*ids, None], pa.int64())}
    )  # fmt: skip
    pq.write_table(transcripts, folder / "detected_transcripts.parquet")
    slide = opened(tmp_path, "merscope", "R1").slide("R1")
    names = list(map(str, ids))
    assert slide.unit_names.tolist() == slide.segmentations["cell"].names.tolist() == names
    assert named_in(slide.transcripts) == (set(names), 1)
    assert named_in(open_transcripts(folder / "detected_transcripts.parquet")) == (set(names), 1)


def test_outlines_of_the_vizgen_tool_are_found(tmp_path):
    write_merscope(tmp_path / "R1")
    (tmp_path / "R1" / "cell_boundaries.parquet").rename(tmp_path / "R1" / "cellpose2_micron_space.parquet")
    slide = opened(tmp_path, "merscope", "R1").slide("R1")
    assert set(slide.segmentations["cell"].names.tolist()) == set(slide.unit_names.tolist())


# -- what is counted of outlines ---------------------------------------------------------------


def test_the_plane_stands_in_the_notes_before_outlines_are_asked_for(tmp_path):
    write_merscope(tmp_path / "R1")
    dataset = opened(tmp_path, "merscope", "R1")
    slide = dataset.slide("R1")
    assert dataset.notes["cell_outlines_plane:0"] == {"R1": 12}
    assert "cell_outlines_read" not in dataset.notes
    slide.segmentations["cell"].labels(1.0, (0, 0, 300, 300))
    dataset.close()
    assert dataset.notes["cell_outlines_read"] == {"R1": 12}
    assert dataset.slide("R1").segmentations["cell"] is not slide.segmentations["cell"], "forgotten with it"


def test_damaged_outlines_do_not_spoil_what_does_not_ask_for_them(tmp_path):
    write_merscope(tmp_path / "R1")
    (tmp_path / "R1" / "cell_boundaries.parquet").write_bytes(b"PAR1 and no more")
    dataset = opened(tmp_path, "merscope", "R1")
    slide = dataset.slide("R1")
    assert not any(note.startswith("cell_outlines") for note in dataset.notes)
    with pytest.raises(DataError, match=r"cell_boundaries\.parquet: cannot be read as a table"):
        slide.segmentations["cell"].labels(1.0, (0, 0, 300, 300))


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".csv.gz", ".geojson", ".geojson.gz"])
def test_outlines_beside_a_table_of_transcripts(tmp_path, ending):
    import gzip
    import json

    for folder in ("transcripts", "boundaries"):
        (tmp_path / folder).mkdir()
    table(cell_id=["a", "b"]).to_parquet(tmp_path / "transcripts" / "A.parquet")
    ring = [[17, 17], [23, 17], [23, 23], [17, 23], [17, 17]]
    path = tmp_path / "boundaries" / f"A{ending}"
    if "geojson" in ending:
        feature = {"properties": {"cell_id": "a"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        content = json.dumps({"features": [feature]}).encode()
        path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    else:
        frame = pd.DataFrame([("a", *xy) for xy in ring], columns=["cell_id", "x", "y"])
        frame.to_parquet(path) if ending == ".parquet" else frame.to_csv(path, index=False)
    for source in ("xenium", "cosmx"):
        slide = opened(tmp_path, source, "transcripts/*").slide("A")
        outlines = slide.segmentations["cell"]
        assert outlines.names.tolist() == ["a"]
        assert outlines.areas.um2.tolist() == [36]
