"""Small bundles as the vendors' documents describe them, written without any of our readers."""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct

import h5py
import numpy as np
import pandas as pd
from scipy.sparse import csc_matrix

GENES = ("ERBB2", "EPCAM", "VIM", "CD3E")
CONTROLS = ("NegControlProbe_00042", "NegControlCodeword_0500", "UnassignedCodeword_0012")


def write_10x_matrix(path, counts, names, types, barcodes, ids=None):
    """Write (features, barcodes) counts as 10x HDF5: one compressed column a barcode."""
    matrix = csc_matrix(np.asarray(counts, dtype=np.int32))
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, dtype="S")
        group["data"], group["indices"] = matrix.data, matrix.indices.astype(np.int64)
        group["indptr"], group["shape"] = matrix.indptr.astype(np.int64), np.array(matrix.shape, np.int32)
        features = group.create_group("features")
        features["name"] = np.array(names, dtype="S")
        features["id"] = np.array(ids or [f"ENSG{i:011d}" for i in range(len(names))], dtype="S")
        features["feature_type"] = np.array(types, dtype="S")
        features["genome"] = np.array(["GRCh38"] * len(names), dtype="S")


def write_xenium(folder, *, seed=0, n_cells=30, drop=()):
    """Write a bundle of the onboard analysis; return its transcripts as a data frame."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-50, 250, (n_cells, 2))
    names = [f"aaaa{chr(97 + i // 26)}{chr(97 + i % 26)}-1" for i in range(n_cells)]
    features = np.array(GENES + CONTROLS)
    n = 60 * n_cells
    owner = rng.integers(-1, n_cells, n)
    place = np.where(owner[:, None] >= 0, centres[owner], rng.uniform(-50, 250, (n, 2)))
    table = pd.DataFrame(
        {
            "transcript_id": np.arange(n, dtype=np.uint64),
            "cell_id": np.where(owner >= 0, np.array([*names, "UNASSIGNED"])[owner], "UNASSIGNED"),
            "overlaps_nucleus": rng.integers(0, 2, n).astype(np.uint8),
            "feature_name": rng.choice(features, n, p=[0.3, 0.3, 0.2, 0.15, 0.02, 0.02, 0.01]),
            "x_location": (place[:, 0] + rng.normal(0, 2, n)).astype(np.float32),
            "y_location": (place[:, 1] + rng.normal(0, 2, n)).astype(np.float32),
            "z_location": rng.uniform(10, 20, n).astype(np.float32),
            "qv": rng.choice([40.0, 25.0, 12.0], n).astype(np.float32),
        }
    )
    good = table[(table["qv"] >= 20) & (table["cell_id"] != "UNASSIGNED")]
    counts = np.array(
        [[((good["feature_name"] == f) & (good["cell_id"] == c)).sum() for c in names] for f in features]
    )
    types = ["Gene Expression"] * 4 + [
        "Negative Control Probe",
        "Negative Control Codeword",
        "Unassigned Codeword",
    ]
    cells = pd.DataFrame(
        {
            "cell_id": names, "x_centroid": centres[:, 0], "y_centroid": centres[:, 1],
            "transcript_counts": counts[:4].sum(axis=0), "cell_area": rng.uniform(20, 90, n_cells),
            "nucleus_area": rng.uniform(10, 40, n_cells), "group": ["a", "b", None] * (n_cells // 3),
        }
    )  # fmt: skip
    square = np.array([[-3, -3], [3, -3], [3, 3], [-3, 3], [-3, -3]])
    outline = pd.DataFrame(
        [(name, x, y) for name, centre in zip(names, centres, strict=True) for x, y in centre + square],
        columns=["cell_id", "vertex_x", "vertex_y"],
    )
    writers = {
        "transcripts.parquet": lambda path: table.to_parquet(path, row_group_size=500),
        "cells.parquet": cells.sample(frac=1, random_state=1).to_parquet,
        "cell_boundaries.parquet": outline.to_parquet,
        "nucleus_boundaries.parquet": outline.to_parquet,
        "cell_feature_matrix.h5": lambda path: write_10x_matrix(path, counts, features, types, names),
        "experiment.xenium": lambda path: path.write_text(
            json.dumps({"panel_name": "Human Breast", "pixel_size": 0.2125, "region_name": "r"})
        ),
    }
    for name, write in writers.items():
        if name not in drop:
            write(folder / name)
    return table, cells, counts


def write_cosmx(folder, *, seed=0, drop=(), packed=False):
    """Write flat files of two fields of view of ten cells each; return rows of the matrix."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    features = (*GENES, "NegPrb3", "SystemControl12")
    matrix, metadata, transcripts, polygons = [], [], [], []
    for fov in (1, 7):
        for cell in range(11):
            counts = rng.poisson(3, len(features))
            x, y = rng.integers(0, 4000, 2) + np.array([5000 * fov, 200])
            matrix.append({"fov": fov, "cell_ID": cell, **dict(zip(features, counts.tolist(), strict=True))})
            if cell:
                metadata.append(
                    {"fov": fov, "cell_ID": cell, "Area": 2000, "CenterX_local_px": x - 5000 * fov,
                     "CenterY_local_px": y - 200, "CenterX_global_px": x, "CenterY_global_px": y, "type": "T"}
                )  # fmt: skip
                for dx, dy in ((-9, -9), (9, -9), (9, 9), (-9, 9)):
                    polygons.append({"fov": fov, "cellID": cell, "x_local_px": 0, "y_local_px": 0,
                                     "x_global_px": x + dx, "y_global_px": y + dy})  # fmt: skip
            for name, count in zip(features, counts.tolist(), strict=True):
                transcripts += [
                    {"fov": fov, "cell_ID": cell, "x_global_px": x + 1, "y_global_px": y, "x_local_px": 0,
                     "y_local_px": 0, "z": 3, "target": name, "CellComp": "Nuclear"}
                ] * count  # fmt: skip
    files = {
        "Run_exprMat_file.csv": matrix, "Run_metadata_file.csv": metadata, "Run_tx_file.csv": transcripts,
        "Run-polygons.csv": polygons,
    }  # fmt: skip
    for name, rows in files.items():
        if name in drop:
            continue
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    return matrix, metadata


