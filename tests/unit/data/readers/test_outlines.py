"""Outlines in the ways that vendors, segmenters and libraries write them; each area is known by hand."""

from __future__ import annotations

import gzip
import json
import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from shapely import GeometryCollection, MultiPolygon, Polygon

from pytest_stbench.data.readers.imaging.outlines import LabelImage, Polygons
from pytest_stbench.errors import DataError

WINDOW = (0.0, 0.0, 80.0, 40.0)


def square(x, y, half, *, closed=True):
    ring = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
    return [*ring, ring[0]] if closed else ring


def areas(outlines, um_per_px=0.5, window=WINDOW):
    """Area of each instance in the label image, by its name."""
    image = outlines.labels(um_per_px, window)
    labels, pixels = np.unique(image[image > 0], return_counts=True)
    names = outlines.names
    assert len(set(names.tolist())) == len(names)
    assert len(outlines.owners) == len(names)
    return {
        str(names[label - 1]): n * um_per_px**2
        for label, n in zip(labels.tolist(), pixels.tolist(), strict=True)
    }


def vertices(path, rings, columns=("cell_id", "vertex_x", "vertex_y"), types=None, order=None):
    """Write rows of (keys..., ring); keys stand after the coordinates."""
    rows = [(key, x, y, *more) for key, ring, *more in rings for x, y in ring]
    table = pd.DataFrame(rows, columns=columns).astype(types or {})
    table = table if order is None else table.iloc[order(len(table))]
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path


def feature(shape, **properties):
    geometry = None if shape is None else json.loads(shapely.to_geojson(shape))
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def geojson(path, shapes, key):
    features = [feature(shape, **{key: name}) for name, shape in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


# -- nuclei ------------------------------------------------------------------------------------

NUCLEI = [
    ("aaaaaaab-1", square(14, 20, 3), 1),
    ("aaaaaaab-1", square(26, 20, 3), 2),
    ("aaaaaaac-1", square(60, 20, 3), 3),
]
LABELLED = ("cell_id", "vertex_x", "vertex_y", "label_id")


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".csv.gz"])
@pytest.mark.parametrize("order", [None, lambda n: np.r_[0:n:2, 1:n:2]], ids=["in order", "interleaved"])
def test_several_nuclei_of_a_cell_are_several(tmp_path, ending, order):
    # interleaved rows: rings whose vertices are in order, but between those of others
    path = vertices(tmp_path / f"n{ending}", NUCLEI, LABELLED)
    if order is not None:
        table = pd.read_parquet(path) if ending == ".parquet" else pd.read_csv(path)
        table["turn"] = table.groupby("label_id").cumcount()
        table = table.sort_values(["turn", "label_id"]).drop(columns="turn")
        table.to_parquet(path) if ending == ".parquet" else table.to_csv(path, index=False)
    nuclei = Polygons(path, "nucleus")
    assert areas(nuclei) == {"aaaaaaab-1:1": 36, "aaaaaaab-1:2": 36, "aaaaaaac-1": 36}
    assert nuclei.owners.tolist() == ["aaaaaaab-1", "aaaaaaab-1", "aaaaaaac-1"]
    assert nuclei.labels(0.5, WINDOW)[40, 40] == 0, "between the two nuclei there is none"
    assert nuclei.notes["cells_with_several_nuclei"] == 1


def test_labels_that_repeat_in_other_cells_are_other_nuclei(tmp_path):
    rings = [(cell, ring, label % 2) for cell, ring, label in NUCLEI]
    nuclei = Polygons(vertices(tmp_path / "n.parquet", rings, LABELLED), "nucleus")
    assert areas(nuclei) == {"aaaaaaab-1:1": 36, "aaaaaaab-1:0": 36, "aaaaaaac-1": 36}


def test_one_label_in_two_rings_is_one_nucleus(tmp_path):
    rings = [(cell, ring, 7) for cell, ring, _ in NUCLEI]
    nuclei = Polygons(vertices(tmp_path / "n.parquet", rings, LABELLED), "nucleus")
    assert areas(nuclei) == {"aaaaaaab-1": 72, "aaaaaaac-1": 36}
    assert nuclei.notes["nucleus_outlines_in_parts"] == 1


