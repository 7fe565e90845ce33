"""The shipped her2st tasks and a task file of a user's own, end to end.

The bands are wide around what was measured on these files: they catch a wrong sign, scale, join
or leak, not a change in the third digit.
"""

from __future__ import annotations

import pytest

EXPRESSION = "her2st-expression"
IMPUTATION = "her2st-imputation"
TASKS = (EXPRESSION, IMPUTATION)
SLIDES = {"thirty": 30, "twelve": 12}
GENES = {"thirty": "12,150", "twelve": "12,602"}
"""Of the task of imputation, by the sections it looks at."""

CLEAN = (
    "metadata_missing",
    "normalised_not_counts",
    "nonfinite_negative",
    "duplicate_units",
    "empty_units",
    "missing_coords",
    "panel_mismatch",
    "patient_leakage",
    "split_within_slide",
    "baseline_missing",
)
CORRELATIONS = ("pearson_gene", "spearman_gene", "concordance")


@pytest.mark.parametrize("task", TASKS)
def test_checks_of_clean_data_pass(first, task):
    checks = first.checks(task)
    assert {name: checks[name]["status"] for name in CLEAN} == dict.fromkeys(CLEAN, "pass")


@pytest.mark.parametrize("task", TASKS)
def test_old_gene_symbols_warn(first, task):
    found = first.checks(task)["gene_ids"]
    assert found["status"] == "warn"
    assert "CTGF (now CCN2)" in found["message"]
    assert "CTGF" in found["genes"]


def test_three_patients_warn_under_an_exploratory_claim_and_six_pass(first):
    assert first.checks(EXPRESSION)["too_few_patients"]["status"] == "warn"
    assert first.checks(EXPRESSION)["too_few_patients"]["statistic"] == 3
    assert first.checks(IMPUTATION)["too_few_patients"]["status"] == "pass"
    assert first.checks(IMPUTATION)["too_few_patients"]["statistic"] == 6


@pytest.mark.parametrize(("task", "highest"), [(EXPRESSION, 0.025), (IMPUTATION, 0.03)])
def test_few_spots_are_background(first, task, highest):
    assert 0 < first.checks(task)["empty_units"]["statistic"] <= highest


@pytest.mark.parametrize("task", TASKS)
def test_sections_share_the_genes_that_a_join_of_their_headers_gives(first, sections, task):
    genes = "13,345" if task == EXPRESSION else GENES[sections]
    assert first.checks(task)["panel_mismatch"]["message"].startswith(f"{genes} genes shared")


@pytest.mark.parametrize(("task", "patients"), [(EXPRESSION, 3), (IMPUTATION, 6)])
def test_the_data_set_is_what_the_study_measured(first, sections, task, patients):
    found = next(d for d in first.results["datasets"] if d["task"] == task)
    assert found["n_slides"] == (8 if task == EXPRESSION else SLIDES[sections])
    assert len(set(found["patients"].values())) == patients
    assert all(slide[0] == patient for slide, patient in found["patients"].items())


@pytest.mark.parametrize("task", TASKS)
def test_the_training_mean_scores_nothing(first, task):
    scores = first.pooled(task)
    assert [scores["train_mean", metric]["value"] for metric in CORRELATIONS] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("task", "simple", "metric", "band"),
    [
        (EXPRESSION, "he_colour", "pearson_gene", (0.08, 0.20)),
        (IMPUTATION, "gene_gene_ridge", "spearman_gene", (0.22, 0.37)),
    ],
)
def test_the_simple_baseline_beats_the_trivial_one(first, task, simple, metric, band):
    score = first.pooled(task)["ridge", metric]
    assert band[0] < score["value"] < band[1]
    assert score["trivial"] == 0
    assert score["baseline"] == score["value"] == first.pooled(task)[simple, metric]["value"]
    assert all(value > 0 for value in score["per_patient"].values())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("model", ["ridge", "mine"])
def test_shuffled_predictions_score_about_nothing(first, task, model):
    scores = first.pooled(task)
    for metric in CORRELATIONS:
        assert abs(scores[f"shuffled({model})", metric]["value"]) < 0.03


