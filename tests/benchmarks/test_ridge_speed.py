"""Probes of an embedding, beside scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pytest_stbench.kernels.ridge import GroupedGram, fit_ridge

SIZES = {"units": (600, 2_500, 10_000)}
TARGETS = 250
ALPHAS = 10.0 ** np.arange(-2, 4, 0.5)


@pytest.fixture(scope="module")
def embedding(units, sized):
    rng = np.random.default_rng(0)
    features = sized(1536)
    factors = rng.normal(size=(units, 60))
    strength = np.linspace(3, 0.3, 60)[:, None]
    x = factors @ (rng.normal(size=(60, features)) * strength) + rng.normal(size=(units, features))
    y = factors @ rng.normal(size=(60, TARGETS)) * 0.3 + rng.normal(size=(units, TARGETS))
    return x.astype(np.float32), y.astype(np.float32)


@pytest.fixture(scope="module")
def components(sized):
    return sized(256)


def our_probe(x, y, components):
    gram = GroupedGram(x.shape[1], y.shape[1])
    gram.add("training", x, y)
    return fit_ridge(gram, [1.0], n_components=components).predict(x)


def our_alphas(x, y):
    gram = GroupedGram(x.shape[1], y.shape[1])
    for group in range(2):
        gram.add(group, x[group::2], y[group::2])
    return fit_ridge(gram, ALPHAS).predict(x)


def sklearn_probe(x, y, components):
    probe = make_pipeline(StandardScaler(), PCA(components, random_state=0), Ridge(1.0, solver="lsqr"))
    return probe.fit(x, y).predict(x)


def sklearn_alphas(x, y):
    """The same work: each half left out in turn for every penalty, then the fit on all rows."""
    groups = np.arange(len(x)) % 2
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()),
        {"ridge__alpha": ALPHAS},
        cv=LeaveOneGroupOut(),
        scoring="neg_mean_squared_error",
    )
    return search.fit(x, y, groups=groups).predict(x)


@pytest.mark.benchmark(group="PCA of 256 and ridge, 1,536 features")
def test_pca_ridge_ours(benchmark, embedding, components):
    found = benchmark.pedantic(our_probe, args=(*embedding, components), rounds=7, warmup_rounds=1)
    x, y = embedding
    exact = make_pipeline(StandardScaler(), PCA(components, svd_solver="full"), Ridge(1.0))
    expected = exact.fit(x.astype(float), y).predict(x.astype(float))
    assert np.linalg.norm(found - expected) < 1e-3 * np.linalg.norm(expected - expected.mean(axis=0))


@pytest.mark.benchmark(group="PCA of 256 and ridge, 1,536 features")
def test_pca_ridge_sklearn(benchmark, embedding, components):
    found = benchmark.pedantic(sklearn_probe, args=(*embedding, components), rounds=2)
    assert found.shape == embedding[1].shape


@pytest.mark.benchmark(group="ridge with 12 penalties, 1,536 features")
def test_ridge_alphas_ours(benchmark, embedding):
    found = benchmark.pedantic(our_alphas, args=embedding, rounds=2, warmup_rounds=1)
    assert found.shape == embedding[1].shape


@pytest.mark.benchmark(group="ridge with 12 penalties, 1,536 features")
def test_ridge_alphas_sklearn(benchmark, embedding):
    found = benchmark.pedantic(sklearn_alphas, args=embedding, rounds=1)
    assert found.shape == embedding[1].shape