def test_without_labels_closed_rings_are_nuclei_of_their_own(tmp_path):
    path = vertices(tmp_path / "n.parquet", [(cell, ring) for cell, ring, _ in NUCLEI])
    assert areas(Polygons(path, "nucleus")) == {"aaaaaaab-1:1": 36, "aaaaaaab-1:2": 36, "aaaaaaac-1": 36}
    assert areas(Polygons(path, "cell")) == {"aaaaaaab-1": 72, "aaaaaaac-1": 36}, "of a cell they are parts"


def test_nuclei_in_no_cell_are_nuclei(tmp_path):
    rings = [
        ("UNASSIGNED", square(14, 20, 3), 1),
        ("UNASSIGNED", square(26, 20, 3), 2),
        ("a", square(60, 20, 3), 3),
    ]
    nuclei = Polygons(vertices(tmp_path / "n.parquet", rings, LABELLED), "nucleus")
    assert areas(nuclei) == {"no cell:1": 36, "no cell:2": 36, "a": 36}
    assert nuclei.owners.tolist() == ["", "", "a"]
    assert nuclei.notes["nucleus_outlines_in_no_cell"] == 2


@pytest.mark.parametrize("way", ["wkb", "geojson"])
def test_rows_of_nuclei_are_nuclei(tmp_path, way):
    shapes = [Polygon(ring) for _, ring, _ in NUCLEI]
    names = [cell for cell, _, _ in NUCLEI]
    if way == "wkb":
        path = tmp_path / "n.parquet"
        pd.DataFrame({"cell_id": names, "geometry": shapely.to_wkb(shapes)}).to_parquet(path)
    else:
        path = geojson(tmp_path / "n.geojson", zip(names, shapes, strict=True), "cell_id")
    assert areas(Polygons(path, "nucleus")) == {"aaaaaaab-1:1": 36, "aaaaaaab-1:2": 36, "aaaaaaac-1": 36}
    assert areas(Polygons(path, "cell")) == {"aaaaaaab-1": 72, "aaaaaaac-1": 36}


# -- planes ------------------------------------------------------------------------------------

IDS = [1195290300019100001, 1195290300019100002]


def planes(path, shrink, missing=(), column="ZIndex"):
    rows = [
        (i * 7 + z, cell, z, shapely.to_wkb(MultiPolygon([Polygon(square(x, 20, 10 - shrink * z))])))
        for i, (cell, x) in enumerate(zip(IDS, (20, 60), strict=True))
        for z in range(7)
        if (i, z) not in missing
    ]
    table = pd.DataFrame(rows, columns=["ID", "EntityID", column, "Geometry"])
    table.assign(ZLevel=table[column] * 1.5, Type="cell").to_parquet(path)
    return Polygons(path, "cell")


@pytest.mark.parametrize("shrink", [0, 1])
def test_a_cell_on_many_planes_is_one_on_the_lowest(tmp_path, shrink):
    cells = planes(tmp_path / "c.parquet", shrink)
    assert dict(cells.notes) == {"cell_outlines_plane:0": 2}, "known before outlines are decoded"
    assert areas(cells) == {str(IDS[0]): 400, str(IDS[1]): 400}
    assert cells.notes["cell_outlines_plane:0"] == cells.notes["cell_outlines_read"] == 2
    assert cells.notes["cell_outlines_in_parts"] == 0


def test_a_cell_that_begins_higher_is_there_and_counted(tmp_path):
    missing = {(1, 0), (1, 1), (1, 2)}
    cells = planes(tmp_path / "c.parquet", 1, missing)
    assert areas(cells) == {str(IDS[0]): 400, str(IDS[1]): 4 * (10 - 3) ** 2}
    assert {k: v for k, v in cells.notes.items() if "plane" in k} == {
        "cell_outlines_plane:0": 1, "cell_outlines_plane:3": 1,
    }  # fmt: skip


