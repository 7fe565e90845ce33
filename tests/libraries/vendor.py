"""One small tissue as five vendors write it; ``spatialdata_io`` reads the folders.

Nothing here imports the product: the folders are read by the real libraries, whose stores are what
is tested. Every unit is a square cell (or a spot); counts, places and names are the truth.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import shapely
import tifffile
import zarr
from scipy.sparse import csc_matrix

GENES = ("EPCAM", "VIM", "CD3E", "KRT19", "COL1A1", "PTPRC")
CONTROLS = ("NegControlProbe_00042", "UnassignedCodeword_0012")
TYPES = ("Gene Expression",) * len(GENES) + ("Negative Control Probe", "Unassigned Codeword")
PIXEL_UM = 0.2125
COSMX_UM = 0.120280945
VISIUM_UM = 0.37
HALF_UM = 3.0
WIDTH_UM, HEIGHT_UM = 80.0, 60.0
N = 24


def tissue(seed=0):
    """Centres (um) of cells on a jittered lattice and counts of genes and controls."""
    rng = np.random.default_rng(seed)
    column, row = np.meshgrid(np.arange(6), np.arange(4))
    centres = np.column_stack([column.ravel(), row.ravel()]) * 12.0 + 10.0
    centres = np.round(centres + rng.uniform(-2, 2, centres.shape), 2)
    counts = rng.poisson(3, (N, len(GENES) + len(CONTROLS)))
    counts[:, -len(CONTROLS) :] = rng.integers(0, 2, (N, len(CONTROLS)))
    return centres, counts


def molecules(centres, counts, seed=1):
    """One row a molecule: owner, feature and place; then five in no cell."""
    rng = np.random.default_rng(seed)
    owner, feature = np.nonzero(counts)
    times = counts[owner, feature]
    owner, feature = np.repeat(owner, times), np.repeat(feature, times)
    xy = centres[owner] + rng.uniform(-HALF_UM, HALF_UM, (len(owner), 2)) * 0.9
    owner = np.concatenate([owner, np.full(5, -1)])
    feature = np.concatenate([feature, np.arange(5) % len(GENES)])
    return owner, feature, np.vstack([xy, rng.uniform(0, 4, (5, 2))])


def write_10x(path, counts, names, types, barcodes, **attributes):
    """Counts (units, features) as 10x HDF5."""
    matrix = csc_matrix(np.asarray(counts, dtype=np.int32).T)
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, dtype="S")
        group["data"], group["indices"] = matrix.data, matrix.indices.astype(np.int64)
        group["indptr"], group["shape"] = matrix.indptr.astype(np.int64), np.array(matrix.shape, np.int32)
        features = group.create_group("features")
        features["name"] = np.array(names, dtype="S")
        features["id"] = np.array([f"ENSG{i:011d}" for i in range(len(names))], dtype="S")
        features["feature_type"] = np.array(types, dtype="S")
        features["genome"] = np.array(["GRCh38"] * len(names), dtype="S")


def drawn(centres, half, pixel_um, shape):
    """Label image: cell k covers a square of pixels with label k + 1."""
    labels = np.zeros(shape, np.uint32)
    for place, (x, y) in enumerate(centres):
        x0, x1, y0, y1 = (round(edge / pixel_um) for edge in (x - half, x + half, y - half, y + half))
        labels[y0:y1, x0:x1] = place + 1
    return labels


def xenium_names():
    """Ids of onboard analysis 1.3 and later: eight letters and a suffix."""
    letters = "abcdefghijklmnop"
    return [f"aaaaaa{letters[(i + 1) // 16]}{letters[(i + 1) % 16]}-1" for i in range(N)]


def write_xenium(folder):
    """A bundle of onboard analysis 3; cell 0 has two nuclei, cell 1 has none."""
    folder.mkdir(parents=True)
    centres, counts = tissue()
    names = xenium_names()
    features = (*GENES, *CONTROLS)
    specs = {
        "analysis_sw_version": "xenium-3.1.0.4", "pixel_size": PIXEL_UM, "panel_name": "Demo panel",
        "region_name": "r1", "run_name": "demo",
    }  # fmt: skip
    (folder / "experiment.xenium").write_text(json.dumps(specs))
    write_10x(folder / "cell_feature_matrix.h5", counts, features, TYPES, names)
    cells = pd.DataFrame(
        {
            "cell_id": names, "x_centroid": centres[:, 0], "y_centroid": centres[:, 1],
            "transcript_counts": counts[:, : len(GENES)].sum(axis=1), "cell_area": (2 * HALF_UM) ** 2,
            "nucleus_area": 4.0,
        }
    )  # fmt: skip
    cells.to_parquet(folder / "cells.parquet")
    owner, feature, xy = molecules(centres, counts)
    pd.DataFrame(
        {
            "transcript_id": np.arange(len(owner), dtype=np.uint64),
            "cell_id": np.array([*names, "UNASSIGNED"])[owner],
            "overlaps_nucleus": np.uint8(0), "feature_name": np.array(features)[feature],
            "x_location": xy[:, 0].astype(np.float32), "y_location": xy[:, 1].astype(np.float32),
            "z_location": np.float32(12), "qv": np.float32(35), "fov_name": "A1",
            "nucleus_distance": np.float32(1), "codeword_index": 1,
        }
    ).to_parquet(folder / "transcripts.parquet")  # fmt: skip
    nuclei = [(0, -1.5), (0, 1.5), *((cell, 0.0) for cell in range(2, N))]
    outlines = {
        "cell": [(cell, centres[cell], HALF_UM) for cell in range(N)],
        "nucleus": [(cell, centres[cell] + (shift, 0), 1.0) for cell, shift in nuclei],
    }
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)], float)
    for kind, rows in outlines.items():
        pd.DataFrame(
            [
                (names[cell], *vertex, label)
                for label, (cell, centre, half) in enumerate(rows, start=1)
                for vertex in centre + half * square
            ],
            columns=["cell_id", "vertex_x", "vertex_y", "label_id"],
        ).to_parquet(folder / f"{kind}_boundaries.parquet")
    shape = (int(HEIGHT_UM / PIXEL_UM), int(WIDTH_UM / PIXEL_UM))
    with zarr.storage.ZipStore(folder / "cells.zarr.zip", mode="w") as store:
        root = zarr.create_group(store, zarr_format=2)
        root.create_array(
            "cell_id", data=np.column_stack([np.arange(1, N + 1), np.ones(N)]).astype(np.uint32)
        )
        summary = root.create_array("cell_summary", data=np.column_stack([centres, np.full((N, 6), 1.0)]))
        summary.attrs["column_names"] = [
            "cell_centroid_x", "cell_centroid_y", "cell_area", "nucleus_centroid_x", "nucleus_centroid_y",
            "nucleus_area", "z_level", "nucleus_count",
        ]  # fmt: skip
        masks, sets = root.create_group("masks"), root.create_group("polygon_sets")
        for place, kind in enumerate(("nucleus", "cell")):
            rows = outlines[kind]
            middle = np.array([centre for _, centre, _ in rows])
            masks.create_array(str(place), data=drawn(middle, rows[0][2], PIXEL_UM, shape))
            owners = np.array([cell for cell, _, _ in rows], np.uint32)
            sets.create_group(str(place)).create_array("cell_index", data=owners)
    (folder / "morphology_focus").mkdir()
    rng = np.random.default_rng(3)
    focus = rng.integers(0, 4000, shape, dtype=np.uint16)
    tifffile.imwrite(
        folder / "morphology_focus/morphology_focus_0000.ome.tif", focus, metadata={"axes": "YX"}
    )
    # the H&E image has pixels of 0.5 um, is turned by a quarter and shifted
    he = rng.integers(0, 255, (150, 130, 3), dtype=np.uint8)
    tifffile.imwrite(folder / "demo_he_image.ome.tif", he[None], photometric="rgb", metadata={"axes": "ZYXS"})
    scale = 0.5 / PIXEL_UM
    np.savetxt(
        folder / "demo_he_imagealignment.csv", [(0, scale, 4), (-scale, 0, 300), (0, 0, 1)], delimiter=","
    )
    return {"names": names, "xy_um": centres, "counts": counts, "he": he}


def visium_places():
    """Array rows and columns of 24 spots on Visium's hexagonal lattice and their pixels."""
    rows, halves = np.meshgrid(np.arange(4), np.arange(6), indexing="ij")
    columns = 2 * halves + rows % 2
    index = np.column_stack([rows.ravel(), columns.ravel()])
    um = np.column_stack([index[:, 1] * 50.0, index[:, 0] * 50.0 * np.sqrt(3)])
    return index, np.round(um / VISIUM_UM + 400.0)


