"""Records of the data-quality checks, in the order in which they run.

What makes other checks meaningless comes first: metadata, gene names and the matrix itself, then
units and places, then splits, panels, patients and the design of the task. ``Sn`` names an item
of the checklist for evaluation and benchmark design: S1 resolution and Xisium validation, S2
three patients or fewer, S3 several panels and adequate markers, S4 evaluation independent of panels,
S5 preprocessing, S6 batch correction, S7 patient effects, S9 sparsity, S10 library size, S11 shared
corpora, S12 baselines and scope. A letter after the number names the part of a check that has
another scope: s of a split, d of a data set, r of the results.
"""

from __future__ import annotations

from pytest_stbench.index import own
from pytest_stbench.registry import Check

ORDER = (
    "metadata_missing",
    "gene_ids",
    "normalised_not_counts",
    "nonfinite_negative",
    "controls_in_matrix",
    "duplicate_units",
    "empty_units",
    "missing_coords",
    "xisium_geometry",
    "resolution_mismatch",
    "resolution_split",
    "image_registration",
    "label_alignment",
    "patient_leakage",
    "slide_leakage",
    "name_leak",
    "split_within_slide",
    "shared_corpus",
    "panel_mismatch",
    "panel_effect",
    "panel_split",
    "task_gene_coverage",
    "task_truth_coverage",
    "housekeeping_only_panel",
    "gene_sparsity",
    "ubiquitous_low_variability",
    "hvg_not_svg",
    "no_spatial_signal",
    "class_imbalance",
    "too_few_patients",
    "library_size_confounding",
    "patient_effect",
    "patient_effect_gap",
    "batch_corrected_eval",
    "fitted_on_test",
    "preprocessing_unstable",
    "state_across_folds",
    "baseline_missing",
    "metric_monoculture",
    "narrow_scope",
    "no_panel_independent_eval",
)
"""Running order: what makes other checks meaningless comes first."""

_PLACE = {name: place for place, name in enumerate(ORDER)}

CHECKS = tuple(sorted(own(Check), key=lambda record: _PLACE[record.name]))