@pytest.mark.parametrize("way", ["binary", "text", "GeoJSON", "vertices"])
def test_a_plane_without_an_outline_is_none_that_the_cell_has(tmp_path, way):
    """Cell a has a row and no geometry (or two vertices) on the lowest plane, b has none on any."""
    whole = Polygon(square(20, 20, 10))
    rows = [("a", 0, None), ("a", 1, whole), ("b", 0, None), ("c", 0, Polygon(square(60, 20, 10)))]
    path = tmp_path / {"GeoJSON": "c.geojson", "text": "c.csv"}.get(way, "c.parquet")
    if way == "GeoJSON":
        features = [feature(shape, cell_id=cell, ZIndex=plane) for cell, plane, shape in rows]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    elif way == "vertices":
        rings = [([(1, 1), (2, 2)] if s is None else s.exterior.coords, cell, z) for cell, z, s in rows]
        rings = [(cell, list(ring), z) for ring, cell, z in rings]
        vertices(path, rings, ("cell_id", "vertex_x", "vertex_y", "ZIndex"))
    else:
        table = pd.DataFrame(rows, columns=["EntityID", "ZIndex", "Geometry"])
        write = shapely.to_wkb if way == "binary" else shapely.to_wkt
        table["Geometry"] = [None if shape is None else write(shape) for shape in table["Geometry"]]
        table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    cells = Polygons(path, "cell")
    assert areas(cells) == {"a": 400, "c": 400}
    assert cells.names.tolist() == ["a", "b", "c"]
    assert cells.notes["cell_outlines_without_area"] == cells.unusable == 1
    assert {k: v for k, v in cells.notes.items() if "plane" in k} == {
        "cell_outlines_plane:0": 2, "cell_outlines_plane:1": 1,
    }  # fmt: skip


def test_planes_are_numbers_not_words(tmp_path):
    rows = [
        ("a", shapely.to_wkb(Polygon(square(20, 20, half))), z) for z, half in ((10, 3), (9, 4), (2.0, 5))
    ]
    table = pd.DataFrame(rows, columns=["cell_id", "geometry", "layer"])
    table.to_parquet(tmp_path / "n.parquet")
    table.assign(layer=table["layer"].map("{:g}".format)).to_parquet(tmp_path / "t.parquet")
    for name in ("n", "t"):
        cells = Polygons(tmp_path / f"{name}.parquet", "cell")
        assert areas(cells) == {"a": 100}
        assert cells.notes["cell_outlines_plane:2"] == 1


@pytest.mark.parametrize(("column", "expected"), [("ZIndex", {"a": 100}), ("z", {"a": 100})])
def test_planes_of_vertices(tmp_path, column, expected):
    rings = [("a", square(20, 20, half), z) for z, half in ((1, 3), (0, 5), (2, 4))]
    path = vertices(tmp_path / "p.csv", rings, ("cell_id", "x", "y", column))
    cells = Polygons(path, "cell")
    assert cells.notes == {"cell_outlines_plane:0": 1}
    assert areas(cells) == expected


def test_heights_of_vertices_are_no_planes(tmp_path):
    ring = [("a", x, y, 3 + 0.1 * k) for k, (x, y) in enumerate(square(20, 20, 5))]
    pd.DataFrame(ring, columns=["cell_id", "x", "y", "z"]).to_parquet(tmp_path / "p.parquet")
    cells = Polygons(tmp_path / "p.parquet", "cell")
    assert areas(cells) == {"a": 100}
    assert not any("plane" in note for note in cells.notes)


def test_layers_of_proseg(tmp_path):
    shapes = [
        (cell, Polygon(square(20 + 30 * cell, 20, 5 - layer)), layer) for cell in (0, 1) for layer in (1, 0)
    ]
    features = [feature(shape, cell=cell, layer=layer) for cell, shape, layer in shapes]
    path = tmp_path / "cell-polygons-layers.geojson.gz"
    path.write_bytes(gzip.compress(json.dumps({"type": "FeatureCollection", "features": features}).encode()))
    cells = Polygons(path, "cell", known={"0", "1"})
    assert areas(cells) == {"0": 100, "1": 100}
    assert cells.notes["cell_outlines_plane:0"] == 2


# -- parts and holes ---------------------------------------------------------------------------

BODY, PIECE = Polygon(square(20, 20, 10)), Polygon(square(34, 20, 1)).buffer(0.3)