def write_visium(folder):
    """An output folder of Space Ranger 2; the last four spots lie off the tissue."""
    (folder / "spatial").mkdir(parents=True)
    _, counts = tissue()
    counts = counts[:, : len(GENES)]
    index, pixels = visium_places()
    barcodes = [f"{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}{'ACGT'[i // 16]}ACGTACGTACGTA-1" for i in range(N)]
    write_10x(
        folder / "raw_feature_bc_matrix.h5", counts, GENES, TYPES[: len(GENES)], barcodes,
        library_ids=np.array(["demo"], dtype="S"), chemistry_description="Spatial 3' v1",
        software_version="spaceranger-2.1.0",
    )  # fmt: skip
    inside = np.arange(N) < N - 4
    pd.DataFrame(
        {
            "barcode": barcodes, "in_tissue": inside.astype(int), "array_row": index[:, 0],
            "array_col": index[:, 1], "pxl_row_in_fullres": pixels[:, 1].astype(int),
            "pxl_col_in_fullres": pixels[:, 0].astype(int),
        }
    ).sample(frac=1, random_state=0).to_csv(folder / "spatial/tissue_positions.csv", index=False)  # fmt: skip
    factors = {
        "spot_diameter_fullres": 65 / VISIUM_UM, "tissue_hires_scalef": 0.25, "tissue_lowres_scalef": 0.0625,
        "fiducial_diameter_fullres": 105 / VISIUM_UM,
    }  # fmt: skip
    (folder / "spatial/scalefactors_json.json").write_text(json.dumps(factors))
    picture = np.random.default_rng(4).integers(0, 255, (400, 600, 3), dtype=np.uint8)
    import imageio.v3 as iio

    iio.imwrite(folder / "spatial/tissue_hires_image.png", picture)
    iio.imwrite(folder / "spatial/tissue_lowres_image.png", picture[::4, ::4])
    return {"names": barcodes, "xy_px": pixels, "counts": counts, "inside": inside, "hires": picture}


