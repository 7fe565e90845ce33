from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from pytest_stbench.baselines.marker_score import MarkerScore
from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide
from pytest_stbench.data.slide import SlideMeta
from pytest_stbench.errors import ModelError
from pytest_stbench.models.contract_labels import accept_labels
from pytest_stbench.resources import signatures

CLASSES = ("Immune", "other", "adipose")
MARKERS = {"Immune": ["M0", "M1", "M2"], "adipose": ["M3", "M4", "M5", "ABSENT"]}


def make_train(genes, marked, n=90, patients=("a", "a", "b")):
    """Slides whose units are of three classes; markers are four times as high in their class."""
    slides = []
    for number, patient in enumerate(patients):
        rng = np.random.default_rng(number)
        labels = np.array(CLASSES, dtype=object)[np.arange(n) % 3]
        rate = np.full((n, len(genes)), 0.8)
        for name, own in marked.items():
            rate[np.ix_(labels == name, [j for j, gene in enumerate(genes) if gene in own])] *= 4
        counts = rng.poisson(rate * rng.uniform(0.5, 2.0, (n, 1)))
        units = AnnData(csr_matrix(counts.astype(np.float32)))
        units.var_names = list(genes)
        units.obs_names = [f"{number}_{i}" for i in range(n)]
        units.obsm["spatial"] = np.zeros((n, 2))
        meta = SlideMeta(slide_id=f"s{number}", patient_id=patient)
        target = np.zeros((n, 0), np.float32)
        slides.append(
            TrainSlide(units=units, meta=meta, target=target, make_counts=units.copy, labels=labels)
        )
    task = TaskInfo(
        name="t", family="niches", genes=(), observed_genes=tuple(genes), normalise="log1p_median",
        target_sum=100.0, seed=0, resolution="spot", classes=CLASSES,
    )  # fmt: skip
    return slides, task


def given(slide):
    return ModelSlide(units=slide.units.copy(), meta=slide.meta)


def accuracy(found, slide):
    return np.mean(np.array(CLASSES, dtype=object)[found.argmax(axis=1)] == slide.labels)


@pytest.mark.parametrize("n_genes", [200, 1200], ids=["ranks", "controls"])
def test_classes_are_told_by_their_markers(n_genes):
    genes = [f"M{j}" for j in range(n_genes)]
    train, task = make_train(genes, MARKERS)
    test = train.pop()
    model = MarkerScore(MARKERS)
    model.fit(train, task)
    found = model.predict_labels(given(test), CLASSES)
    accept_labels(found, classes=CLASSES, unit_names=test.units.obs_names)
    assert accuracy(found, test) > 0.75
    assert 0.05 <= model.temperature <= 20
    swapped = model.predict_labels(given(test), CLASSES[::-1])
    np.testing.assert_allclose(swapped, found[:, ::-1], rtol=1e-5)


def test_sets_count_the_same_whatever_the_spread_of_their_scores():
    """Three markers vary more than sixty: without a common scale they would always win."""
    own = {"Immune": [f"M{j}" for j in range(3)], "adipose": [f"M{j}" for j in range(3, 63)]}
    train, task = make_train([f"M{j}" for j in range(1200)], {})
    model = MarkerScore(own)
    model.fit(train, task)
    named = np.concatenate([model.predict_labels(given(slide), CLASSES).argmax(axis=1) for slide in train])
    share = np.bincount(named, minlength=3) / len(named)
    assert share[0] == pytest.approx(share[2], abs=0.08)


def test_without_signal_the_temperature_is_high():
    genes = [f"M{j}" for j in range(200)]
    train, task = make_train(genes, {})
    model = MarkerScore(MARKERS)
    model.fit(train, task)
    found = model.predict_labels(given(train[0]), CLASSES)
    assert model.temperature > 5
    np.testing.assert_allclose(found, 1 / 3, atol=0.15)


def test_built_in_markers_follow_the_name_of_the_class():
    own = {"Immune": signatures()["T_CELL"], "adipose": signatures()["ADIPOCYTE"]}
    genes = [*own["Immune"], *own["adipose"], *(f"G{j}" for j in range(100))]
    train, task = make_train(genes, own)
    model = MarkerScore()
    model.fit(train, task)
    assert accuracy(model.predict_labels(given(train[0]), CLASSES), train[0]) > 0.75
    assert model.config == {"markers": "built-in"}


def test_what_is_refused():
    train, task = make_train([f"M{j}" for j in range(20)], MARKERS)
    with pytest.raises(ModelError, match=r"none has enough markers among the 20 observed genes"):
        MarkerScore({"Immune": ["X", "Y"]}).fit(train, task)
    with pytest.raises(ModelError, match="hands out none"):
        MarkerScore(MARKERS).fit(train, dataclasses.replace(task, observed_genes=()))
    unlabelled = [dataclasses.replace(slide, labels=None) for slide in train]
    with pytest.raises(ModelError, match="no training unit has a label"):
        MarkerScore(MARKERS).fit(unlabelled, task)
    with pytest.raises(ModelError, match="before it was fitted"):
        MarkerScore(MARKERS).predict_labels(given(train[0]), CLASSES)
    model = MarkerScore(MARKERS)
    model.fit(train, task)
    with pytest.raises(ModelError, match="asked for bone"):
        model.predict_labels(given(train[0]), ["bone"])


def test_units_without_counts_get_a_class():
    train, task = make_train([f"M{j}" for j in range(30)], MARKERS)
    model = MarkerScore(MARKERS)
    model.fit(train, task)
    empty = given(train[0])
    empty.units.X = csr_matrix(empty.units.X.shape, dtype=np.float32)
    found = model.predict_labels(empty, CLASSES)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