@pytest.mark.parametrize(
    "shape",
    [
        MultiPolygon([BODY, PIECE]),
        MultiPolygon([PIECE, BODY]),
        GeometryCollection([BODY, shapely.Point(0, 0), MultiPolygon([PIECE])]),
    ],
    ids=["body first", "piece first", "collection"],
)
@pytest.mark.parametrize("way", ["wkb", "hex", "wkt csv", "geoparquet", "geojson", "baysor"])
def test_all_parts_of_an_outline_count(tmp_path, way, shape):
    expected = BODY.area + PIECE.area
    path = tmp_path / "c.parquet"
    table = pd.DataFrame({"cell_id": ["a"]})
    if way == "wkb":
        table.assign(Geometry=[shapely.to_wkb(shape)]).to_parquet(path)
    elif way == "hex":
        table.assign(Geometry=[shapely.to_wkb(shape, hex=True)]).to_parquet(path)
    elif way == "wkt csv":
        path = tmp_path / "c.csv"
        table.assign(geometry=[shape.wkt]).to_csv(path, index=False)
    elif way == "geoparquet":
        frame = table.assign(geometry=[shapely.to_wkb(shape)]).set_index("cell_id")
        arrow = pa.Table.from_pandas(frame)
        geo = {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
        pq.write_table(
            arrow.replace_schema_metadata({**arrow.schema.metadata, b"geo": json.dumps(geo)}), path
        )
    elif way == "geojson":
        path = geojson(tmp_path / "c.geojson", [("a", shape)], "cell_id")
    else:
        inner = {**json.loads(shapely.to_geojson(shape)), "cell": "a"}
        path = tmp_path / "c.json"
        path.write_text(json.dumps({"type": "GeometryCollection", "geometries": [inner]}))
    cells = Polygons(path, "cell")
    assert areas(cells, 0.125) == {"a": pytest.approx(expected, abs=0.6)}
    assert cells.areas.um2.tolist() == pytest.approx([expected])
    assert cells.notes["cell_outlines_in_parts"] == 1


def test_a_hole_is_no_part_of_the_cell(tmp_path):
    ring = Polygon(square(20, 20, 10), [square(20, 20, 4)])
    pd.DataFrame(
        {"cell_id": ["a", "b"], "geometry": shapely.to_wkb([ring, Polygon(square(20, 20, 2))])}
    ).to_parquet(tmp_path / "c.parquet")
    cells = Polygons(tmp_path / "c.parquet", "cell")
    assert areas(cells) == {"a": 400 - 64, "b": 16}
    assert cells.labels(0.5, WINDOW)[40, 34] == 0, "in the hole, beside the cell within"
    assert cells.notes["cell_outlines_with_holes"] == 1


@pytest.mark.parametrize(
    ("column", "marks", "um2"),
    [
        ("part", (0, 1), 400),  # a part within a part covers nothing new
        ("ring", (0, 1), 400 - 64),
        ("ring_id", ("outer", "inner"), 400 - 64),
        ("hole", (0, 1), 400 - 64),
        ("hole", (False, True), 400 - 64),
        ("is_hole", ("FALSE", "TRUE"), 400 - 64),
    ],
)
@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_rings_within_rings(tmp_path, column, marks, um2, ending):
    rings = [
        ("a", square(20, 20, 10), marks[0]),
        ("a", square(20, 20, 4), marks[1]),
        ("b", square(60, 20, 3), marks[0]),
    ]
    path = vertices(tmp_path / f"p{ending}", rings, ("cell_id", "x", "y", column))
    cells = Polygons(path, "cell")
    assert areas(cells) == {"a": um2, "b": 36}


@pytest.mark.parametrize("column", ["part", "polygon_id", "piece", "ring", "label_id"])
def test_parts_of_vertices(tmp_path, column):
    rings = [
        ("a", square(20, 20, 10, closed=False), 0),
        ("a", square(36, 20, 2), 1),
        ("b", square(60, 20, 3), 0),
    ]
    path = vertices(tmp_path / "p.csv.gz", rings, ("cell_id", "x", "y", column))
    assert areas(Polygons(path, "cell")) == {"a": 416, "b": 36}


def test_parts_with_holes_of_their_own(tmp_path):
    """The columns of terra: each part numbers its holes from 1, 0 is the outline."""
    rings = [
        ("a", square(20, 20, 10), 1, 0), ("a", square(16, 20, 2), 1, 1), ("a", square(24, 20, 2), 1, 2),
        ("a", square(60, 20, 5), 2, 0), ("a", square(60, 20, 1), 2, 1),
    ]  # fmt: skip
    path = vertices(tmp_path / "p.csv", rings, ("cell_id", "x", "y", "part", "hole"))
    assert areas(Polygons(path, "cell")) == {"a": 400 - 32 + 100 - 4}


RING = square(20, 20, 10)
OPEN = RING[:-1]


@pytest.mark.parametrize(
    "ring",
    [RING, OPEN, RING + RING, OPEN + OPEN, [*OPEN, *OPEN, OPEN[0]], RING + RING + RING, [*RING[::-1], *RING]],
    ids=["closed", "open", "twice", "open twice", "round twice", "three times", "there and back"],
)
@pytest.mark.parametrize("kind", ["cell", "nucleus"])
def test_the_same_ring_twice_is_no_hole(tmp_path, ring, kind):
    cells = Polygons(vertices(tmp_path / "p.parquet", [("a", ring), ("b", square(60, 20, 3))]), kind)
    assert areas(cells) == {"a": 400, "b": 36}
    assert cells.names.tolist() == ["a", "b"]


def test_a_ring_that_touches_itself_is_one(tmp_path):
    hourglass = [(10, 10), (20, 20), (10, 30), (30, 30), (20, 20), (30, 10)]
    at_start = [(20, 20), (10, 10), (30, 10), (20, 20), (10, 30), (30, 30), (20, 20)]
    begins_open = [(20, 20), (10, 10), (30, 10), (20, 20), (10, 30), (30, 30)]
    for ring in (hourglass, at_start, begins_open):
        cells = Polygons(vertices(tmp_path / "p.parquet", [("a", ring)]), "nucleus")
        assert areas(cells, 0.25) == {"a": pytest.approx(200, abs=5)}, ring


def test_outlines_that_cover_nothing_are_counted_and_keep_their_number(tmp_path):
    rings = [
        ("line", [(0, 0), (1, 1)]),
        ("flat", [(0, 0), (1, 1), (2, 2)]),
        ("back", [(0, 0), (5, 0), (0, 0)]),
        ("gap", [(0, 0), (np.nan, 1), (1, 0)]),
        ("ok", square(20, 20, 3)),
    ]
    cells = Polygons(vertices(tmp_path / "p.parquet", rings), "cell")
    assert areas(cells) == {"ok": 36}
    assert cells.names.tolist() == ["line", "flat", "back", "gap", "ok"]
    assert cells.unusable == cells.notes["cell_outlines_without_area"] == 4


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 2], ["1", "2"]),
        ([1.0, 2.0], ["1", "2"]),
        (["1.0", "2.0"], ["1", "2"]),
        ([b"aa-1", b"ab-1"], ["aa-1", "ab-1"]),
        (pd.array([IDS[0], IDS[1]], "Int64"), [str(i) for i in IDS]),
        (np.array([7, 2**64 - 2], np.uint64), ["7", str(2**64 - 2)]),
    ],
)
@pytest.mark.parametrize("way", ["vertices", "wkb"])
def test_ids_are_named_like_units(tmp_path, ids, expected, way):
    path = tmp_path / "p.parquet"
    shapes = [Polygon(square(20, 20, 3)), Polygon(square(60, 20, 3)), Polygon(square(40, 20, 5))]
    # one more, in no cell, makes a hole in the column
    column = pd.Series(ids).astype("Int64" if getattr(ids, "dtype", None) == "Int64" else object)
    column = pd.concat([column, pd.Series([None], dtype=object)], ignore_index=True)
    column = column.astype("UInt64" if getattr(ids, "dtype", None) == np.uint64 else column.dtype)
    if way == "wkb":
        pd.DataFrame({"cell_id": column, "geometry": shapely.to_wkb(shapes)}).to_parquet(path)
    else:
        table = pd.DataFrame(
            [(n, *xy) for n, shape in enumerate(shapes) for xy in shape.exterior.coords],
            columns=["n", "x", "y"],
        )
        table.assign(cell_id=column[table["n"]].to_numpy(dtype=object)).astype(
            {"cell_id": column.dtype}
        ).drop(columns="n").to_parquet(path)
    cells = Polygons(path, "cell")
    assert areas(cells) == dict.fromkeys(expected, 36)
    assert cells.notes["cell_outlines_in_no_cell"] == 1