def write_visium_hd(folder):
    """An output folder of Space Ranger 4: bins of 8 and 16 um, and segmented cells."""
    mpp = 0.2737
    factors = {
        "microns_per_pixel": mpp, "tissue_lowres_scalef": 0.012, "fiducial_diameter_fullres": 1206.5,
        "tissue_hires_scalef": 0.12, "regist_target_img_scalef": 0.12,
    }  # fmt: skip
    rng = np.random.default_rng(5)
    truth = {"mpp": mpp}
    folder.mkdir(parents=True)
    eye = np.eye(3).ravel().tolist()
    matrices = (
        "cytassist_colrow_to_spot_colrow", "spot_colrow_to_cytassist_colrow",
        "microscope_colrow_to_spot_colrow", "spot_colrow_to_microscope_colrow",
    )  # fmt: skip
    with h5py.File(folder / "demo_feature_slice.h5", "w") as file:
        layout = json.dumps({"file_format": "1.0", "transform": eye})
        file.attrs["metadata_json"] = json.dumps(
            {"hd_layout_json": layout, "transform_matrices": dict.fromkeys(matrices, eye)}
        )
    for size in (8, 16):
        bins = folder / f"binned_outputs/square_{size:03d}um"
        (bins / "spatial").mkdir(parents=True)
        row, column = (axis.ravel() for axis in np.meshgrid(range(6), range(8), indexing="ij"))
        names = [f"s_{size:03d}um_{r:05d}_{c:05d}-1" for r, c in zip(row, column, strict=True)]
        counts = rng.poisson(3, (len(names), len(GENES)))
        write_10x(bins / "filtered_feature_bc_matrix.h5", counts, GENES, TYPES[: len(GENES)], names)
        xy = 600 + (np.column_stack([column, row]) + 0.5) * size / mpp
        pd.DataFrame(
            {
                "barcode": names, "in_tissue": 1, "array_row": row, "array_col": column,
                "pxl_row_in_fullres": xy[:, 1], "pxl_col_in_fullres": xy[:, 0],
            }
        ).to_parquet(bins / "spatial/tissue_positions.parquet", index=False)  # fmt: skip
        own = {**factors, "spot_diameter_fullres": size / mpp, "bin_size_um": float(size)}
        (bins / "spatial/scalefactors_json.json").write_text(json.dumps(own))
        truth[f"square_{size:03d}um"] = {"names": names, "xy_px": xy, "counts": counts}
    cells = folder / "segmented_outputs"
    (cells / "spatial").mkdir(parents=True)
    (cells / "spatial/scalefactors_json.json").write_text(json.dumps(factors))
    names = [f"cellid_{i:09d}-1" for i in range(1, 21)]
    column, row = np.meshgrid(np.arange(5), np.arange(4))
    xy = np.column_stack([column.ravel(), row.ravel()]) * 60.0 + 700
    xy = np.round(xy + rng.uniform(-8, 8, xy.shape), 1)
    counts = rng.poisson(3, (20, len(GENES)))
    write_10x(cells / "filtered_feature_cell_matrix.h5", counts, GENES, TYPES[: len(GENES)], names)
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)], float) * 20
    found = [
        {
            "type": "Feature",
            "properties": {"cell_id": i + 1},
            "geometry": {"type": "Polygon", "coordinates": [(centre + square).tolist()]},
        }
        for i, centre in enumerate(xy)
    ]
    collection = json.dumps({"type": "FeatureCollection", "features": found})
    (cells / "cell_segmentations.geojson").write_text(collection)
    (folder / "spatial").mkdir()
    import imageio.v3 as iio

    picture = rng.integers(0, 255, (300, 300, 3), dtype=np.uint8)
    iio.imwrite(folder / "spatial/tissue_hires_image.png", picture)
    iio.imwrite(folder / "spatial/tissue_lowres_image.png", picture[::4, ::4])
    truth["cell_segmentations"] = {"names": names, "xy_px": xy, "counts": counts}
    return truth