@pytest.mark.parametrize(
    ("task", "pearson", "partial"),
    [(EXPRESSION, (0.08, 0.20), (-0.12, 0.05)), (IMPUTATION, (0.11, 0.23), (-0.05, 0.09))],
)
def test_depth_alone_explains_part_of_the_score_and_nothing_once_it_is_taken_out(
    first, task, pearson, partial
):
    scores = first.pooled(task)
    assert pearson[0] < scores["libsize", "pearson_gene"]["value"] < pearson[1]
    assert partial[0] < scores["libsize", "partial_pearson_gene"]["value"] < partial[1]


def test_a_users_models_learn_something(first):
    assert first.pooled(EXPRESSION)["mine", "pearson_gene"]["value"] > 0.05
    assert first.pooled(IMPUTATION)["mine", "spearman_gene"]["value"] > 0.15


def test_three_patients_get_no_interval_and_no_decision(first):
    score = first.pooled(EXPRESSION)["mine", "pearson_gene"]
    assert (score["ci_low"], score["ci_high"], score["n_patients"]) == (None, None, 3)
    assert set(score["per_patient"]) == {"A", "B", "C"}
    assert first.verdicts(EXPRESSION)["mine", "pearson_gene"]["verdict"] == "underpowered"


def test_six_patients_get_an_interval_and_a_decision(first):
    score = first.pooled(IMPUTATION)["mine", "spearman_gene"]
    assert score["ci_low"] < score["value"] < score["ci_high"]
    verdict = first.verdicts(IMPUTATION)["mine", "spearman_gene"]
    assert verdict["verdict"] in ("pass", "fail")
    against = {gate["reference"]: gate for gate in verdict["gates"]}
    assert against["train_mean"]["outcome"] == "pass"
    assert against["gene_gene_ridge"]["estimate"] == pytest.approx(score["value"] - score["baseline"])


@pytest.mark.parametrize("task", TASKS)
def test_a_baseline_in_the_place_of_a_model_is_a_reference(first, task):
    assert {v["verdict"] for (model, _), v in first.verdicts(task).items() if model == "ridge"} == {
        "reference"
    }


def test_the_run_passes(first):
    assert first.code == 0, first.out


def test_observed_genes_are_never_asked(first, data):
    lines = (data / "xenium_panels" / "predesigned" / "breast.csv").read_text().splitlines()[1:]
    panel = {line.partition(",")[0] for line in lines}
    locks = [lock for lock in first.results["lock"] if lock["task"] == IMPUTATION]
    assert len(locks) == 6
    for lock in locks:
        assert len(lock["genes"]) == 50
        assert not panel & set(lock["genes"])


def test_a_second_run_computes_nothing_and_scores_the_same(first, second):
    assert first.computed > 0
    assert second.computed == 0
    assert second.code == first.code
    for task in TASKS:
        before, after = first.pooled(task), second.pooled(task)
        assert before.keys() == after.keys()
        assert all(before[key]["per_patient"] == after[key]["per_patient"] for key in before)


def test_own_task_without_image_has_the_coordinates_as_simple_baseline(own):
    check = own.checks("own")["baseline_missing"]
    assert check["status"] == "warn"
    assert "coords" in check["message"]
    scores = own.pooled("own")
    assert scores["train_mean", "pearson_gene"]["value"] == 0
    assert scores["ridge", "pearson_gene"]["baseline"] == scores["coords", "pearson_gene"]["value"]
    assert -0.1 < scores["coords", "pearson_gene"]["value"] < 0.3
    assert {model for model, _ in scores} == {"ridge", "train_mean", "coords", "libsize"}


def test_own_task_asks_the_genes_it_lists_on_all_sections(own):
    dataset = own.results["datasets"][0]
    assert (dataset["n_slides"], len(set(dataset["patients"].values()))) == (30, 6)
    assert all(len(lock["genes"]) == 15 and lock["genes"][0] == "ERBB2" for lock in own.results["lock"])
    assert own.checks("own")["panel_mismatch"]["message"].startswith("12,150 genes shared")
    assert 0 < own.checks("own")["empty_units"]["statistic"] <= 0.03


def test_own_task_shows_what_it_stands_on(own):
    assert own.code == 0, own.out
    assert "T = train_mean   S = coords" in own.out
    assert any("WARN" in line and "baseline_missing" in line for line in own.out.splitlines())