def test_cell_0_is_one_where_the_table_of_cells_has_it(tmp_path):
    path = vertices(tmp_path / "p.parquet", [(0, square(20, 20, 3)), (1, square(60, 20, 3))])
    assert areas(Polygons(path, "cell")) == {"1": 36}
    assert areas(Polygons(path, "cell", known={"0", "1"})) == {"0": 36, "1": 36}


@pytest.mark.parametrize("column", ["cellID", "cell_ID"])
def test_cosmx_names_cells_by_field(tmp_path, column):
    rows = [
        (fov, cell, f"c_1_{fov}_{cell}", x, y)
        for fov, cell, at in ((1, 4, 20), (2, 4, 60), (2, 0, 40))
        for x, y in square(at, 20, 3)
    ]
    table = pd.DataFrame(rows, columns=["fov", column, "cell", "x_global_px", "y_global_px"])
    for name, drop in (("both", []), ("numbers", ["cell"]), ("names", ["fov", column])):
        table.drop(columns=drop).to_csv(tmp_path / f"{name}.csv", index=False)
        assert areas(Polygons(tmp_path / f"{name}.csv", "cell")) == {"1_4": 36, "2_4": 36}
    table.to_csv(tmp_path / "px.csv", index=False)
    half = Polygons(tmp_path / "px.csv", "cell", 0.5)
    assert areas(half) == {"1_4": 9, "2_4": 9}


