"""Checks of what a task evaluates, on clean and on spoilt simulated cohorts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.checks import CHECKS, no_spatial_signal, run_check
from pytest_stbench.registry import load_target
from pytest_stbench.resources import tasks_dir

NAMES = (
    "controls_in_matrix",
    "slide_leakage",
    "task_gene_coverage",
    "housekeeping_only_panel",
    "gene_sparsity",
    "ubiquitous_low_variability",
    "hvg_not_svg",
    "no_spatial_signal",
    "library_size_confounding",
    "patient_effect",
)
EVERY_UNIT = {"min_counts": 0, "min_genes": 0}
ALL = {"genes": {"select": "all", "min_detection": 0.0}}
HVG = {"genes": {"select": "hvg", "n": 50, "min_detection": 0.0}}
UNADJUSTED = {"metrics": ["pearson_gene", "rmse"]}


@pytest.mark.parametrize(
    "params",
    [
        *({"seed": seed} for seed in range(3)),
        {"seed": 3, "genes": 1000, "depth": 3000, "units": 300},
        {"resolution": "cell", "seed": 2, "units": 1000, "patients": 4},
        {"setting": "morphology", "seed": 1},
        {"setting": "no_signal", "seed": 1},
    ],
    ids=str,
)
def test_clean_cohorts_pass(cohort, params):
    assert cohort(params).statuses(NAMES) == dict.fromkeys(NAMES, "pass")


@pytest.mark.parametrize("task", ["smoke-expression", "smoke-imputation"])
def test_the_cohorts_of_the_shipped_tasks_pass(open_task, task):
    made = open_task(tasks_dir() / f"{task}.stbench.yaml")
    assert made.statuses(NAMES) == dict.fromkeys(NAMES, "pass")


@pytest.mark.parametrize(
    ("defect", "strength", "changes", "status"),
    [
        ("slide_leakage", 0.1, {}, "fail"),
        ("slide_leakage", 1.0, {}, "fail"),
        ("controls_in_matrix", 0.05, {}, "warn"),
        ("controls_in_matrix", 0.05, {"preprocess": ALL}, "fail"),
        ("controls_in_matrix.antibodies", 0.05, {}, "fail"),
        ("controls_in_matrix.antibodies", 1.0, {}, "fail"),
        ("gene_sparsity", 0.2, {"preprocess": ALL}, "warn"),
        ("gene_sparsity", 0.5, {"preprocess": ALL}, "fail"),
        ("gene_sparsity", 0.5, {"preprocess": HVG}, "fail"),
        ("ubiquitous_low_variability", 0.3, {"preprocess": ALL}, "warn"),
        ("ubiquitous_low_variability", 0.6, {"preprocess": ALL}, "fail"),
        ("hvg_not_svg", 0.1, {"preprocess": HVG}, "fail"),
        ("hvg_not_svg", 0.5, {"preprocess": HVG}, "fail"),
        ("no_spatial_signal", 1.0, {}, "fail"),
        ("library_size_confounding", 0.7, {}, "warn"),
        ("library_size_confounding", 1.0, UNADJUSTED, "fail"),
        ("patient_effect", 0.15, {}, "warn"),
        ("patient_effect", 1.0, {}, "warn"),
        ("task_gene_coverage", 1.0, {"preprocess": {"genes": {"select": "signatures"}}}, "fail"),
    ],
)
def test_a_defect_fires_its_check(cohort, defect, strength, changes, status):
    result = cohort({"patients": 4, "defects": {defect: strength}}, **changes).check(defect.partition(".")[0])
    assert result.status == status
    assert result.message.endswith(result.fix)
    assert "traceback" not in result.details


@pytest.mark.parametrize(("strength", "status"), [(0.3, "warn"), (0.6, "fail"), (1.0, "fail")])
def test_a_panel_of_housekeeping_genes(cohort, strength, status):
    params = {"resolution": "cell", "patients": 2, "defects": {"housekeeping_only_panel": strength}}
    result = cohort(params, preprocess={"filter": EVERY_UNIT}).check("housekeeping_only_panel")
    assert result.status == status
    assert "GAPDH" in result.genes


@pytest.mark.parametrize("defect", ["gene_sparsity", "slide_leakage", "no_spatial_signal"])
def test_cells_are_judged_too(cohort, defect):
    params = {"resolution": "cell", "patients": 2, "units": 200, "defects": {defect: 1.0}}
    made = cohort(params, preprocess=ALL)
    assert made.check(defect).status == "fail"


def test_expression_that_is_depth_alone_is_seen(cohort):
    params = {"setting": "depth", "patients": 4}
    adjusted, plain = cohort(params), cohort(params, **UNADJUSTED)
    name = "library_size_confounding"
    assert adjusted.check(name).status == "warn"
    found = plain.check(name)
    assert found.status == "fail"
    assert found.statistic > 0.6


def test_a_strong_patient_effect_is_said_to_be_strong(cohort):
    result = cohort({"defects": {"patient_effect": 0.5}}).check("patient_effect")
    assert result.threshold == 0.5
    assert "lopo" in result.fix
    assert result.details["pooled_gap"] > 0.5
    assert result.details["classifier_accuracy"] > 0.9


def test_where_no_gene_can_be_chosen_checks_of_genes_are_skipped(cohort):
    made = cohort({"defects": {"gene_sparsity": 1.0}}, preprocess={"filter": EVERY_UNIT})
    result = made.check("gene_sparsity")
    assert result.status == "skip"
    assert "is detected in 10% of the units" in result.message


def test_a_task_of_labels_evaluates_no_gene(cohort):
    made = cohort({"resolution": "cell", "patients": 2}, family="cell_types")
    names = set(NAMES) - {"slide_leakage", "no_spatial_signal", "patient_effect", "task_gene_coverage"}
    assert made.statuses(names) == dict.fromkeys(names, "pass")
    assert made.check("gene_sparsity").message == "the task asks for no gene"
    assert made.check("patient_effect").details["patients"] == 2


@pytest.mark.parametrize("resolution", ["spot", "cell"])
def test_the_order_of_units_changes_nothing(cohort, make_dataset, measure, resolution):
    slides = list(cohort({"resolution": resolution, "patients": 2}).run.views.dataset("sim").slides())
    rng = np.random.default_rng(1)
    results = []
    for order in (np.arange, rng.permutation):
        read = [slide.select(order(slide.n_units)) for slide in slides]
        dataset = make_dataset(read)
        facts = {
            "dataset": dataset,
            "measured": measure(dataset, columns=np.arange(0, 300, 5)),
            "wanted": {"signatures"},
            "genes": {"toy": frozenset(dataset.genes.tolist())},
        }
        results.append([run_check(r, load_target(r.target), facts) for r in CHECKS if r.name in NAMES])
    assert results[0] == results[1]
    assert not any("traceback" in result.details for result in results[0])


def test_a_large_slide_is_judged_by_a_part_of_it(cohort, make_dataset, measure):
    one = next(cohort({"resolution": "cell", "patients": 2, "units": 8000}).run.views.dataset("sim").slides())
    assert one.n_units > 5000
    results = []
    for rows in (np.arange(one.n_units), np.random.default_rng(0).permutation(one.n_units)):
        dataset = make_dataset([one.select(rows)])
        results.append(no_spatial_signal(measure(dataset)))
    assert results[0] == results[1]
    assert results[0].status == "pass"


def test_a_slide_with_bad_values_is_judged_without_them(cohort, make_dataset, measure):
    one = next(cohort({"patients": 2}).run.views.dataset("sim").slides())
    xy, libsize, counts = one.xy_um.copy(), one.libsize.copy(), one.counts.astype(float)
    xy[3], libsize[5], counts.data[0] = np.nan, np.inf, -1.0
    dataset = make_dataset([replace(one, xy_um=xy, libsize=libsize, counts=counts)])
    (kept,) = measure(dataset).slides()
    assert kept.n_units == one.n_units - 3
    assert no_spatial_signal(measure(dataset)).status == "pass"
