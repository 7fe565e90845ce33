"""Q25d: what the truth scores against itself, from accounts and from slides."""

from __future__ import annotations

import pytest

from pytest_stbench.checks import task_truth_coverage
from pytest_stbench.checks.measured import NothingToScore

PAIRS = "lr_auprc"


def accounts(valued, lost, reason="no_positive", metric=PAIRS):
    slides = {f"v{i}": {"": 1} for i in range(valued)} | {f"l{i}": {"": 0, reason: 1} for i in range(lost)}
    return lambda: {metric: slides}


@pytest.mark.parametrize(
    ("valued", "lost", "status"),
    [(10, 0, "pass"), (9, 1, "pass"), (8, 2, "warn"), (5, 5, "warn"), (4, 6, "fail"), (0, 3, "fail")],
)
def test_share_of_slides_that_have_a_value(valued, lost, status):
    result = task_truth_coverage(accounts(valued, lost), PAIRS)
    assert result.status == status
    assert result.statistic == valued / (valued + lost)
    assert result.threshold == (0.5 if status == "fail" else 0.9)
    if status != "pass":
        assert result.slides == tuple(f"l{i}" for i in range(lost))
        assert result.message.endswith(result.fix)
        assert "pairs are active" in result.message


@pytest.mark.parametrize("reason", ["too_few_pairs", "no_positive", "too_few_genes"])
def test_the_reason_is_said_in_words(reason):
    result = task_truth_coverage(accounts(1, 3, reason), PAIRS)
    assert result.status == "fail"
    assert reason not in result.message


@pytest.mark.parametrize("reason", ["empty_niche", "no_headroom", "not_covered"])
def test_what_no_panel_can_help_is_left_aside(reason):
    assert task_truth_coverage(accounts(1, 3, reason), PAIRS).status == "pass"


@pytest.mark.parametrize("account", [{"": 0}, {"": 0, "empty_niche": 4}, {}])
def test_data_without_a_niche_to_score(account):
    result = task_truth_coverage(lambda: {"niche_jaccard": {"a": account, "b": account}}, "niche_jaccard")
    assert (result.status, result.statistic, result.slides) == ("fail", 0.0, ("a", "b"))
    assert "keys.niche" in result.fix


def test_another_reason_is_named_where_there_is_no_value_at_all():
    result = task_truth_coverage(accounts(0, 3, "too_few_units"), PAIRS)
    assert (result.status, result.statistic) == ("fail", 0.0)
    assert "too_few_units" in result.message


def test_niches_count_one_by_one_and_the_slide_that_lost_most_comes_first():
    found = {"a": {"": 3, "too_few_genes": 1}, "b": {"": 1, "too_few_genes": 3, "empty_niche": 5}}
    result = task_truth_coverage(lambda: {"niche_jaccard": found}, "niche_jaccard")
    assert (result.status, result.statistic, result.slides) == ("warn", 0.5, ("b", "a"))


def test_other_metrics_are_accounted_for_and_do_not_decide():
    result = task_truth_coverage(accounts(0, 4, metric="lr_pathway"), PAIRS)
    assert result.status == "pass"
    assert task_truth_coverage(dict, "pearson_gene").status == "pass"


def test_data_that_cannot_be_scored_is_skipped():
    def nothing():
        raise NothingToScore("no unit is left")

    assert task_truth_coverage(nothing, PAIRS).status == "skip"


HIDDEN = {
    "imputation": {"hide": {"folds": 2, "fold": 1}},
    "preprocess": {"genes": {"select": "svg", "n": 30}},
}
SHALLOW = {**HIDDEN, "preprocess": {"filter": {"min_counts": 5, "min_genes": 2}, **HIDDEN["preprocess"]}}


@pytest.mark.parametrize(("depth", "status"), [(9000, "pass"), (150, "warn"), (100, "fail")])
def test_slides_too_shallow_for_pairs(cohort, depth, status):
    params = {"genes": 700, "depth": depth, "seed": 4}
    found = cohort(params, family="communication", metrics=[PAIRS], **SHALLOW)
    assert found.check("task_truth_coverage").status == status


@pytest.mark.parametrize(("folds", "status"), [(2, "pass"), (6, "fail")])
def test_too_few_hidden_genes_for_lists(cohort, folds, status):
    """Of 100 genes a sixth is hidden: 17 are not the 20 that a list of five needs."""
    hidden = {**HIDDEN, "imputation": {"hide": {"folds": folds, "fold": 1}}}
    found = cohort(
        {"genes": 100, "depth": 6000, "seed": 4},
        family="niche_signatures",
        metrics=["niche_jaccard"],
        **hidden,
    )
    assert found.check("task_truth_coverage").status == status


def test_what_is_named_is_what_has_no_score(cohort):
    run = cohort({"genes": 700, "depth": 150, "seed": 4}, family="communication", **SHALLOW).run
    result = run.checking.run(run.registry.checks["task_truth_coverage"], "sim")
    undefined = set()
    for cell in run.grid.pools[0].cells:
        values = run.baseline_scores(run.ladder("sim").trivial, cell).values["lr_auprc"]
        undefined |= {slide for slide, value in values.items() if not value.n_valid}
    assert set(result.slides) == undefined
    assert 0 < len(undefined) < 6