def write_cosmx(folder):
    """Flat files of two fields of view; cells are numbered anew in each."""
    (folder / "CellComposite").mkdir(parents=True)
    (folder / "CellLabels").mkdir()
    centres, counts = tissue()
    features = (*GENES, "NegPrb3", "SystemControl12")
    px = centres / COSMX_UM
    # the first field holds the left columns, the second the right ones
    width, height = 340, 500
    fov = np.where(px[:, 0] < width, 1, 2)
    number = np.array([(fov[:i] == f).sum() + 1 for i, f in enumerate(fov)])
    origin = np.where(fov[:, None] == 1, (0, 0), (width, 0))
    local = px - origin
    matrix = pd.DataFrame({"fov": fov, "cell_ID": number, **dict(zip(features, counts.T, strict=True))})
    background = pd.DataFrame([{"fov": f, "cell_ID": 0, **dict.fromkeys(features, 7)} for f in (1, 2)])
    pd.concat([background, matrix]).to_csv(folder / "demo_exprMat_file.csv", index=False)
    pd.DataFrame(
        {
            "fov": fov, "cell_ID": number, "Area": 2000, "CenterX_local_px": local[:, 0],
            "CenterY_local_px": local[:, 1], "CenterX_global_px": px[:, 0], "CenterY_global_px": px[:, 1],
        }
    ).to_csv(folder / "demo_metadata_file.csv", index=False)  # fmt: skip
    owner, feature, xy = molecules(centres, counts)
    of = np.where(owner >= 0, fov[owner], 1)
    start = np.where(of[:, None] == 1, (0, 0), (width, 0))
    place = xy / COSMX_UM
    pd.DataFrame(
        {
            "fov": of, "cell_ID": np.where(owner >= 0, number[owner], 0), "x_global_px": place[:, 0],
            "y_global_px": place[:, 1], "x_local_px": (place - start)[:, 0],
            "y_local_px": (place - start)[:, 1], "z": 3, "target": np.array(features)[feature],
            "CellComp": "Nuclear",
        }
    ).to_csv(folder / "demo_tx_file.csv", index=False)  # fmt: skip
    pd.DataFrame({"fov": [1, 2], "x_global_px": [0, width], "y_global_px": 0}).to_csv(
        folder / "demo_fov_positions_file.csv", index=False
    )
    rng = np.random.default_rng(6)
    for f in (1, 2):
        here = fov == f
        labels = np.zeros((height, width), np.uint16)
        for place, label in zip(local[here], number[here], strict=True):
            x, y = np.round(place).astype(int)
            labels[max(y - 20, 0) : y + 20, max(x - 20, 0) : x + 20] = label
        # the reader turns images of a field upside down
        tifffile.imwrite(folder / f"CellLabels/CellLabels_F{f:03d}.tif", labels[::-1])
        picture = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        tifffile.imwrite(folder / f"CellComposite/CellComposite_F{f:03d}.tif", picture, photometric="rgb")
    names = [f"{n}_{f}" for n, f in zip(number, fov, strict=True)]
    return {"names": names, "xy_px": px, "counts": counts}


