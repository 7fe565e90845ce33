"""What is read out of imputed genes on her2st: niche signatures, co-expression, communication.

The bands are wide around what was measured on these files, as in test_her2st.py.
"""

from __future__ import annotations

import pytest

from .conftest import run_tasks

NICHES, COEXPRESSION, COMMUNICATION = (
    "her2st-niche-signatures",
    "her2st-coexpression",
    "her2st-communication",
)
TASKS = (NICHES, COEXPRESSION, COMMUNICATION)


@pytest.fixture(scope="module")
def derived(workspace):
    """The three tasks with the simple baseline in the place of a model, without their checks."""
    files = [f"tasks/{task}.stbench.yaml" for task in TASKS]
    return run_tasks(
        workspace, *files, "--stbench-model=ridge", "-m", "not stbench_check", save="derived.json"
    )


def test_the_run_passes(derived):
    assert derived.code == 0, derived.out


@pytest.mark.parametrize(
    ("task", "metric", "trivial", "simple", "ceiling"),
    [
        (NICHES, "niche_jaccard", (0.18, 0.34), (0.28, 0.45), (0.40, 0.56)),
        (NICHES, "niche_jaccard_normalised", (0.25, 0.55), (0.50, 0.85), (0.9, 1.1)),
        (COEXPRESSION, "coexpression_ssim", (0.42, 0.60), (0.20, 0.40), (0.50, 0.70)),
        (COEXPRESSION, "coexpression_mantel", (0.40, 0.62), (0.38, 0.58), (0.55, 0.75)),
        (COMMUNICATION, "lr_auprc", (0.33, 0.56), (0.33, 0.58), (0.38, 0.62)),
    ],
)
def test_values_lie_where_they_were_measured(derived, task, metric, trivial, simple, ceiling):
    score = derived.pooled(task)["ridge", metric]
    for band, value in (
        (trivial, score["trivial"]),
        (simple, score["value"]),
        (ceiling, score["ceiling"]),
    ):
        assert band[0] < value < band[1]
    assert score["n_patients"] == 6
    assert derived.pooled(task)["train_statistic", metric]["value"] == score["trivial"]


def test_the_mean_of_other_patients_teaches_no_new_marker(derived):
    scores = derived.pooled(NICHES)
    assert scores["train_statistic", "novel_recall"]["value"] < 0.1
    assert scores["ridge", "novel_recall"]["value"] > 0.12
    assert scores["train_mean", "niche_jaccard_normalised"]["value"] == 0


def test_the_training_mean_is_part_of_the_floor_of_coexpression(derived):
    scores = derived.pooled(COEXPRESSION)
    assert scores["train_statistic", "coexpression_ssim_normalised"]["value"] <= 0
    assert scores["ridge", "coexpression_ssim_normalised"]["undefined"].keys() == {"no_headroom"}
    assert scores["ridge", "coexpression_ssim_normalised"]["n_patients"] < 6
    # Depth alone says much of which genes correlate, and the control of each gene on its own nothing.
    assert scores["libsize", "coexpression_mantel"]["value"] > 0.1
    assert abs(scores["shuffled_genes(ridge)", "coexpression_mantel"]["value"]) < 0.05


def test_sections_without_three_active_pairs_are_counted(derived):
    score = derived.pooled(COMMUNICATION)["ridge", "lr_auprc"]
    assert set(score["undefined"]) <= {"no_positive", "too_few_pairs"}
    assert 0 < sum(score["undefined"].values()) < 15
    assert derived.pooled(COMMUNICATION)["ridge", "lr_local"]["value"] > 0.05
