from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import nnls as one_by_one
from sklearn.decomposition import PCA

from pytest_stbench.baselines.majority import Majority
from pytest_stbench.baselines.nnls import Nnls, nonnegative
from pytest_stbench.baselines.raw_pca import RawPca
from pytest_stbench.errors import ModelError

CLASSES = ("immune", "stroma", "tumour")


@pytest.fixture
def labelled(make_cohort):
    """Four slides of three patients whose classes follow the first observed gene."""
    cohort = make_cohort(n=144)
    cohort.task = dataclasses.replace(cohort.task, classes=CLASSES)
    for number, slide in enumerate(cohort.train):
        first = np.asarray(slide.units.X[:, 0].todense()).ravel()
        labels = np.array([CLASSES[c] for c in np.digitize(first, np.quantile(first, [0.2, 0.5]))], object)
        labels[::10] = None
        cohort.train[number] = dataclasses.replace(slide, labels=labels)
    return cohort


def fitted(model, cohort):
    model.fit(cohort.train, cohort.task)
    return model


def test_majority_is_the_mean_of_patients(labelled):
    found = fitted(Majority(), labelled).predict_labels(labelled.given(0), CLASSES)
    shares = {}
    for slide in labelled.train:
        counts = np.array([(slide.labels == name).sum() for name in CLASSES])
        shares[slide.meta.patient_id] = shares.get(slide.meta.patient_id, 0) + counts
    mean = np.mean([counts / counts.sum() for counts in shares.values()], axis=0)
    np.testing.assert_allclose(found, np.tile(mean, (144, 1)), atol=1e-6)
    swapped = fitted(Majority(), labelled).predict_labels(labelled.given(0), CLASSES[::-1])
    np.testing.assert_allclose(swapped[0], found[0][::-1], atol=1e-6)


def test_majority_of_proportions(labelled):
    rng = np.random.default_rng(0)
    train = []
    for slide in labelled.train:
        shares = rng.dirichlet([1, 2, 3], 144)
        shares[0] = np.nan
        train.append(dataclasses.replace(slide, proportions=shares))
    model = Majority()
    model.fit(train, labelled.task)
    found = model.predict_proportions(labelled.given(0), CLASSES)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found[0] == pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=0.03)


@pytest.mark.parametrize("make", [Majority, RawPca])
def test_without_labels_nothing_can_be_learned(labelled, make):
    train = [dataclasses.replace(s, labels=np.full(144, None)) for s in labelled.train]
    with pytest.raises(ModelError, match="no training unit has a label among immune, stroma, tumour"):
        make().fit(train, labelled.task)


def test_raw_pca_is_the_pca_of_the_normalised_counts(labelled, nearest_step):
    model = fitted(RawPca(), labelled)
    counts = np.concatenate([slide.units.X.toarray() for slide in labelled.train]).astype(float)
    size = counts.sum(axis=1, keepdims=True)
    x = np.log1p(counts / size * nearest_step(np.median(size)))
    peer = PCA(n_components=6).fit(x)
    found = np.concatenate([model.embed(labelled.given(i)) for i in range(4)])
    np.testing.assert_allclose(np.abs(found), np.abs(peer.transform(x)), atol=1e-4)


def test_raw_pca_names_classes(labelled):
    held_out = labelled.train.pop()
    model = fitted(RawPca(), labelled)
    found = model.predict_labels(held_out, CLASSES)
    assert found.sum(axis=1) == pytest.approx(1)
    known = np.array([name is not None for name in held_out.labels])
    guess = np.array(CLASSES)[found.argmax(axis=1)]
    assert (guess[known] == held_out.labels[known]).mean() > 0.6


def test_a_class_without_training_units_has_no_probability(labelled):
    task = dataclasses.replace(labelled.task, classes=(*CLASSES, "vessel"))
    model = RawPca()
    model.fit(labelled.train, task)
    assert (model.predict_labels(labelled.given(0), task.classes)[:, 3] == 0).all()
    only = [dataclasses.replace(s, labels=np.full(144, "stroma", object)) for s in labelled.train]
    model = RawPca()
    model.fit(only, task)
    assert model.predict_labels(labelled.given(0), task.classes)[0].tolist() == [0, 1, 0, 0]


def test_many_genes_are_cut_to_the_most_variable(labelled, monkeypatch):
    monkeypatch.setattr("pytest_stbench.baselines.raw_pca.GENES", 3)
    model = fitted(RawPca(), labelled)
    assert len(model.genes) == 3
    assert model.embed(labelled.given(0)).shape == (144, 3)


def test_nonnegative_least_squares_of_all_rows_at_once():
    rng = np.random.default_rng(0)
    profiles = rng.gamma(1, 1, (5, 40))
    x = rng.gamma(1, 1, (30, 5)) * (rng.random((30, 5)) > 0.5) @ profiles + rng.normal(0, 0.5, (30, 40))
    found = nonnegative(profiles @ profiles.T, x @ profiles.T)
    expected = np.array([one_by_one(profiles.T, row)[0] for row in x])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (nonnegative(np.zeros((2, 2)), np.ones((3, 2))) == 0).all()


@pytest.fixture
def mixed(make_cohort):
    """Counts drawn from mixtures of three profiles over six genes."""
    cohort = make_cohort(n=400)
    cohort.task = dataclasses.replace(cohort.task, classes=CLASSES)
    rng = np.random.default_rng(2)
    profiles = np.array([[8, 1, 1, 1, 1, 1], [1, 8, 4, 1, 1, 1], [1, 1, 1, 1, 8, 6.0]])
    profiles /= profiles.sum(axis=1, keepdims=True)
    for number, slide in enumerate(cohort.train):
        shares = rng.dirichlet([0.6] * 3, 400)
        units = slide.units.copy()
        units.X = type(units.X)(rng.poisson(shares @ profiles * 2000).astype(np.float32))
        cohort.train[number] = dataclasses.replace(slide, units=units, proportions=shares)
    return cohort


def test_nnls_finds_the_mixture(mixed):
    held_out = mixed.train.pop()
    found = fitted(Nnls(), mixed).predict_proportions(held_out, CLASSES)
    assert found.sum(axis=1) == pytest.approx(1)
    assert np.abs(found - held_out.proportions).mean() < 0.03
    turned = fitted(Nnls(), mixed).predict_proportions(held_out, CLASSES[::-1])
    np.testing.assert_allclose(turned, found[:, ::-1], atol=1e-6)


def test_a_unit_without_counts_gets_the_mean(mixed):
    model = fitted(Nnls(), mixed)
    given = mixed.given(0)
    given.units.X = type(given.units.X)(given.units.X.shape)
    found = model.predict_proportions(given, CLASSES)
    np.testing.assert_allclose(found, np.tile(model.mean, (400, 1)), atol=1e-6)


def test_nnls_needs_proportions(labelled):
    with pytest.raises(ModelError, match="no training unit has the proportions"):
        Nnls().fit(labelled.train, labelled.task)
    with pytest.raises(ModelError, match="before it was fitted"):
        Nnls().predict_proportions(labelled.given(0), CLASSES)
