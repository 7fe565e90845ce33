"""What several verdicts of a file tell together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_stbench.kernels.agreement import holm
from pytest_stbench.results import Results, ScoreRecord, VerdictRecord, load, save
from pytest_stbench.results.merge import settled

PLACE = {"task": "t", "dataset": "d", "split": "lopo", "metric": "spearman_gene"}


def verdict(word="pass", p=None, *, model="m", variant="", primary=True, **changes):
    return VerdictRecord(
        **{**PLACE, **changes}, model=model, variant=variant, verdict=word, primary=primary, p=p
    )


def score(model, value, *, variant="", role="model", baseline=0.3, **changes):
    return ScoreRecord(
        **{**PLACE, **changes}, task_version=1, family="imputation", variant=variant, role=role, model=model,
        value=value, baseline=baseline, per_patient={}, n_patients=6,
    )  # fmt: skip


def adjusted(*verdicts):
    return [(v.p_holm, v.n_holm) for v in settled(Results(verdicts=verdicts)).verdicts]


def test_holm_goes_over_models_tasks_and_data_sets():
    p = [0.004, 0.02, 0.3]
    found = adjusted(
        verdict(p=p[0]), verdict(p=p[1], model="other"), verdict("fail", p[2], task="t2", dataset="e")
    )
    assert found == [(value, 3) for value in holm(p)]


def test_variants_other_metrics_and_what_is_undecided_are_not_tested():
    found = adjusted(
        verdict(p=0.01),
        verdict(p=0.02, variant="raw"),
        verdict(p=0.02, primary=False, metric="rmse"),
        verdict("underpowered", task="t2"),
    )
    assert found == [(0.01, 1), (None, None), (None, None), (None, None)]


def of_variants(model_values, simple=(0.3, 0.3, 0.3), words=("pass", "pass", "pass")):
    names = ("", "raw", "hvg")
    scores, verdicts = [], []
    for name, value, baseline, word in zip(names, model_values, simple, words, strict=False):
        scores += [
            score("m", value, variant=name, baseline=baseline),
            score("ridge", baseline, variant=name, role="baseline"),
            score("mean", 0.0, variant=name, role="baseline"),
            score("shuffled(m)", 0.9, variant=name, role="control"),
        ]
        verdicts.append(verdict(word, variant=name))
    found = settled(Results(scores=tuple(scores), verdicts=tuple(verdicts))).verdicts
    assert all(v.rank_stable is None for v in found if v.variant)
    return found[0].rank_stable, found[0].kendall_w


def test_one_order_and_one_verdict_are_stable():
    assert of_variants((0.4, 0.5, 0.35)) == (True, 1.0)


def test_an_order_or_a_verdict_that_changes_is_not():
    stable, w = of_variants((0.4, 0.2, 0.35))
    assert not stable
    assert w == pytest.approx(7 / 9)
    assert of_variants((0.4, 0.5, 0.35), words=("pass", "fail", "pass")) == (False, 1.0)


def test_a_tie_and_a_missing_value_are_no_change_of_order():
    assert of_variants((0.4, 0.3, None))[0] is True


def test_without_variants_nothing_is_said():
    assert of_variants((0.4,)) == (None, None)


def test_other_splits_and_metrics_are_no_variants():
    scores = (score("m", 0.4), score("m", 0.1, split="pgkf", variant="raw"), score("m", 0.1, metric="rmse"))
    (found,) = settled(Results(scores=scores, verdicts=(verdict(),))).verdicts
    assert found.rank_stable is None


def test_a_file_that_grows_is_settled_as_a_whole(tmp_path):
    path = tmp_path / "runs.json"
    save(path, Results(verdicts=(verdict(p=0.02),)))
    assert load(path).verdicts[0].p_holm == 0.02
    save(path, Results(verdicts=(verdict(p=0.01, model="other"),)))
    found = {v.model: (v.p_holm, v.n_holm) for v in load(path).verdicts}
    assert found == {"m": (0.02, 2), "other": (0.02, 2)}


def test_what_was_settled_before_is_forgotten():
    old = replace(verdict(p=None), p_holm=0.5, n_holm=7, rank_stable=True, kendall_w=0.5)
    (found,) = settled(Results(verdicts=(old,))).verdicts
    assert (found.p_holm, found.n_holm, found.rank_stable, found.kendall_w) == (None, None, None, None)
