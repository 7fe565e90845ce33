"""What checks of lattices, images, labels, panels and splits say of real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_stbench.checks import CHECKS, run_check
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.registry import load_target
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.splits.table import Fold

DATA = Path(os.environ.get("STBENCH_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "her2st").is_dir(), reason="set STBENCH_DATA to the development data"
)
NAMES = (
    "xisium_geometry", "resolution_mismatch", "resolution_split", "image_registration", "label_alignment",
    "panel_effect", "panel_split", "class_imbalance", "batch_corrected_eval", "fitted_on_test",
)  # fmt: skip
HER2ST = {
    "source": "h5ad", "path": "her2st/sections/*.h5ad", "samples": "her2st/samples.csv",
    "keys": {"patient": "patient", "slide": "sample", "niche": "region", "array_row": "array_row",
             "array_col": "array_col"},
    "scale": {"um_per_px": "uns:um_per_px"}, "pitch_um": 200, "technology": "ST", "resolution": "spot",
    "panel": "whole_transcriptome", "organ": "breast", "absent_gene": "zero",
}  # fmt: skip
IMAGES = {
    "slides": ["A1", "A2", "B4", "C2", "C3", "C4", "C5", "C6"],
    "image": {"path": "her2st/images/{slide}.jpg", "um_per_px": "uns:image.um_per_px",
              "spatial": "spatial_image", "mpp": 3.25},
}  # fmt: skip


def judged(*, predicted=True, **config):
    """Results by name; folds leave one patient out."""
    spec = DatasetSpec(**config)
    samples = load_samples(spec, "d", [DATA])
    dataset = Dataset("d", spec, samples, [DATA])
    people = dict.fromkeys(s.patient for s in samples)
    folds = [
        Fold(
            name=str(who),
            train=tuple(s.slide for s in samples if s.patient != who),
            test=tuple(s.slide for s in samples if s.patient == who),
        )
        for who in people
    ]
    facts = {
        "dataset": dataset, "subject": dataset, "samples": samples, "folds": folds, "config": spec,
        "split": "lopo", "predicted": predicted,
    }  # fmt: skip
    return {r.name: run_check(r, load_target(r.target), facts) for r in CHECKS if r.name in NAMES}


def not_passed(results):
    return {name: result.status for name, result in results.items() if result.status != "pass"}


@pytest.fixture(scope="module")
def her2st():
    return judged(**HER2ST)


def test_her2st_warns_of_classes_of_one_patient_and_of_depth(her2st):
    assert not_passed(her2st) == {"class_imbalance": "warn", "resolution_split": "warn"}


def test_her2st_classes_absent_from_training(her2st):
    found = her2st["class_imbalance"]
    assert found.statistic == pytest.approx(0.152, abs=0.002)
    assert found.slides == ("B1", "A1")
    assert found.details["not_covered"]["niche"]["A1"] == pytest.approx(0.06, abs=0.01)


def test_her2st_depth_differs_between_patients(her2st):
    assert her2st["resolution_split"].statistic == pytest.approx(5.1, abs=0.2)


def test_her2st_labels_are_those_of_their_spots(her2st):
    assert her2st["label_alignment"].statistic == 1.0
    assert len(her2st["label_alignment"].details["matched"]) == 6


def test_her2st_images_lie_where_they_belong():
    results = judged(**HER2ST, **IMAGES, predicted=False)
    assert results["image_registration"].status == "pass"
    assert max(results["image_registration"].details["background"].values()) < 0.05
    assert not_passed(results) == {"class_imbalance": "warn", "resolution_split": "warn"}


@pytest.mark.parametrize(
    "config",
    [
        {"source": "cosmx", "path": "cosmx_nsclc/transcripts/*.parquet", "panel": "cosmx_960"},
        {"source": "xenium", "path": "xenium_breast/transcripts/*.parquet"},
        {"source": "xenium", "path": "xenium_breast/transcripts/*.parquet", "bin": {"geometry": "visium"}},
        {"source": "xenium", "path": "xenium_breast/transcripts/*.parquet", "bin": {"geometry": "tiled"}},
        {"source": "xenium", "path": "xenium_lung/preview_10k_transcripts"},
        {"source": "h5ad", "path": "visium_prostate/*.h5ad", "technology": "Visium", "resolution": "spot",
         "keys": {"slide": "sample"}, "scale": {"um_per_px": 100 / 290}},
        {"source": "h5ad", "path": "st_breast_layers/*.h5ad", "technology": "ST", "resolution": "spot",
         "scale": {"um_per_px": 200}},
    ],
    ids=lambda c: f"{Path(c['path']).parent.name}-{c.get('bin', {}).get('geometry', c['source'])}",
)  # fmt: skip
def test_other_folders_pass(config):
    assert not_passed(judged(**config)) == {}


def test_regions_of_one_patient_cannot_be_trained_and_tested():
    cells = {"source": "h5ad", "path": "cosmx_nsclc/cells/lung5_rep3_regions.h5ad", "technology": "CosMx"}
    keys = {"slide": "fov", "niche": "region"}
    results = judged(**cells, resolution="cell", keys=keys, scale={"um_per_px": 0.18})
    assert not_passed(results) == {"class_imbalance": "warn"}
    assert "fewer than 2 patients" in results["class_imbalance"].message
