"""Passes that are held back: a broken constraint, and truth made of what the model is given."""

from __future__ import annotations

import math

import pytest

from pytest_stbench.calls.contestants import user_contestant
from pytest_stbench.metrics.aggregate import SlideValue
from pytest_stbench.run.scores.recorder import Recorder
from pytest_stbench.run.scores.scoring import CellScores

from .test_recorder import PATIENTS, FakeRun

PRIMARY = {
    "niches": "macro_f1",
    "niche_detection": "auprc",
    "cell_types": "macro_f1",
    "proportions": "proportion_jsd",
    "embedding": "knn_recall",
}


class Model:
    name = "model"
    revision = "1"

    def predict_labels(self, slide, classes): ...

    def predict_proportions(self, slide, types): ...

    def embed(self, slide): ...


class ByMetric(FakeRun):
    """Values by metric and by who predicted."""

    def _scores(self, who, cell):
        names = [metric.name for metric in self.spec.metrics]
        values = {name: self._values[name].get(who, self._values[name]["else"]) for name in names}
        return CellScores(
            values={
                name: {
                    slide: SlideValue(value=value + 0.001 * place, n_total=1, n_valid=1)
                    for place, slide in enumerate(cell.fold.test)
                }
                for name, value in values.items()
            },
            n_units=dict.fromkeys(cell.fold.test, 10),
            n_genes=dict.fromkeys(names),
            seconds=1.0,
            peak_memory_mb=1.0,
        )


@pytest.fixture
def judged(make_task, make_samples):
    def make(family, purity=None, *, model=0.9, gates=None, **block):
        primary = PRIMARY[family]
        good, bad = (1 - model, 0.6) if family == "proportions" else (model, 0.4)
        values = {primary: {"model": good, "else": bad}, "knn_purity": purity}
        metrics = [name for name, value in values.items() if value is not None]
        task = make_task(
            family=family, imputation=None, preprocess=None, metrics=metrics, gates=gates, **{family: block}
        )
        recorder = Recorder(ByMetric(task, make_samples(PATIENTS), values), None)
        (pool,) = recorder._run.grid.pools
        return recorder.pooled(user_contestant("model", Model()), pool, primary)

    return make


LABELS = ("niches", "cell_types", "niche_detection", "proportions")


@pytest.mark.parametrize("family", LABELS)
@pytest.mark.parametrize("given", ["expression", "both"])
def test_silver_truth_passes_no_model_that_reads_expression(judged, family, given):
    block = {"positive": ["tls"]} if family == "niche_detection" else {}
    gold = judged(family, input=given, **block).verdict
    assert gold.verdict == "pass"
    silver = judged(family, input=given, trust="silver", **block).verdict
    assert silver.verdict == "not_evaluable"
    assert silver.message.startswith(gold.message)
    assert "silver" in silver.message
    assert "`input: image`" in silver.message


@pytest.mark.parametrize("family", LABELS)
def test_silver_truth_judges_models_of_images(judged, family):
    assert judged(family, input="image", trust="silver").verdict.verdict == "pass"


def test_a_rule_is_always_silver(judged):
    assert judged("niche_detection", input="expression").verdict.verdict == "not_evaluable"
    assert judged("niche_detection", input="expression", trust="gold").verdict.verdict == "not_evaluable"
    assert judged("niche_detection", input="image").verdict.verdict == "pass"


def test_a_failure_under_silver_truth_stays_one(judged):
    assert judged("niches", input="both", trust="silver", model=0.3).verdict.verdict == "fail"


def test_gates_of_the_file_are_not_passed_either(judged):
    found = judged("niches", input="both", trust="silver", gates={"macro_f1": {"min": 0.5}})
    assert (found.verdict.verdict, found.verdict.gated) == ("not_evaluable", True)
    assert judged("niches", input="both", gates={"macro_f1": {"min": 0.5}}).verdict.verdict == "pass"


@pytest.mark.parametrize(
    ("model", "simple", "verdict"),
    [
        (1.0, 2.0, "pass"),
        (2.0, 2.0, "pass"),
        (2.5, 2.0, "fail"),
        (math.nan, 2.0, "fail"),
        (2.0, math.nan, "pass"),
    ],
)
def test_an_embedding_that_tells_patients_apart_does_not_pass(judged, model, simple, verdict):
    found = judged("embedding", {"model": model, "raw_pca": simple, "else": 3.0}).verdict
    assert found.verdict == verdict
    if verdict == "fail":
        told = "has no value" if math.isnan(model) else "2.500 is worse than"
        assert f"; but knn_purity {told}" in found.message
        assert "2.000 of raw_pca, which no passing model may be" in found.message


def test_the_constraint_turns_no_failure_into_a_pass(judged):
    purity = {"model": 1.0, "raw_pca": 2.0, "else": 3.0}
    assert judged("embedding", purity, model=0.3).verdict.verdict == "fail"