def write_merscope(folder):
    """One region with seven equal planes of outlines and a mosaic."""
    (folder / "images").mkdir(parents=True)
    centres, counts = tissue()
    features = (*GENES, "Blank-1", "Blank-2")
    names = [str(1195290300019100001 + i) for i in range(N)]
    pd.DataFrame(counts, index=pd.Index(names, name="cell"), columns=features).to_csv(
        folder / "cell_by_gene.csv"
    )
    pd.DataFrame(
        {"fov": 1, "volume": 500.0, "center_x": centres[:, 0], "center_y": centres[:, 1]},
        index=pd.Index(names, name="EntityID"),
    ).to_csv(folder / "cell_metadata.csv")
    owner, feature, xy = molecules(centres, counts)
    pd.DataFrame(
        {
            "barcode_id": feature, "global_x": xy[:, 0], "global_y": xy[:, 1], "global_z": 2.0, "x": 1.0,
            "y": 1.0, "fov": 1, "gene": np.array(features)[feature], "transcript_id": "ENST1",
            "cell_id": np.array([*names, "-1"])[owner],
        }
    ).to_csv(folder / "detected_transcripts.csv")  # fmt: skip
    import geopandas

    rows = [(i * 7 + z, name, z) for i, name in enumerate(names) for z in range(7)]
    frame = pd.DataFrame(rows, columns=["ID", "EntityID", "ZIndex"])
    frame["EntityID"] = frame["EntityID"].astype(np.int64)
    outlines = [
        shapely.multipolygons([shapely.box(x - HALF_UM, y - HALF_UM, x + HALF_UM, y + HALF_UM)])
        for x, y in centres
        for _ in range(7)
    ]
    geopandas.GeoDataFrame(frame, geometry=outlines).rename_geometry("Geometry").to_parquet(
        folder / "cell_boundaries.parquet"
    )
    scale = 1 / 0.108
    to_px = [(scale, 0, 50), (0, scale, 70), (0, 0, 1)]
    np.savetxt(folder / "images/micron_to_mosaic_pixel_transform.csv", to_px)
    mosaic = np.random.default_rng(7).integers(0, 4000, (700, 900), dtype=np.uint16)
    tifffile.imwrite(folder / "images/mosaic_DAPI_z3.tif", mosaic)
    return {"names": names, "xy_um": centres, "counts": counts}


def unpacked(path, folder):
    """Unpack a zip file, for those who look into it."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return Path(folder)
