"""A Xenium bundle read beside ``spatialdata_io``; 300,000 cells with STBENCH_BENCH=full.

Each side is a fresh process that ends with the same things in memory: counts (CSR), centroids, outlines
of cells and of nuclei as geometries or arrays of vertices, and one label image of the cells. Its time is
that of reading, its peak that of the process, imports included. The libraries need an environment of
their own: ``STBENCH_LIBRARIES_PYTHON`` names its interpreter (``.ci/libraries`` makes one). Nothing is
asserted about time: compare the rows of a group.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

FULL = os.environ.get("STBENCH_BENCH") == "full"
N = 300_000 if FULL else 900
GENES, SEEN, VERTICES = 320, 70, 13
STEP_UM, PIXEL_UM = 10.0, 0.85
"""Pixels are larger than the instrument's, so that the label image of a whole section fits both sides."""

SHARED = ("cells", "genes", "counts", "outlines", "nuclei", "vertices", "x", "labels")


def write_bundle(folder, n):
    """Round cells on a jittered lattice as onboard analysis 3 writes them; nothing of ours is used."""
    import h5py
    import pandas as pd

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    along = int(np.ceil(np.sqrt(n)))
    site = np.arange(n)
    centres = (np.column_stack([site % along, site // along]) + 1) * STEP_UM + rng.uniform(-1, 1, (n, 2))
    radius = rng.uniform(3, 3.9, n)
    letters = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
    names = np.array([f"{number:08x}".translate(letters) + "-1" for number in range(1, n + 1)])
    (folder / "experiment.xenium").write_text(
        json.dumps({"analysis_sw_version": "xenium-3.1.0.4", "pixel_size": PIXEL_UM, "panel_name": "p"})
    )
    genes = np.sort(np.argsort(rng.random((n, GENES), np.float32), axis=1)[:, :SEEN], axis=1)
    with h5py.File(folder / "cell_feature_matrix.h5", "w") as file:
        group = file.create_group("matrix")
        packed = {"compression": "gzip", "compression_opts": 1}
        group.create_dataset("data", data=rng.integers(1, 9, n * SEEN, dtype=np.int32), **packed)
        group.create_dataset("indices", data=genes.ravel().astype(np.int64), **packed)
        group["indptr"], group["shape"] = np.arange(n + 1) * SEEN, np.array([GENES, n], np.int32)
        group["barcodes"] = names.astype("S")
        features = group.create_group("features")
        features["name"] = np.array([f"G{gene}" for gene in range(GENES)], "S")
        features["id"] = np.array([f"ENSG{gene:011d}" for gene in range(GENES)], "S")
        features["feature_type"] = np.full(GENES, b"Gene Expression")
        features["genome"] = np.full(GENES, b"GRCh38")
    area = np.pi * radius**2
    pd.DataFrame(
        {
            "cell_id": names, "x_centroid": centres[:, 0], "y_centroid": centres[:, 1],
            "cell_area": area, "nucleus_area": area / 4,
        }
    ).to_parquet(folder / "cells.parquet")  # fmt: skip
    turn = np.linspace(0, 2 * np.pi, VERTICES)
    around = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    for kind, share in (("cell", 1.0), ("nucleus", 0.5)):
        xy = (centres[:, None] + share * radius[:, None, None] * around).reshape(-1, 2).astype(np.float32)
        vertices = {"cell_id": np.repeat(names, VERTICES), "vertex_x": xy[:, 0], "vertex_y": xy[:, 1]}
        label = np.repeat(np.arange(1, n + 1), VERTICES)
        pd.DataFrame({**vertices, "label_id": label}).to_parquet(folder / f"{kind}_boundaries.parquet")
    _write_masks(folder, n, along, centres, radius)


def _write_masks(folder, n, along, centres, radius):
    """The label images of the cells and of the nuclei, for the library."""
    import zarr

    with zarr.storage.ZipStore(folder / "cells.zarr.zip", mode="w") as store:
        root = zarr.create_group(store, zarr_format=2)
        number = np.column_stack([np.arange(1, n + 1), np.ones(n)]).astype(np.uint32)
        root.create_array("cell_id", data=number)
        summary = root.create_array("cell_summary", data=np.column_stack([centres, np.ones((n, 6))]))
        summary.attrs["column_names"] = [
            "cell_centroid_x", "cell_centroid_y", "cell_area", "nucleus_centroid_x", "nucleus_centroid_y",
            "nucleus_area", "z_level", "nucleus_count",
        ]  # fmt: skip
        masks, sets = root.create_group("masks"), root.create_group("polygon_sets")
        side = int((along + 2) * STEP_UM / PIXEL_UM)
        at = (np.arange(side) + 0.5) * PIXEL_UM
        column = np.clip(np.rint(at / STEP_UM).astype(int) - 1, 0, along - 1)
        for place, share in enumerate((0.5, 1.0)):
            image = masks.create_array(
                str(place), shape=(side, side), chunks=(min(side, 4096),) * 2, dtype=np.uint32
            )
            for top in range(0, side, 512):
                rows = slice(top, min(top + 512, side))
                cell = np.minimum(column[rows][:, None] * along + column, n - 1)
                away = (at - centres[cell, 0]) ** 2 + (at[rows][:, None] - centres[cell, 1]) ** 2
                image[rows] = np.where(away < (share * radius[cell]) ** 2, cell + 1, 0).astype(np.uint32)
            sets.create_group(str(place)).create_array("cell_index", data=np.arange(n, dtype=np.uint32))


def ours(folder):
    """Return what is in memory in numbers, with the things themselves."""
    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.data.samples import load_samples
    from pytest_stbench.spec.model import DatasetSpec

    config = DatasetSpec(source="xenium", path=folder.name)
    roots = [folder.parent]
    slide = Dataset("d", config, load_samples(config, "d", roots), roots).slide(folder.name)
    cell, nucleus = (slide.segmentations[kind].areas for kind in ("cell", "nucleus"))
    side = int((int(np.ceil(np.sqrt(slide.n_units))) + 2) * STEP_UM / PIXEL_UM) * PIXEL_UM
    labels = slide.segmentations["cell"].labels(PIXEL_UM, (0.0, 0.0, side, side))
    held = (slide, cell, nucleus, labels)
    vertices = len(cell.xy) + len(nucleus.xy)
    return (slide.counts, slide.xy_um, cell.n, nucleus.n, vertices, labels), held


def theirs(folder):
    import shapely
    from spatialdata_io import xenium

    store = xenium(
        folder, transcripts=False, nucleus_labels=False, morphology_mip=False, morphology_focus=False,
        aligned_images=False, labels_models_kwargs={"scale_factors": None},
    )  # fmt: skip
    table, cell, nucleus = store["table"], store["cell_boundaries"], store["nucleus_boundaries"]
    labels = np.asarray(store["cell_labels"].data)
    vertices = sum(len(shapely.get_coordinates(shapes.geometry.values)) for shapes in (cell, nucleus))
    held = (store, labels)
    return (table.X, table.obsm["spatial"], len(cell), len(nucleus), vertices, labels), held


IMPORTS = {"ours": "pytest_stbench.data.readers.xenium", "theirs": "spatialdata_io"}


def main(side, folder):
    importlib.import_module(IMPORTS[side])
    started = time.perf_counter(), time.process_time()
    (counts, xy, cells, nuclei, vertices, labels), held = {"ours": ours, "theirs": theirs}[side](folder)
    seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    peak = int(Path("/proc/self/status").read_text(encoding="ascii").split("VmHWM:")[1].split()[0]) >> 10
    assert held
    counted = (*counts.shape, counts.sum(dtype=np.float64))
    values = (*counted, cells, nuclei, vertices, xy[:, 0].sum(), np.count_nonzero(labels))
    facts = {name: float(value) for name, value in zip(SHARED, values, strict=True)}
    sys.stdout.write(json.dumps({**facts, "seconds": seconds, "cpu_s": cpu, "peak_mib": peak}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
else:
    import pytest

    PYTHON = {"ours": sys.executable, "theirs": os.environ.get("STBENCH_LIBRARIES_PYTHON")}

    @pytest.fixture(scope="module")
    def bundle(tmp_path_factory):
        pytest.importorskip("zarr")
        folder = tmp_path_factory.mktemp("xenium") / "S1"
        write_bundle(folder, N)
        return folder

    @pytest.fixture(scope="module")
    def found():
        return {}

    @pytest.mark.filterwarnings(
        "ignore:zarr v3 autosharding:UserWarning", "ignore:Duplicate name:UserWarning"
    )
    @pytest.mark.parametrize("side", PYTHON)
    @pytest.mark.benchmark(group="a Xenium bundle in a fresh process")
    def test_reading(benchmark, bundle, found, side):
        if PYTHON[side] is None:
            pytest.skip("STBENCH_LIBRARIES_PYTHON names no environment with spatialdata_io")

        def fresh():
            command = [PYTHON[side], __file__, side, str(bundle)]
            return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

        got = benchmark.pedantic(fresh, rounds=3 if FULL else 1, warmup_rounds=1 if FULL else 0)
        benchmark.extra_info.update(got)
        found[side] = got
        assert (got["cells"], got["outlines"], got["nuclei"]) == (N, N, N)
        assert got["vertices"] == 2 * N * VERTICES
        if len(found) == 2:
            one, two = (found[name] for name in PYTHON)
            assert [one[name] for name in SHARED[:-2]] == [two[name] for name in SHARED[:-2]]
            # places are float32 in one of them, and the polygons lie within the round cells of the image
            assert one["x"] == pytest.approx(two["x"], rel=1e-5)
            assert one["labels"] == pytest.approx(two["labels"], rel=0.1)
