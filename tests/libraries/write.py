"""Let spatialdata, spatialdata-io, squidpy and anndata write their stores and files into a folder.

``python tests/libraries/write.py FOLDER`` with an environment that has these libraries (``.ci/libraries``
makes it). Beside each ``NAME.zarr`` or ``NAME.h5ad`` stands ``NAME.json`` with what is true of it.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import tempfile
import types
import warnings
from importlib.metadata import version
from pathlib import Path

import anndata
import geopandas
import numpy as np
import pandas as pd
import shapely
import spatialdata
import spatialdata_io
import vendor
import zarr
from spatialdata.models import Labels2DModel, PointsModel, ShapesModel, TableModel
from spatialdata.transformations import Identity, Scale, Translation

LIBRARIES = ("spatialdata", "spatialdata-io", "squidpy", "anndata", "zarr", "pandas", "numpy", "shapely")


def main(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    accept_dtype()
    with tempfile.TemporaryDirectory() as scratch:
        for write in (xenium, visium, visium_hd, cosmx, merscope, generic, tables, squidpy_files):
            write(folder, Path(scratch))
    (folder / "libraries.json").write_text(json.dumps({name: version(name) for name in LIBRARIES}))


def accept_dtype():
    """spatialdata-io 0.7.1 hands on ``dtype``, which AnnData 0.13 no longer takes (cosmx, merscope)."""

    def accepting(*arguments, dtype=None, **named):
        return anndata.AnnData(*arguments, **named)

    importlib.import_module("spatialdata_io.readers.cosmx").AnnData = accepting
    importlib.import_module("spatialdata_io.readers.merscope").anndata = types.SimpleNamespace(
        AnnData=accepting
    )


def told(path, names, xy_um, counts, **further):
    """Write what is true of a store: units, places, counts of the genes."""
    facts = {"names": list(names), "xy_um": np.asarray(xy_um).tolist(), "counts": np.asarray(counts).tolist()}
    path.with_suffix(".json").write_text(json.dumps({**facts, "genes": vendor.GENES, **further}))


def old_format(*further):
    """Formats that spatialdata 0.4 and before wrote."""
    from spatialdata._io.format import SpatialDataContainerFormatV01

    return [SpatialDataContainerFormatV01(), *further]


def xenium(folder, scratch):
    bundle = scratch / "xenium"
    truth = vendor.write_xenium(bundle)
    said = {
        "transcripts": int(truth["counts"].sum()) + 5, "unassigned": 5, "cells": vendor.N, "nuclei": vendor.N,
        "cell_um2": (2 * vendor.HALF_UM) ** 2, "technology": "Xenium",
    }  # fmt: skip
    genes = truth["counts"][:, : len(vendor.GENES)]
    controls = truth["counts"][:, len(vendor.GENES)]  # the unassigned codeword beside it is none

    def tell(name, **further):
        told(folder / f"{name}.zarr", truth["names"], truth["xy_um"], genes, **said, **further)

    made = spatialdata_io.xenium(bundle)
    made.write(folder / "xenium.zarr")
    tell("xenium", image_um=0.5)
    made.write(folder / "xenium-old.zarr", sdata_formats=old_format(), consolidate_metadata=False)
    tell("xenium-old", image_um=0.5)
    spatialdata.settings.shapes_geometry_encoding = "geoarrow"
    made.write(folder / "xenium-geoarrow.zarr")
    spatialdata.settings.shapes_geometry_encoding = "WKB"
    tell("xenium-geoarrow", image_um=0.5)
    every = spatialdata_io.xenium(bundle, gex_only=False, aligned_images=False)
    every.write(folder / "xenium-all.zarr")
    tell("xenium-all", controls=controls.tolist())
    circles = spatialdata_io.xenium(bundle, cells_as_circles=True, aligned_images=False)
    circles.write(folder / "xenium-circles.zarr")
    tell("xenium-circles")
    # versions before 0.3 counted the rows of the table in its index
    rows = circles.tables["table"]
    rows.obs_names = [str(i) for i in range(len(rows))]
    circles.write(folder / "xenium-rows.zarr")
    tell("xenium-rows")


def visium(folder, scratch):
    truth = vendor.write_visium(scratch / "visium")
    made = spatialdata_io.visium(
        scratch / "visium", dataset_id="demo", counts_file="raw_feature_bc_matrix.h5"
    )
    inside = truth["inside"]
    names = np.array(truth["names"])[inside]
    xy_um = truth["xy_px"][inside] * vendor.VISIUM_UM

    def tell(name):
        told(
            folder / f"{name}.zarr", names, xy_um, truth["counts"][inside], technology="Visium",
            off_tissue=int((~inside).sum()), hires_um=vendor.VISIUM_UM / 0.25,
        )  # fmt: skip

    made.write(folder / "visium.zarr")
    tell("visium")
    from spatialdata._io.format import ShapesFormatV01

    made.write(folder / "visium-old.zarr", sdata_formats=old_format(ShapesFormatV01()))
    tell("visium-old")


def visium_hd(folder, scratch):
    truth = vendor.write_visium_hd(scratch / "visium_hd")
    for name, by_labels in (("visium_hd", False), ("visium_hd-labels", True)):
        made = spatialdata_io.visium_hd(
            scratch / "visium_hd", load_segmentations_only=False, annotate_table_by_labels=by_labels
        )
        made.write(folder / f"{name}.zarr")
        bins = truth["square_016um"]
        told(
            folder / f"{name}.zarr", bins["names"], bins["xy_px"] * truth["mpp"], bins["counts"],
            technology="Visium HD",
        )  # fmt: skip
    cells = truth["cell_segmentations"]
    told(
        folder / "visium_hd-cells.json", cells["names"], cells["xy_px"] * truth["mpp"], cells["counts"],
        technology="Visium HD", cells=len(cells["names"]), cell_um2=(40 * truth["mpp"]) ** 2,
    )  # fmt: skip


def cosmx(folder, scratch):
    truth = vendor.write_cosmx(scratch / "cosmx")
    spatialdata_io.cosmx(scratch / "cosmx").write(folder / "cosmx.zarr")
    genes = truth["counts"][:, : len(vendor.GENES)]
    told(
        folder / "cosmx.zarr", truth["names"], truth["xy_px"] * vendor.COSMX_UM, genes, technology="CosMx",
        controls=truth["counts"][:, len(vendor.GENES) :].sum(axis=1).tolist(), unassigned=5,
        transcripts=int(truth["counts"].sum()) + 5, cells=vendor.N,
    )  # fmt: skip


def merscope(folder, scratch):
    region = scratch / "slide1/region_0"
    truth = vendor.write_merscope(region)
    spatialdata_io.merscope(region).write(folder / "merscope.zarr")
    corner = np.array([50, 70]) * 0.108
    told(
        folder / "merscope.zarr", truth["names"], truth["xy_um"] + corner,
        truth["counts"][:, : len(vendor.GENES)], technology="MERSCOPE", unassigned=5, cells=vendor.N,
        controls=truth["counts"][:, len(vendor.GENES) :].sum(axis=1).tolist(),
        transcripts=int(truth["counts"].sum()) + 5, cell_um2=(2 * vendor.HALF_UM) ** 2,
    )  # fmt: skip


def generic(folder, scratch):
    """Stores that people make themselves."""
    centres, counts = vendor.tissue()
    counts = counts[:, : len(vendor.GENES)]
    var = pd.DataFrame(index=list(vendor.GENES))
    rng = np.random.default_rng(8)

    def table(rows, ids, regions, **columns):
        obs = pd.DataFrame({"region": pd.Categorical(regions), "instance": ids, **columns}, index=rows)
        data = anndata.AnnData(counts.astype(np.float32), obs=obs, var=var)
        found = list(dict.fromkeys(regions))
        return TableModel.parse(
            data, region=found if len(found) > 1 else found[0], region_key="region", instance_key="instance"
        )

    names = [f"cell{i}" for i in range(vendor.N)]
    labels = pd.array(["tumour", None, "stroma"] * (vendor.N // 3), dtype="str")
    circles = geopandas.GeoDataFrame(
        {"radius": np.ones(vendor.N)}, geometry=[shapely.Point(*xy) for xy in centres], index=names
    )
    spatialdata.SpatialData(
        shapes={"cells": ShapesModel.parse(circles)},
        tables={"table": table(names, names, ["cells"] * vendor.N, niche=labels)},
    ).write(folder / "labelled.zarr")
    told(folder / "labelled.zarr", names, centres, counts, niche=["tumour", None, "stroma"] * 8, scale=1.0)
    # parts, holes and whole numbers as ids, categories as instances; a scale and a shift to `aligned`
    square = shapely.box(-3, -3, 3, 3)
    ring = square - shapely.box(-1, -1, 1, 1)
    crumb = shapely.Point(5, 0).buffer(0.3, quad_segs=16)
    kinds = [square, ring, shapely.MultiPolygon([square, crumb])]
    polygons = geopandas.GeoDataFrame(
        geometry=[shapely.affinity.translate(kinds[i % 3], *xy) for i, xy in enumerate(centres)],
        index=np.arange(100, 100 + vendor.N),
    )
    moved = {"aligned": Scale([2.0, 2.0], axes=("x", "y"))}
    order = rng.permutation(vendor.N)
    parsed = ShapesModel.parse(polygons.iloc[order], transformations=moved)
    barcodes = [f"BC{i:04d}" for i in range(vendor.N)]
    spatialdata.SpatialData(
        shapes={"outlines": parsed},
        tables={
            "table": table(barcodes, np.arange(100, 100 + vendor.N), ["outlines"] * vendor.N),
            "scores": anndata.AnnData(np.ones((3, 2), np.float32)),
        },
    ).write(folder / "outlines.zarr")
    middle = np.array([shapely.centroid(shape).coords[0] for shape in polygons.geometry])
    told(
        folder / "outlines.zarr", barcodes, middle, counts, scale=0.5, cells=vendor.N,
        areas=shapely.area(polygons.geometry.to_numpy()).tolist(),
    )  # fmt: skip
    # two samples, each in its own system; and two fields beside each other in one
    half = vendor.N // 2
    both = ["a"] * half + ["b"] * half
    for name, systems in (("samples", ("a", "b")), ("fields", ("global", "global"))):
        shapes = {
            region: ShapesModel.parse(
                geopandas.GeoDataFrame(
                    {"radius": np.ones(half)}, geometry=[shapely.Point(*xy) for xy in part], index=range(half)
                ),
                transformations={system: Identity() if name == "samples" else shift},
            )
            for region, system, part, shift in (
                ("a", systems[0], centres[:half], Identity()),
                ("b", systems[1], centres[:half], Translation([200.0, 0.0], axes=("x", "y"))),
            )
        }
        ids = [*range(half), *range(half)]
        made = spatialdata.SpatialData(shapes=shapes, tables={"table": table(barcodes, ids, both)})
        made.write(folder / f"{name}.zarr")
        shift = np.array([0 if name == "samples" else 200.0, 0])
        told(
            folder / f"{name}.zarr", barcodes, np.vstack([centres[:half], centres[:half] + shift]), counts,
            scale=1.0,
        )  # fmt: skip
    # label images in shards and several levels, points in parts
    image = vendor.drawn(centres, vendor.HALF_UM, 0.25, (240, 320))
    owner, feature, xy = vendor.molecules(centres, counts)
    frame = pd.DataFrame(xy / 0.25, columns=["x", "y"])
    frame["gene"] = np.array(vendor.GENES)[feature]
    frame["cell"] = owner + 1
    import dask.dataframe

    points = PointsModel.parse(
        dask.dataframe.from_pandas(frame, npartitions=3), feature_key="gene", instance_key="cell"
    )
    parsed = Labels2DModel.parse(image, dims=("y", "x"), scale_factors=[2, 2])
    spatialdata.SpatialData(
        labels={"cells": parsed}, points={"molecules": points},
        tables={"table": table(barcodes, np.arange(1, vendor.N + 1), ["cells"] * vendor.N)},
    ).write(folder / "shards.zarr")  # fmt: skip
    for level in (folder / "shards.zarr/labels/cells").glob("s?"):
        values = zarr.open_array(level, mode="r")[...]
        shutil.rmtree(level)
        zarr.create_array(level, data=values, chunks=(20, 20), shards=(60, 80))
    told(
        folder / "shards.zarr", barcodes, centres, counts, scale=0.25, cells=vendor.N, unassigned=5,
        transcripts=len(frame), cell_um2=(2 * vendor.HALF_UM) ** 2,
    )  # fmt: skip
    spatialdata.SpatialData(points={"molecules": points}).write(folder / "points.zarr")
    told(folder / "points.zarr", [str(i) for i in range(1, vendor.N + 1)], [], counts, scale=0.25)


def tables(folder, scratch):
    """AnnData alone, as zarr of both formats and as h5ad."""
    centres, counts = vendor.tissue()
    counts = counts[:, : len(vendor.GENES)].astype(np.float32)
    names = [f"BC{i:04d}" for i in range(vendor.N)]
    niche = ["tumour", None, "stroma"] * (vendor.N // 3)
    obs = pd.DataFrame({"niche": pd.array(niche, dtype="str"), "sample": pd.Categorical(["s1"] * vendor.N)})
    obs.index = names
    data = anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=list(vendor.GENES)))
    data.obsm["spatial"] = centres
    data.uns["um_per_px"] = 1.0
    for zarr_format in (2, 3):
        anndata.settings.zarr_write_format = zarr_format
        data.write_zarr(folder / f"anndata-{zarr_format}.zarr")
        told(folder / f"anndata-{zarr_format}.zarr", names, centres, counts, niche=niche)
    data.write_h5ad(folder / "anndata.h5ad")
    told(folder / "anndata.h5ad", names, centres, counts, niche=niche)


def squidpy_files(folder, scratch):
    """What the readers of squidpy make of vendors' folders, as h5ad."""
    import squidpy

    truth = vendor.write_visium(scratch / "squidpy-visium")
    data = squidpy.read.visium(scratch / "squidpy-visium", counts_file="raw_feature_bc_matrix.h5")
    data.var_names_make_unique()
    data.write_h5ad(folder / "squidpy-visium.h5ad")
    inside = truth["inside"]
    told(
        folder / "squidpy-visium.h5ad", np.array(truth["names"])[inside],
        truth["xy_px"][inside] * vendor.VISIUM_UM, truth["counts"][inside], off_tissue=int((~inside).sum()),
    )  # fmt: skip
    truth = vendor.write_cosmx(scratch / "squidpy-cosmx")
    data = squidpy.read.nanostring(
        scratch / "squidpy-cosmx", counts_file="demo_exprMat_file.csv", meta_file="demo_metadata_file.csv",
        fov_file="demo_fov_positions_file.csv",
    )  # fmt: skip
    data.write_h5ad(folder / "squidpy-cosmx.h5ad")
    told(
        folder / "squidpy-cosmx.h5ad", truth["names"], truth["xy_px"] * vendor.COSMX_UM,
        truth["counts"][:, : len(vendor.GENES)],
    )  # fmt: skip
    region = scratch / "squidpy-merscope"
    truth = vendor.write_merscope(region)
    data = squidpy.read.vizgen(
        region, counts_file="cell_by_gene.csv", meta_file="cell_metadata.csv",
        transformation_file="micron_to_mosaic_pixel_transform.csv",
    )  # fmt: skip
    data.write_h5ad(folder / "squidpy-merscope.h5ad")
    told(
        folder / "squidpy-merscope.h5ad", truth["names"], truth["xy_um"],
        truth["counts"][:, : len(vendor.GENES)],
    )  # fmt: skip


if __name__ == "__main__":
    (target,) = sys.argv[1:]
    if Path(target).exists():
        shutil.rmtree(target)
    main(target)
