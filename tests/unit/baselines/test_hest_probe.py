"""The probe beside the published protocol written in other ways."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pytest_stbench.baselines.hest_probe import HestProbe, _solver
from pytest_stbench.errors import ModelError

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def wide(make_cohort):
    """A cohort with an embedding of 40 dimensions of about equal variance."""
    cohort = make_cohort(n=225)
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(40, 4)) * 0.2
    for slide in cohort.train:
        embedding = rng.normal(3.0, np.linspace(1, 2, 40), size=(225, 40)).astype(np.float32)
        slide.units.obsm["embedding"] = embedding
        slide.target[:] = embedding @ weights + rng.normal(size=(225, 4)) + 4.0
    return cohort


def arrays(cohort, numbers):
    slides = [cohort.train[number] for number in numbers]
    x = np.concatenate([slide.units.obsm["embedding"] for slide in slides])
    return x, np.concatenate([slide.target for slide in slides])


def correlations(y, p):
    return np.array([pearsonr(y[:, j], p[:, j])[0] for j in range(y.shape[1])])


def closed_form(x, y, test, k, alpha):
    """The protocol with a full decomposition and the normal equations."""
    x, y, test = (a.astype(np.float64) for a in (x, y, test))
    mean, scale = x.mean(axis=0), x.std(axis=0)
    x, test = (x - mean) / scale, (test - mean) / scale
    rotation = np.linalg.svd(x, full_matrices=False)[2][:k].T
    x, test = x @ rotation, test @ rotation
    return test @ np.linalg.solve(x.T @ x + alpha * np.eye(k), x.T @ y)


def predicted(cohort, monkeypatch, k):
    monkeypatch.setattr(HestProbe, "n_components", k)
    model = HestProbe()
    model.fit(cohort.train[:3], cohort.task)
    assert model.ridge.alpha == 100 / (k * 4)
    return model.predict_expression(cohort.given(3), cohort.task.genes)


@pytest.mark.parametrize(("k", "solver"), [(12, "randomized"), (40, "full")])
def test_the_steps_of_the_published_protocol(wide, monkeypatch, k, solver):
    x, y = arrays(wide, [0, 1, 2])
    test, truth = arrays(wide, [3])
    steps = make_pipeline(
        StandardScaler(),
        PCA(k, svd_solver=solver, random_state=1),
        Ridge(100 / (k * 4), solver="lsqr", fit_intercept=False, max_iter=1000),
    )
    found, expected = predicted(wide, monkeypatch, k), steps.fit(x, y).predict(test)
    assert found == pytest.approx(expected, abs=1e-5)
    assert correlations(truth, found) == pytest.approx(correlations(truth, expected), abs=1e-6)


@pytest.mark.parametrize(
    ("shape", "count", "solver"),
    [
        ((500, 500), 10, "full"),
        ((501, 40), 31, "randomized"),
        ((501, 40), 32, "full"),
        ((40, 501), 31, "randomized"),
        ((20_000, 1024), 256, "randomized"),
    ],
)
def test_the_method_is_the_one_of_the_time_whatever_scikit_learn_chooses(shape, count, solver):
    assert _solver(shape, count) == solver


def test_the_closed_form(wide, monkeypatch):
    x, y = arrays(wide, [0, 1, 2])
    test, truth = arrays(wide, [3])
    found = predicted(wide, monkeypatch, 40)
    expected = closed_form(x, y, test, 40, 100 / (40 * 4))
    assert found == pytest.approx(expected, abs=1e-3)
    assert correlations(truth, found) == pytest.approx(correlations(truth, expected), abs=1e-4)


def test_an_intercept_changes_r2_and_no_correlation(wide, monkeypatch):
    x, y = arrays(wide, [0, 1, 2])
    test, truth = arrays(wide, [3])
    found = predicted(wide, monkeypatch, 40)
    scores = make_pipeline(StandardScaler(), PCA(40, svd_solver="full"))
    ridge = Ridge(100 / (40 * 4), fit_intercept=True).fit(scores.fit_transform(x), y)
    expected = ridge.predict(scores.transform(test))
    assert correlations(truth, found) == pytest.approx(correlations(truth, expected), abs=1e-4)
    assert r2_score(truth, expected) > 0.5 > 0 > r2_score(truth, found)


def test_the_published_penalty(make_cohort):
    """256 components of 50 genes, as in the published configuration; fewer where there are fewer."""
    cohort = make_cohort(patients=("a", "b"), n=144, n_targets=50)
    rng = np.random.default_rng(2)
    for slide in cohort.train:
        slide.units.obsm["embedding"] = rng.normal(size=(144, 270)).astype(np.float32)
    model = HestProbe()
    model.fit(cohort.train, cohort.task)
    assert model.ridge.alpha == 0.0078125
    model.fit(cohort.train[:1], cohort.task)
    assert model.ridge.alpha == 100 / (144 * 50)


def test_constant_features_and_genes_by_name(wide):
    for slide in wide.train:
        slide.units.obsm["embedding"][:, 3] = 7.0
    model = HestProbe()
    model.fit(wide.train, wide.task)
    whole = model.predict_expression(wide.given(0), wide.task.genes)
    assert np.isfinite(whole).all()
    assert model.predict_expression(wide.given(0), ["T2", "T0"]).tolist() == whole[:, [2, 0]].tolist()


def test_genes_that_a_slide_did_not_measure(wide):
    wide.train[1].target[:, 2] = np.nan
    with pytest.raises(ModelError, match=r"1 are not measured on all, such as T2.*pca_ridge"):
        HestProbe().fit(wide.train, wide.task)
    with pytest.raises(ModelError, match="at least one training unit"):
        HestProbe().fit([], wide.task)
