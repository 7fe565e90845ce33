"""What a table says in words: the numbers of the table, and nothing that it does not show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_stbench.report.tables import Table, in_words
from pytest_stbench.results.record import ScoreRecord, VerdictRecord

PLACE = ("t", "d", "", "lopo")


def score_of(model="mine", value=0.5, n_patients=6, **changes):
    fields = {
        "task": "t", "task_version": 1, "family": "imputation", "dataset": "d", "split": "lopo", "fold": None,
        "model": model, "metric": "rmse", "value": value, "n_patients": n_patients, "per_patient": {},
    }  # fmt: skip
    return ScoreRecord(**{**fields, **changes})


def table_of(score, verdict=None):
    verdicts = {}
    if verdict:
        verdicts["rmse"] = VerdictRecord(
            task="t", dataset="d", split="lopo", model=score.model, metric="rmse", verdict=verdict
        )
    ladder = {"rmse": {"ridge2": score_of("ridge2", 0.3), "train_mean": score_of("train_mean", 0.75)}}
    return Table(PLACE, score.model, [score], ladder, verdicts)


def said(score, verdict=None, *, within=False, primary="rmse"):
    return in_words(table_of(score, verdict), primary, "train_mean", "ridge2", within=within)


@pytest.mark.parametrize(
    ("standing", "words"),
    [("above S", "better than S"), ("below S", "worse than S"), ("level", "not told apart from S")],
)
def test_a_model_is_set_beside_t_and_s(standing, words):
    assert said(score_of(standing=standing)) == (
        "on 6 patients that it was not fitted on, mine has rmse 0.500, ridge2 (S) has 0.300 and the trivial "
        f"train_mean (T) 0.750: {words}."
    )


def test_few_patients_decide_nothing():
    assert said(score_of(standing="above S", n_patients=3)).endswith(
        ": better than S. 3 patients decide nothing."
    )
    assert "on 1 patient that" in said(score_of(standing="level", n_patients=1))


def test_without_a_standing_nothing_is_judged():
    assert said(score_of()).endswith("and the trivial train_mean (T) 0.750.")


def test_a_baseline_shows_what_there_is_to_beat():
    text = said(score_of("ridge2", 0.3), "reference")
    assert text.startswith("ridge2 is itself a baseline, with rmse 0.300 on 6 patients")
    assert "the trivial train_mean (T) has 0.750" in text
    assert text.endswith("run a model of yours, and see whether it stands above.")


def test_units_of_one_slide_are_no_other_patients():
    assert "on blocks of slides of 1 patient that" in said(score_of(n_patients=1), within=True)


def test_no_value_is_no_sentence_about_numbers():
    assert said(score_of(value=None, n_patients=0)) == (
        "no patient has a value of rmse, so that nothing is known of mine."
    )


def test_a_primary_metric_that_was_not_run_is_not_spoken_of():
    assert said(score_of(), primary="pearson_gene") is None


def test_a_ladder_that_was_not_run_is_left_out():
    table = replace(table_of(score_of(standing=None)), ladder={})
    assert in_words(table, "rmse", "train_mean", "ridge2", within=False) == (
        "on 6 patients that it was not fitted on, mine has rmse 0.500."
    )