def test_instances_without_names_are_numbered(tmp_path):
    shapes = [Polygon(square(20, 20, 3)), Polygon(square(60, 20, 3))]
    pd.DataFrame({"geometry": shapely.to_wkb(shapes)}).to_parquet(tmp_path / "c.parquet")
    assert areas(Polygons(tmp_path / "c.parquet", "cell")) == {"0": 36, "1": 36}


# -- what cannot be read -----------------------------------------------------------------------


def test_features_without_geometry_and_open_rings(tmp_path):
    path = geojson(tmp_path / "c.geojson", [("a", None), ("b", Polygon(square(20, 20, 3)))], "cell_id")
    content = json.loads(path.read_text())
    ring = [list(xy) for xy in square(60, 20, 3, closed=False)]
    content["features"] += [
        {"properties": {"cell_id": name}, "geometry": {"type": "Polygon", "coordinates": [points]}}
        for name, points in (("c", ring), ("d", ring[:2]))
    ]
    path.write_text(json.dumps(content))
    cells = Polygons(path, "cell")
    assert areas(cells) == {"b": 36, "c": 36}
    assert cells.names.tolist() == ["a", "b", "c", "d"]
    assert cells.unusable == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "cannot be read as GeoJSON"),
        (b"[1, 2]", "neither a collection of features nor of geometries"),
        (b'{"type": "Feature"}', "neither a collection"),
        (
            b'{"features": [{"id": 1, "geometry": {"type": "Polygon", "coordinates": [[[0, "x"]]]}}]}',
            "is not GeoJSON",
        ),
        (b'{"features": [{"id": 1, "geometry": {"type": "Ring"}}]}', "is not GeoJSON"),
        (
            b'{"features": [{"id": 1, "geometry": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}}]}',
            "is a LineString, which covers nothing; cells and nuclei are polygons",
        ),
    ],
)  # fmt: skip
def test_damaged_geojson_is_told(tmp_path, content, message):
    path = tmp_path / "c.geojson"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"c\.geojson: .*{message}"):
        _ = Polygons(path, "cell").names


WKB = shapely.to_wkb(Polygon(square(20, 20, 3)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (WKB[:-5], "an outline is not well-known binary"),
        (b"\x01\x99\x00\x00\x00", "an outline is not well-known binary"),
        ("POLYGON ((0 0", "an outline is not well-known text"),
        (shapely.to_wkb(shapely.Point(1, 2)), "an outline is a Point, which covers nothing"),
    ],
)
def test_damaged_geometries_are_told(tmp_path, value, message):
    pd.DataFrame({"cell_id": ["a"], "geometry": [value]}).to_parquet(tmp_path / "c.parquet")
    cells = Polygons(tmp_path / "c.parquet", "cell")
    assert cells.notes == {}
    with pytest.raises(DataError, match=rf"c\.parquet: {message}"):
        _ = cells.names


