"""Small SpatialData stores, written by hand from the published layout of both zarr formats.

Design document of SpatialData (elements and their attributes), NGFF 0.4 and 0.5 (multiscales),
the core specifications of zarr 2 and 3 (arrays without compression). The table alone is written by
anndata, whose on-disk format it has.
"""

from __future__ import annotations

import json
import struct

import anndata
import numpy as np
import pandas as pd
import zarr
from scipy import sparse

FORMATS = (2, 3) if int(zarr.__version__.partition(".")[0]) >= 3 else (2,)
"""Formats that the installed zarr reads."""

GENES = ("EPCAM", "CD3E", "MS4A1", "PTPRC", "NegControlProbe_00001")
PX = 0.25
"""um per unit of the coordinate system ``global``."""

XY = np.array([[10.0, 8.0], [22.0, 9.0], [35.0, 30.0], [12.0, 31.0], [50.0, 20.0]])
NAMES = ("aaab-1", "aaac-1", "aaad-1", "aaae-1", "aaaf-1")
COUNTS = np.random.default_rng(5).poisson(2.0, (len(XY), len(GENES))) + 1
SIDE = 4.0
HEIGHT, WIDTH = 160, 240


def axes(names):
    return [{"name": n, "type": "channel" if n == "c" else "space", "unit": "unit"} for n in names]


def to(names, system="global", unit="unit", **transformation):
    """One transformation of an element of axes `names` to a coordinate system."""
    output = [{**axis, "unit": unit} if axis["name"] != "c" else axis for axis in axes(names)]
    return {**transformation, "input": {"name": "".join(names), "axes": axes(names)},
            "output": {"name": system, "axes": output}}  # fmt: skip


def write_group(folder, attributes=None, *, zarr_format):
    folder.mkdir(parents=True, exist_ok=True)
    attributes = attributes or {}
    if zarr_format == 3:
        facts = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        (folder / "zarr.json").write_text(json.dumps(facts))
    else:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(attributes))


def write_array(folder, values, *, zarr_format):
    """One array as one chunk of plain bytes."""
    folder.mkdir(parents=True)
    shape, zero = list(values.shape), ["0"] * values.ndim
    if zarr_format == 3:
        facts = {
            "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": values.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0, "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "attributes": {},
        }  # fmt: skip
        (folder / "zarr.json").write_text(json.dumps(facts))
        chunk = folder.joinpath("c", *zero)
    else:
        facts = {
            "zarr_format": 2, "shape": shape, "chunks": shape, "dtype": values.dtype.str, "compressor": None,
            "fill_value": 0, "order": "C", "filters": None, "dimension_separator": "/",
        }  # fmt: skip
        (folder / ".zarray").write_text(json.dumps(facts))
        chunk = folder.joinpath(*zero)
    chunk.parent.mkdir(parents=True, exist_ok=True)
    chunk.write_bytes(np.ascontiguousarray(values).tobytes())


