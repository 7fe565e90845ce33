"""Technologies as sides of a split: no patient on both, and what transfer makes of them."""

from __future__ import annotations

import json

import pytest

PARAMS = {
    "patients": 6, "units": 60, "genes": 80, "image": False, "technologies": ["Visium", "Cytassist"],
}  # fmt: skip


@pytest.fixture(scope="module")
def results(make_bench):
    bench = make_bench("groups")
    dataset = {"source": "simulated", "params": PARAMS, "resolution": "spot", "panel": "simulated"}
    bench.task(
        "groups",
        family="transfer",
        transfer={"wraps": "imputation"},
        datasets={"sim": None, "groups": dataset},
        splits=["lotech"],
        metrics=["transfer_score", "transfer_gap"],
    )
    done = bench.run("groups.stbench.yaml", "--stbench-model=ridge", "--stbench-save=groups.json")
    saved = json.loads((bench.folder / "groups.json").read_text())
    return done, saved


def test_every_fold_leaves_out_a_whole_group_and_its_patients(results):
    _, saved = results
    patients = saved["datasets"][0]["patients"]
    assert len(saved["lock"]) == 2
    for lock in saved["lock"]:
        train, test = ({patients[slide] for slide in lock[side]} for side in ("train", "test"))
        assert train
        assert test
        assert train.isdisjoint(test)
        assert train | test == set(patients.values())


def test_scores_across_and_what_is_lost_stand_beside_each_other(results):
    _, saved = results
    pooled = {(score["model"], score["metric"]): score for score in saved["scores"] if score["fold"] is None}
    assert {metric for _, metric in pooled} == {"transfer_score", "transfer_gap"}
    for metric in ("transfer_score", "transfer_gap"):
        assert pooled["ridge", metric]["n_patients"] == 6
        # A model that knows nothing has a score of nothing, and nothing to lose.
        assert pooled["train_mean", metric]["value"] == 0
    assert pooled["ridge", "transfer_score"]["value"] > 0.02
