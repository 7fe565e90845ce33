"""On the clean cohort no check has anything to say, and reading order does not matter."""

from __future__ import annotations

import numpy as np
import pytest

NAMES = (
    "panel_mismatch", "too_few_patients", "patient_leakage", "slide_leakage", "duplicate_units",
    "empty_units", "missing_coords", "normalised_not_counts", "gene_sparsity", "ubiquitous_low_variability",
    "housekeeping_only_panel", "library_size_confounding", "patient_effect", "hvg_not_svg", "gene_ids",
    "batch_corrected_eval", "fitted_on_test", "xisium_geometry", "resolution_mismatch", "resolution_split",
    "image_registration", "metadata_missing", "nonfinite_negative", "controls_in_matrix",
    "task_gene_coverage", "class_imbalance", "label_alignment", "no_spatial_signal", "baseline_missing",
    "metric_monoculture", "panel_effect", "panel_split", "narrow_scope", "no_panel_independent_eval",
    "split_within_slide", "name_leak", "reference_atlas", "truth_of_input",
)  # fmt: skip


@pytest.fixture(scope="module")
def records(untouched):
    return untouched.check()


def test_the_clean_cohort_passes_every_check(records):
    found = {record["name"]: record["status"] for record in records}
    assert found == dict.fromkeys([*NAMES, "task_truth_coverage"], "pass")


def test_units_genes_and_slides_in_another_order_give_the_same_figures(files, records):
    before = {record["name"]: record["statistic"] for record in records}
    del before["name_leak"]  # which is about that order
    rng = np.random.default_rng(0)
    files.change(files.slides, lambda a: a[rng.permutation(a.n_obs), rng.permutation(a.n_vars)].copy())
    files.samples = files.samples[::-1]
    after = {record["name"]: record["statistic"] for record in files.check()}
    assert after.pop("name_leak") < 0.1
    assert {k: v for k, v in after.items() if v is not None} == {
        k: v for k, v in before.items() if v is not None
    }


SAID = ("technology=Visium", "resolution=spot", "panel=onco_v1", "organ=breast", "disease=carcinoma",
        "preservation=FFPE")  # fmt: skip


@pytest.fixture(scope="module")
def folder(untouched):
    """What is said of the folder of the slides, without a task file."""
    untouched.save()
    said = [word for setting in SAID for word in ("--set", setting)]
    place = untouched.folder
    return untouched.command(str(place / "slides"), "--samples", str(place / "samples.csv"), *said)


def test_the_folder_of_the_clean_cohort_passes_without_a_task_file(folder):
    assert folder.exit_code == 0, folder.output
    assert "checks  33 passed\n" in folder.output, folder.output


def test_the_checklist_of_a_folder_knows_its_panel(folder):
    assert "no panel is named" not in folder.output
