"""Every metric of a task on every test slide, with exactly the arguments it declares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import spearmanr

from pytest_stbench import metrics
from pytest_stbench.calls.predicting import Prediction
from pytest_stbench.families.predicted_expression import ExpressionTruth, Surroundings
from pytest_stbench.kernels import moran
from pytest_stbench.kernels.hvg import standardised_variance
from pytest_stbench.metrics import rmse, slide_value
from pytest_stbench.registry import Catalogue, Metric
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.scores import scoring
from pytest_stbench.run.scores.scoring import Scorer
from pytest_stbench.spec.model import MetricSpec

from .conftest import poisson_slide

METRICS = builtin_registry().metrics


EVALUATED = dict.fromkeys(("evaluated", "markers", "coexpressed", "communication"), np.arange(3))
ANCHORS = {
    "niche_jaccard_normalised": {"ceiling": {}},
    "novel_recall": {"known_markers": {}},
    "coexpression_ssim_normalised": {"ceiling": 1.0, "floor": 0.0},
    "partial_coexpression_ssim_normalised": {"ceiling": 1.0, "floor": 0.0},
    "lr_auprc": {"lr_threshold": np.zeros(193)},
    "lr_local": {"lr_threshold": np.zeros(193)},
}


class Fold:
    genes = ("A", "B", "C")


def truth_of(seed, n=40):
    rng = np.random.default_rng(seed)
    return ExpressionTruth(
        values=rng.normal(size=(n, 3)),
        counts=csr_matrix(rng.poisson(3.0, size=(n, 3))),
        measured=np.ones(3, bool),
        genes=np.array(Fold.genes),
        units=np.array([f"u{i}" for i in range(n)]),
        libsize=rng.uniform(100, 200, n),
        train_mean=np.zeros(3),
        places=EVALUATED,
        surroundings=Surroundings(poisson_slide(f"s{seed}", seed, n=n)),
        anchors=ANCHORS,
    )


@pytest.fixture
def truths():
    return {"s1": truth_of(1), "s2": truth_of(2, n=50)}


@pytest.fixture
def prediction(truths):
    rng = np.random.default_rng(3)
    values = {
        slide: (t.values + rng.normal(size=t.values.shape)).astype(np.float32) for slide, t in truths.items()
    }
    return Prediction(values=values, seconds=2.0, peak_memory_mb=9.0)


def specs(*names):
    return [MetricSpec(name=name) for name in names]


def test_every_metric_on_every_slide(truths, prediction):
    found = Scorer(specs("spearman_gene", "rmse"), METRICS).score(truths, prediction)
    assert {metric: list(slides) for metric, slides in found.values.items()} == {
        "spearman_gene": ["s1", "s2"],
        "rmse": ["s1", "s2"],
    }
    for slide, truth in truths.items():
        by_gene = [spearmanr(truth.values[:, g], prediction.values[slide][:, g]).statistic for g in range(3)]
        assert found.values["spearman_gene"][slide].value == pytest.approx(np.mean(by_gene))
        assert found.values["rmse"][slide].value == pytest.approx(
            rmse(truth.values, prediction.values[slide]).values.mean()
        )
    assert found.n_units == {"s1": 40, "s2": 50}
    assert (found.n_genes["rmse"], found.seconds, found.peak_memory_mb) == (3, 2.0, 9.0)


def test_a_gene_that_was_not_measured_is_undefined_not_wrong(truths, prediction):
    values = truths["s1"].values.copy()
    values[:, 1] = np.nan
    truths = {"s1": replace(truths["s1"], values=values, measured=np.array([True, False, True]))}
    found = Scorer(specs("spearman_gene"), METRICS).score(truths, prediction)
    assert found.values["spearman_gene"]["s1"].undefined == {"gene_missing": 1}
    assert found.values["spearman_gene"]["s1"].n_valid == 2


TAKEN = {}


def greedy_metric(
    truth, prediction, *, libsize=None, train_mean=None, units=None, genes=None, measured=None, k=0
):
    TAKEN.update(libsize=libsize, train_mean=train_mean, units=units, genes=genes, measured=measured, k=k)
    return rmse(truth, prediction)


@pytest.mark.parametrize(
    ("over", "inputs", "given"),
    [
        ("gene", (), {"genes", "measured"}),
        ("unit", (), {"units", "measured"}),
        ("gene", ("libsize",), {"genes", "measured", "libsize"}),
        ("gene", ("libsize", "train_mean"), {"genes", "measured", "libsize", "train_mean"}),
    ],
)
def test_a_metric_gets_what_its_record_declares(monkeypatch, truths, prediction, over, inputs, given):
    record = Metric(
        id="M00",
        name="greedy",
        summary="",
        bounds=(None, None),
        better="down",
        fill=None,
        over=over,
        inputs=inputs,
        target="x:y",
    )
    monkeypatch.setattr(scoring, "loaded", lambda record: greedy_metric)
    scorer = Scorer([MetricSpec(name="greedy", params={"k": 7})], Catalogue("metric", [record]))
    scorer.score({"s1": truths["s1"]}, prediction)
    assert TAKEN.pop("k") == 7
    assert {name for name, value in TAKEN.items() if value is not None} == given


def test_every_metric_of_the_package_scores(truths, prediction):
    names = [record.name for record in METRICS if record.needs == "expression"]
    found = Scorer(specs(*names), METRICS).score(truths, prediction)
    for name in names:
        counted = found.values[name]["s1"]
        assert counted.n_total == counted.n_valid + sum(counted.undefined.values())


def many_genes(seed=5, n=100, g=60):
    rng = np.random.default_rng(seed)
    truth = replace(
        truth_of(seed, n=n),
        values=rng.normal(size=(n, g)),
        counts=csr_matrix(rng.poisson(rng.gamma(2.0, 2.0, size=(n, g)))),
        measured=np.arange(g) != 7,
        genes=np.array([f"G{j:02d}" for j in range(g)]),
        train_mean=np.zeros(g),
        places={"evaluated": np.arange(2, g), "markers": np.arange(g)},
    )
    truth.values[:, 7] = np.nan
    return truth, {f"s{seed}": rng.normal(size=(n, g))}


SPATIAL = ("morans_i", "moran_concordance", "map_ssim", "svg_recovery", "hvg_recovery", "hotspot_auprc")


def test_metrics_of_places_get_the_places_of_the_slide():
    truth, predicted = many_genes()
    found = Scorer(specs(*SPATIAL), METRICS).slide(truth, predicted)
    surroundings, true = truth.surroundings, truth.values[:, 2:]
    given = {"genes": truth.genes[2:], "measured": truth.measured[2:]}
    measured = np.flatnonzero(truth.measured)
    score = np.full(60, np.nan)
    score[measured] = standardised_variance(truth.counts[:, measured])
    inputs = {"pixels": surroundings.pixels, "graph": surroundings.graph, "hvg_score": score[2:]}
    for name in SPATIAL:
        record = METRICS[name]
        more = {key: inputs[key] for key in record.inputs}
        scores = getattr(metrics, name)(true, predicted["s5"][:, 2:], **given, **more)
        expected = slide_value(scores, record)
        assert found[name] == expected
        assert np.isfinite(expected.value)


def test_metrics_of_one_prediction_share_morans_i(monkeypatch):
    truth, predicted = many_genes()
    calls = []
    original = moran.morans_i
    monkeypatch.setattr(moran, "morans_i", lambda *a, **k: calls.append(1) or original(*a, **k))
    scorer = Scorer(specs("morans_i", "moran_concordance", "svg_recovery"), METRICS)
    first = scorer.slide(truth, predicted)
    assert len(calls) == 2  # truth and prediction
    other = {"s5": -predicted["s5"] + truth.values[:, :1]}
    assert scorer.slide(truth, other)["moran_concordance"] != first["moran_concordance"]
    assert len(calls) == 4


def test_units_that_are_chosen_bring_their_counts():
    truth, _ = many_genes()
    rows = np.arange(100) % 2 == 0
    chosen = truth.select(rows)
    assert (chosen.counts != truth.counts[rows]).nnz == 0
    assert len(chosen.surroundings.pixels) == 50
