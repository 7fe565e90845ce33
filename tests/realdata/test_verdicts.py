"""What checks of lattices, images, labels, panels and splits say of real data."""

from __future__ import annotations

import os
from pathlib import Path

import anndata
import pytest
from PIL import Image, ImageOps

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


def judged(*, predicted=True, roots=(DATA,), **config):
    """Results by name; folds leave one patient out."""
    spec = DatasetSpec(**config)
    samples = load_samples(spec, "d", roots)
    dataset = Dataset("d", spec, samples, roots)
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


def test_cells_of_a_reduced_image_lie_on_its_tissue():
    folder = "xenium_lung/he_paired_200_cells"
    image = {"path": f"{folder}/{{slide}}.jpg", "um_per_px": 2.125, "spatial": "spatial"}
    cells = {"source": "h5ad", "path": f"{folder}/*.h5ad", "technology": "Xenium", "resolution": "cell"}
    results = judged(**cells, scale={"um_per_px": 2.125}, image=image)
    found = results["image_registration"]
    assert found.status == "pass", found.message
    assert found.details["shifts_as_good"]["NCBI858"] <= 0.02
    assert found.details["background"]["NCBI858"] == pytest.approx(0.015, abs=0.005)


def test_a_mirrored_image_is_told_from_its_cells(tmp_path):
    folder = "xenium_lung/he_paired_200_cells"
    ImageOps.mirror(Image.open(DATA / folder / "NCBI858.jpg")).save(tmp_path / "NCBI858.png")
    image = {"path": "{slide}.png", "um_per_px": 2.125, "spatial": "spatial"}
    cells = {"source": "h5ad", "path": f"{folder}/*.h5ad", "technology": "Xenium", "resolution": "cell"}
    found = judged(**cells, scale={"um_per_px": 2.125}, image=image, roots=(DATA, tmp_path))
    assert found["image_registration"].status == "warn"
    assert "15% of the units" in found["image_registration"].message


def label_tables(folder, slides, name=str):
    """Write the regions of sections as a viewer exports them, units called by `name`, in another order."""
    for slide in slides:
        obs = anndata.read_h5ad(DATA / f"her2st/sections/{slide}.h5ad", backed="r").obs
        table = obs[["region"]].rename(index=name).sample(frac=1, random_state=0)
        table.to_csv(folder / f"{slide}.csv", index_label="Barcode")


@pytest.fixture
def labelled(tmp_path):
    """Return a maker of two labelled sections whose regions stand in tables beside the files."""
    labels = {"path": "{slide}.csv", "niche": "region"}
    keys = {key: value for key, value in HER2ST["keys"].items() if key != "niche"}
    spec = DatasetSpec(**HER2ST | {"keys": keys, "labels": labels, "slides": ["A1", "B1"]})

    def made(**tables):
        label_tables(tmp_path, **{"slides": ("A1", "B1")} | tables)
        dataset = Dataset("d", spec, load_samples(spec, "d", [DATA, tmp_path]), [DATA, tmp_path])
        (record,) = (check for check in CHECKS if check.name == "label_alignment")
        facts = {"dataset": dataset, "notes": dataset.notes}
        return dataset, run_check(record, load_target(record.target), facts)

    return made


def test_labels_from_tables_are_those_of_the_files(labelled):
    dataset, result = labelled()
    assert result.status == "pass", result.message
    for name in ("A1", "B1"):
        obs = anndata.read_h5ad(DATA / f"her2st/sections/{name}.h5ad", backed="r").obs
        slide = dataset.slide(name)
        assert slide.labels["niche"].tolist() == obs["region"].astype(object).loc[slide.unit_names].tolist()


def test_tables_that_name_other_units_fail(labelled):
    _, result = labelled(name=lambda unit: f"s{unit}")
    assert result.status == "fail", result.message
    assert "0% of the rows of the label table" in result.message
