"""CosMx and Xenium folders through their readers, against the tables that come with them."""

from __future__ import annotations

import os
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.spec.model import DatasetSpec

DATA = Path(os.environ.get("STBENCH_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "cosmx_nsclc").is_dir(), reason="set STBENCH_DATA to the development data"
)


def opened(source, path, **changes):
    config = DatasetSpec(source=source, path=path, **changes)
    return Dataset("d", config, load_samples(config, "d", [DATA]), [DATA])


def frame(slide):
    return pd.DataFrame(slide.counts.toarray(), index=slide.unit_names, columns=slide.genes)


def same_counts(slide, table):
    """Compare a slide with the table of its cells; what neither has counts of may be named by one."""
    ours, theirs = (
        frame(slide),
        pd.DataFrame(table.X.toarray(), index=table.obs_names, columns=table.var_names),
    )
    cells = ours.index.intersection(theirs.index)
    only_theirs, only_ours = theirs.drop(cells), ours.drop(cells)
    assert (only_theirs.sum(axis=1) == 0).all(), "cells without transcripts are in no table of transcripts"
    assert only_ours.to_numpy().sum() < 0.01 * ours.to_numpy().sum(), "cells at the edge of a crop"
    ours, theirs = ours.loc[cells], theirs.loc[cells]
    joint = ours.columns.intersection(theirs.columns)
    assert ours.drop(columns=joint).to_numpy().sum() == theirs.drop(columns=joint).to_numpy().sum() == 0
    np.testing.assert_array_equal(ours[joint], theirs[joint])


def test_xenium_cells_counted_from_transcripts():
    dataset = opened("xenium", "xenium_breast/transcripts/*.parquet")
    for slide in dataset.slides():
        name = slide.meta.slide_id
        table = anndata.read_h5ad(DATA / "xenium_breast" / "cells" / f"{name}_20genes.h5ad")
        same_counts(slide, table)
    assert dict(dataset.notes["control_counts"]) == {"rep1": 237, "rep2": 98}


def test_a_partial_xenium_bundle():
    dataset = opened("xenium", "xenium_lung/preview_10k_transcripts")
    (slide,) = dataset.slides()
    same_counts(slide, anndata.read_h5ad(DATA / "xenium_lung" / "preview_10k_transcripts" / "cells.h5ad"))
    assert dataset.notes["transcripts_low_qv"][slide.meta.slide_id] == 1383
    nuclei = slide.segmentations["nucleus"]
    assert len(nuclei.names) == 135
    assert nuclei.unusable == 0
    inside = _cells_at(nuclei, slide)
    table = pd.read_parquet(DATA / "xenium_lung" / "preview_10k_transcripts" / "transcripts.parquet")
    agree = inside[inside != ""] == table["cell_id"].astype(str).to_numpy()[inside != ""]
    assert agree.mean() > 0.99


def _cells_at(segmentation, slide, step=0.1):
    """Return the instance under every transcript."""
    batches = list(slide.transcripts.batches())
    x, y = (np.concatenate([getattr(b, axis) for b in batches]) for axis in ("x_um", "y_um"))
    x0, y0 = x.min(), y.min()
    image = segmentation.labels(step, (x0, y0, x.max() + 1, y.max() + 1))
    label = image[((y - y0) / step).astype(int), ((x - x0) / step).astype(int)]
    return np.array(["", *segmentation.names])[label]


def test_cosmx_crops():
    dataset = opened("cosmx", "cosmx_nsclc/transcripts/*.parquet", panel="cosmx_960")
    crops = pd.read_csv(DATA / "cosmx_nsclc" / "crops.csv", index_col="crop")
    table = anndata.read_h5ad(DATA / "cosmx_nsclc" / "cells" / "transcript_crops.h5ad")
    for slide in dataset.slides():
        name = slide.meta.slide_id
        same_counts(slide, table[table.obs["crop"] == name])
        notes = {note: found[name] for note, found in dataset.notes.items() if name in found}
        assert notes["transcripts_read"] == crops.loc[name, "n_transcripts"]
        assert notes["transcripts_unassigned"] == crops.loc[name, "n_unassigned"]
        cells = _cells_at(slide.segmentations["cell"], slide, step=0.18)
        recorded = np.concatenate([b.cell for b in slide.transcripts.batches(cells=True)])
        assert (cells == recorded).mean() == pytest.approx(
            crops.loc[name, "mask_vs_transcript_cell_agreement"], abs=0.01
        )


def test_polygons_and_label_images_are_the_same_cells():
    slide = opened("cosmx", "cosmx_nsclc/transcripts/Lung12_fov2.parquet").slide("Lung12_fov2")
    window = (0.0, 0.0, 120.96, 116.64)
    polygons = slide.segmentations["cell"].labels(0.18, window)
    image = slide.segmentations["cell_labels"].labels(0.18, window)
    assert ((polygons > 0) == (image > 0)).mean() > 0.999


@pytest.mark.parametrize("geometry", ["visium", "tiled", "square"])
def test_every_transcript_of_a_binned_crop_is_accounted_for(geometry):
    units = {"geometry": geometry, **({"size_um": 16} if geometry == "square" else {})}
    dataset = opened("xenium", "xenium_breast/transcripts/*.parquet", bin=units)
    for slide in dataset.slides():
        name = slide.meta.slide_id
        notes = {n: f[name] for n, f in dataset.notes.items() if n.startswith("transcripts_")}
        left_out = sum(n for note, n in notes.items() if note not in ("transcripts_read", "transcripts_kept"))
        assert "transcripts_unassigned" not in notes, "where cells are is no matter of bins"
        assert notes["transcripts_read"] == notes["transcripts_kept"] + left_out
        assert slide.counts.sum() == notes["transcripts_kept"]


TASK = """\
stbench: 1
name: cosmx-resolutions
version: 1
family: imputation
claim: exploratory
datasets:
  crops:
    source: cosmx
    path: cosmx_nsclc/transcripts/*.parquet
    samples: samples.csv
    panel: cosmx_960
    organ: lung
    disease: NSCLC
    preservation: FFPE
splits: [lopo]
imputation: {hide: {folds: 4, fold: 0}}
preprocess:
  filter: {min_counts: 10, min_genes: 5}
  genes: {select: all, min_detection: 0.05}
  variants: {visium: {bin: visium}, tiled: {bin: tiled}, b16: {bin: 16}}
metrics: [spearman_gene, rmse]
baselines: [train_mean]
checks:
  no_spatial_signal: {waive: true, reason: crops of 40 to 67 cells are too small for a pattern}
  housekeeping_only_panel: {waive: true, reason: as above}
"""


def test_one_task_file_runs_a_model_on_cells_spots_and_bins(tmp_path):
    import json
    import subprocess
    import sys

    (tmp_path / "crops.stbench.yaml").write_text(TASK)
    rows = ["Lung12_fov2,Lung12", "Lung12_fov3,Lung12", "Lung9_Rep1_fov9,Lung9", "Lung9_Rep1_fov11,Lung9"]
    (tmp_path / "samples.csv").write_text("\n".join(["slide,patient", *rows]) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--stbench-model=ridge",
         "--stbench-save=r.json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "STBENCH_DATA": str(DATA)},
    )  # fmt: skip
    assert "resolutions of crops" in done.stdout, done.stdout + done.stderr
    saved = json.loads((tmp_path / "r.json").read_text())
    records = {record["name"]: record for record in saved["datasets"]}
    assert set(records) == {"crops", "crops+visium", "crops+tiled", "crops+b16"}
    for record in records.values():
        parts = {note: n for note, n in record["notes"].items() if note.startswith("transcripts_")}
        assert parts.pop("transcripts_read") == 47255
        assert sum(parts.values()) == 47255, "every transcript is kept or left out for one reason"
    wanted = ("spearman_gene", None)
    pooled = {s["variant"]: s["value"] for s in saved["scores"] if (s["metric"], s["fold"]) == wanted}
    assert pooled[""] is not None
    assert pooled["b16"] is not None