def test_degenerate_and_open_rings_in_binary_are_no_damage(tmp_path):
    def polygon(*points):
        return struct.pack("<BIII", 1, 3, 1, len(points)) + b"".join(struct.pack("<2d", *p) for p in points)

    values = [
        polygon(*square(20, 20, 3, closed=False)),
        polygon((0, 0)),
        polygon((0, 0), (1, 1)),
        None,
        polygon(),
    ]
    pd.DataFrame({"cell_id": list("abcde"), "geometry": values}).to_parquet(tmp_path / "c.parquet")
    cells = Polygons(tmp_path / "c.parquet", "cell")
    assert areas(cells) == {"a": 36}
    assert cells.unusable == 4


def test_ids_that_were_rounded_are_told(tmp_path):
    path = vertices(tmp_path / "p.parquet", [(float(IDS[0]), square(20, 20, 3)), (np.nan, square(60, 20, 3))])
    with pytest.raises(DataError, match=r"p\.parquet: 1\.19\d+e\+18 is a whole number .* ids were rounded"):
        _ = Polygons(path, "cell").names


def test_tables_without_outlines_are_told(tmp_path):
    pd.DataFrame({"cell_id": ["a"], "vertex": [1.0]}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(
        DataError,
        match=r"no outlines found: it needs one vertex a row.* it has cell_id, vertex",
    ):
        _ = Polygons(tmp_path / "p.parquet", "cell").names


def test_many_outlines_are_decoded_part_by_part(tmp_path, monkeypatch):
    from pytest_stbench.data.readers.imaging import geometries, vertices as of_vertices

    monkeypatch.setattr(geometries, "AT_ONCE", 7)
    monkeypatch.setattr(of_vertices, "AT_ONCE", 7)
    rng = np.random.default_rng(3)
    centres = rng.uniform(5, 35, (60, 2))
    shapes = [Polygon(square(*centre, 1 + n % 3)) for n, centre in enumerate(centres.tolist())]
    names = [f"c{n}" for n in range(60)]
    order = rng.permutation(60)
    table = pd.DataFrame({"cell_id": names, "geometry": shapely.to_wkb(shapes), "ZIndex": 4}).iloc[order]
    higher = table.assign(ZIndex=5, geometry=shapely.to_wkb(Polygon(square(20, 20, 19))))
    pd.concat([higher, table]).to_parquet(tmp_path / "w.parquet")
    vertices(tmp_path / "v.parquet", [(names[n], list(shapes[n].exterior.coords)) for n in order])
    one, other = (Polygons(tmp_path / f"{name}.parquet", "cell") for name in "wv")
    assert sorted(one.names.tolist()) == sorted(names) == sorted(other.names.tolist())
    for cells in (one, other):
        np.testing.assert_allclose(
            cells.areas.um2, [4 * (1 + int(name[1:]) % 3) ** 2 for name in cells.names.tolist()]
        )
        np.testing.assert_allclose(
            cells.areas.centroids(), centres[[int(name[1:]) for name in cells.names.tolist()]]
        )


@pytest.mark.parametrize(
    ("kind", "background"),
    [
        (np.int32, -1),
        (np.int64, np.iinfo(np.int64).min),
        (np.uint32, 2**32 - 1),
        (np.uint64, 2**64 - 1),
        (np.uint16, 0),
    ],
)
def test_background_of_label_images(tmp_path, kind, background):
    source = np.full((4, 6), background, kind)
    source[1:3, 2:5] = 700
    source[0, 0] = 3
    np.savez(tmp_path / "l.npz", labels=source, um_per_px=1.0)
    labels = LabelImage(tmp_path / "l.npz", "cell")
    assert labels.names.tolist() == ["3", "700"]
    np.testing.assert_array_equal(
        labels.labels(1.0, (0, 0, 6, 4)), np.where(source == 700, 2, np.where(source == 3, 1, 0))
    )
