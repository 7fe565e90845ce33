from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from pytest_stbench.kernels.subset_fit import explained, spearman


@pytest.fixture
def draws():
    rng = np.random.default_rng(5)
    features = rng.normal(size=(7, 60, 3))
    values = features[0] @ rng.normal(size=(3, 4)) + rng.normal(size=(60, 4))
    return features, values, rng.random((7, 60)) < 0.7


def by_regression(features, values):
    fitted = LinearRegression().fit(features, values).predict(features)
    return ((fitted - values.mean(axis=0)) ** 2).sum() / ((values - values.mean(axis=0)) ** 2).sum()


def test_explained_is_that_of_a_regression_on_each_selection(draws):
    features, values, taken = draws
    expected = [by_regression(f[t], values[t]) for f, t in zip(features, taken, strict=True)]
    assert explained(features, values, taken) == pytest.approx(expected, rel=1e-10)
    once = [by_regression(features[0][t], values[t]) for t in taken]
    assert explained(features[:1], values, taken) == pytest.approx(once, rel=1e-10)


def test_features_that_repeat_or_stand_still_count_once_or_not_at_all(draws):
    features, values, taken = draws
    same = np.stack([features[0, :, 0], 2 * features[0, :, 0] + 1, np.full(60, 3.0)], axis=1)
    expected = [by_regression(same[t, :1], values[t]) for t in taken]
    assert explained(same[None], values, taken) == pytest.approx(expected, rel=1e-9)


def test_what_does_not_vary_is_undefined(draws):
    features, values, taken = draws
    assert np.isnan(explained(np.ones((1, 60, 3)), values, taken)).all()
    assert np.isnan(explained(features, np.ones((60, 4)), taken)).all()
    assert np.isnan(spearman(np.ones((1, 60)), values[None, :, 0], taken)).all()


def test_what_is_not_taken_does_not_matter(draws):
    features, values, taken = draws
    other = np.where(taken[:, :, None], features, np.nan)
    assert np.array_equal(explained(other, values, taken), explained(features, values, taken))


def test_spearman_is_that_of_scipy_on_each_selection(draws):
    features, values, taken = draws
    tied = np.round(features[:, :, 0], 1)
    expected = [spearmanr(x[t], values[t, 0]).statistic for x, t in zip(tied, taken, strict=True)]
    assert spearman(tied, values[None, :, 0], taken) == pytest.approx(expected, abs=1e-12)