def wkb(ring):
    """Return a multipolygon of one ring in little-endian well-known binary."""
    points = b"".join(struct.pack("<2d", *point) for point in ring)
    polygon = struct.pack("<BII", 1, 3, 1) + struct.pack("<I", len(ring)) + points
    return struct.pack("<BII", 1, 6, 1) + polygon


def write_merscope(folder, *, seed=0, n_cells=12, drop=()):
    """Write one region; return matrix and metadata as data frames."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    features = (*GENES, "Blank-1", "Blank-2")
    names = [str(10**15 + i) for i in range(n_cells)]
    centres = rng.uniform(0, 300, (n_cells, 2))
    matrix = pd.DataFrame(
        rng.poisson(2, (n_cells, len(features))), index=pd.Index(names, name="cell"), columns=features
    )
    metadata = pd.DataFrame(
        {"EntityID": names, "fov": 1, "volume": rng.uniform(100, 900, n_cells), "center_x": centres[:, 0],
         "center_y": centres[:, 1]}
    )  # fmt: skip
    rows = [
        (f, x, y, c)
        for c, (x, y) in zip(names, centres, strict=True)
        for f in features
        for _ in range(matrix.loc[c, f])
    ]
    transcripts = pd.DataFrame(rows, columns=["gene", "global_x", "global_y", "cell_id"])
    transcripts.insert(0, "barcode_id", 1)
    transcripts["global_z"] = 2.0
    square = np.array([[-4, -4], [4, -4], [4, 4], [-4, 4]])
    boundaries = pd.DataFrame(
        {"EntityID": names, "ZIndex": 0, "Geometry": [wkb(c + square) for c in centres]}
    )
    writers = {
        "cell_by_gene.csv": matrix.to_csv,
        "cell_metadata.csv": lambda path: metadata[::-1].to_csv(path, index=False),
        "detected_transcripts.csv": transcripts.to_csv,
        "cell_boundaries.parquet": boundaries.to_parquet,
    }
    for name, write in writers.items():
        if name not in drop:
            write(folder / name)
    return matrix, metadata