def write_pyramid(folder, levels, names, transformations, *, zarr_format, **further):
    """An image or label image; levels are halved one after the other."""
    datasets = []
    for place, values in enumerate(levels):
        write_array(folder / f"s{place}", values, zarr_format=zarr_format)
        scale = [1.0 if name == "c" else 2.0**place for name in names]
        datasets.append(
            {"path": f"s{place}", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    ome = {
        "multiscales": [
            {"axes": axes(names), "datasets": datasets, "coordinateTransformations": transformations}
        ],
        **further,
    }
    version = {"spatialdata_attrs": {"version": "0.3" if zarr_format == 3 else "0.2"}}
    write_group(folder, {**({"ome": ome} if zarr_format == 3 else ome), **version}, zarr_format=zarr_format)


def square(x, y, half=SIDE / 2):
    """A closed square as a polygon in well-known binary."""
    ring = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
    ring.append(ring[0])
    return struct.pack("<BIII", 1, 3, 1, len(ring)) + b"".join(struct.pack("<dd", *vertex) for vertex in ring)


def point(x, y):
    return struct.pack("<BIdd", 1, 1, x, y)


def write_shapes(folder, geometry, names, transformations, *, zarr_format, radius=None):
    attributes = {
        "encoding-type": "ngff:shapes", "axes": ["x", "y"], "coordinateTransformations": transformations,
        "spatialdata_attrs": {"version": "0.3" if zarr_format == 3 else "0.2"},
    }  # fmt: skip
    write_group(folder, attributes, zarr_format=zarr_format)
    table = pd.DataFrame({"geometry": geometry}, index=list(names))
    if radius is not None:
        table["radius"] = radius
    table.to_parquet(folder / "shapes.parquet")


def molecules():
    """One transcript per count, in um around the centre of its cell, and five that lie in none."""
    cell, gene = np.nonzero(COUNTS)
    times = COUNTS[cell, gene]
    cell, gene = np.repeat(cell, times), np.repeat(gene, times)
    offset = np.random.default_rng(6).uniform(-1.5, 1.5, (len(cell), 2))
    table = pd.DataFrame(XY[cell] + offset, columns=["x", "y"])
    table["feature_name"] = pd.Categorical(np.array(GENES)[gene])
    table["cell_id"] = np.array(NAMES)[cell]
    table["qv"] = np.float32(30)
    astray = table.iloc[:5].assign(cell_id="UNASSIGNED", x=1.0)
    return pd.concat([table, astray], ignore_index=True)


def write_points(folder, table, transformations, *, zarr_format, parts=2, keys=None):
    keys = {"feature_key": "feature_name", "instance_key": "cell_id"} if keys is None else keys
    attributes = {
        "encoding-type": "ngff:points", "axes": ["x", "y"], "coordinateTransformations": transformations,
        "spatialdata_attrs": {**keys, "version": "0.2" if zarr_format == 3 else "0.1"},
    }  # fmt: skip
    write_group(folder, attributes, zarr_format=zarr_format)
    (folder / "points.parquet").mkdir()
    for part in range(parts):
        rows = table.iloc[part::parts]
        rows.to_parquet(folder / "points.parquet" / f"part.{part}.parquet")


def write_table(folder, *, zarr_format):
    """Counts of the cells; further columns of obs would make them the units of other elements."""
    import zarr

    obs = pd.DataFrame(
        {
            "region": pd.Categorical(["cell_boundaries"] * len(XY)), "cell_id": list(NAMES),
            "in_labels": "cell_labels", "label": range(1, len(XY) + 1), "in_spots": "spots",
            "lost": [*NAMES[:4], "gone-1"], "kind": pd.Categorical(["T", "B", "T", "B", "B"]),
        },
        index=[str(i) for i in range(len(XY))],
    )  # fmt: skip
    data = anndata.AnnData(
        sparse.csr_matrix(COUNTS.astype(np.float32)), obs=obs, var=pd.DataFrame(index=list(GENES)),
        obsm={"spatial": XY / PX}, layers={"doubled": sparse.csr_matrix(2 * COUNTS)},
    )  # fmt: skip
    write_group(folder.parent, zarr_format=zarr_format)
    parent = zarr.open_group(str(folder.parent), mode="a")
    anndata.io.write_elem(parent, folder.name, data)
    parent[folder.name].attrs.update(
        {"spatialdata-encoding-type": "ngff:regions_table", "region": "cell_boundaries",
         "region_key": "region", "instance_key": "cell_id", "version": "0.2" if zarr_format == 3 else "0.1"}
    )  # fmt: skip


def label_image():
    labels = np.zeros((HEIGHT, WIDTH), np.int32)
    half = SIDE / 2
    for label, (x, y) in enumerate(XY, start=1):
        labels[int((y - half) / PX) : int((y + half) / PX), int((x - half) / PX) : int((x + half) / PX)] = (
            label
        )
    return labels


def picture():
    return np.random.default_rng(7).integers(0, 255, (3, HEIGHT, WIDTH), dtype=np.uint8)


def write_store(path, *, zarr_format=2):
    """Cells of polygons at um, image and labels in pixels; ``global`` is in pixels of 0.25 um."""
    as_px = [to("xy", type="scale", scale=[1 / PX, 1 / PX])]
    write_group(path, {"spatialdata_attrs": {"version": "0.1"}}, zarr_format=zarr_format)
    for kind in ("images", "labels", "points", "shapes"):
        write_group(path / kind, zarr_format=zarr_format)
    squares = [square(x, y) for x, y in XY]
    write_shapes(path / "shapes/cell_boundaries", squares, NAMES, as_px, zarr_format=zarr_format)
    small = [square(x, y, 1.0) for x, y in XY]
    write_shapes(path / "shapes/nucleus_boundaries", small, NAMES, as_px, zarr_format=zarr_format)
    write_points(path / "points/transcripts", molecules(), as_px, zarr_format=zarr_format)
    pixels = picture()
    write_pyramid(
        path / "images/he", [pixels, pixels[:, ::2, ::2]], "cyx", [to("cyx", type="identity")],
        zarr_format=zarr_format, omero={"channels": [{"label": label} for label in "rgb"]},
    )  # fmt: skip
    write_pyramid(
        path / "labels/cell_labels",
        [label_image()],
        "yx",
        [to("yx", type="identity")],
        zarr_format=zarr_format,
    )
    write_table(path / "tables/table", zarr_format=zarr_format)
