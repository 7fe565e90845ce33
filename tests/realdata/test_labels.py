"""The shipped tasks on labelled sections and proportions, with the simple baseline in the model's place.

The bands are wide around what was measured on these files.
"""

from __future__ import annotations

import pytest

from .conftest import run_tasks

TASKS = (
    "her2st-niches", "her2st-niches-unsupervised", "her2st-tumour", "her2st-proportions", "cosmx-regions",
)  # fmt: skip
PRIMARY = {
    "her2st-niches": ("macro_f1", (0.26, 0.46), 6),
    "her2st-niches-unsupervised": ("ari", (0.10, 0.27), 6),
    "her2st-tumour": ("auprc", (0.85, 0.96), 6),
    "her2st-proportions": ("proportion_jsd", (0.07, 0.13), 6),
    "cosmx-regions": ("macro_f1", (0.42, 0.58), 1),
}


@pytest.fixture(scope="session")
def labels(workspace, data):
    missing = [name for name in ("her2st", "cosmx_nsclc") if not (data / name).is_dir()]
    if missing:
        pytest.skip(f"real data: {', '.join(missing)} is not among the data")
    paths = [f"tasks/{name}.stbench.yaml" for name in TASKS]
    return run_tasks(workspace, *paths, "--stbench-model=ridge", save="labels.json")


def test_the_run_passes(labels):
    assert labels.code == 0, labels.out


@pytest.mark.parametrize("task", TASKS)
def test_the_simple_baseline_beats_the_trivial_one(labels, task):
    metric, band, patients = PRIMARY[task]
    score = labels.pooled(task)["ridge", metric]
    assert band[0] < score["value"] < band[1]
    better = (
        score["trivial"] - score["value"] if metric == "proportion_jsd" else score["value"] - score["trivial"]
    )
    assert better > 0
    assert score["n_patients"] == patients


def test_the_floor_of_detection_is_the_share_of_tumour(labels):
    scores = labels.pooled("her2st-tumour")
    assert 0.55 < scores["majority", "auprc"]["value"] < 0.75
    assert scores["majority", "auroc"]["value"] == 0.5


def test_what_cannot_be_scored_is_counted(labels):
    undefined = labels.pooled("her2st-niches")["ridge", "macro_f1"]["undefined"]
    assert undefined == {"not_covered": 2, "too_few_units": 5}
