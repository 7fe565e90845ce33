from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pytest_stbench.baselines.coords import Coords, position_features


def test_golden_features():
    xy = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0], [1.0, 1.0]]) * 300
    features = position_features(xy)
    scale = np.sqrt(8 / 5)
    assert features.shape == (5, 14)
    assert features[0, :4] == pytest.approx([-1 / scale, -1 / scale, np.sqrt(2) / scale, 0.0])
    assert features[4, :4] == pytest.approx([0.0, 0.0, 0.0, 1 / scale])
    x, y, r, d = features[:, :4].T
    assert features[:, 4:] == pytest.approx(
        np.column_stack([x * x, x * y, x * r, x * d, y * y, y * r, y * d, r * r, r * d, d * d])
    )


def test_distance_to_the_hull_is_that_to_its_nearest_edge():
    rng = np.random.default_rng(0)
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    inner = rng.uniform(-0.6, 0.6, (100, 2))
    xy = np.vstack([ring, inner])
    features = position_features(xy)
    scale = np.sqrt(((xy - xy.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert features[400:, 3] * scale == pytest.approx(1 - np.hypot(*inner.T), abs=1e-4)


@pytest.mark.parametrize(
    "xy",
    [
        np.zeros((0, 2)),
        np.zeros((1, 2)),
        np.zeros((5, 2)),
        np.column_stack([np.arange(5.0), np.arange(5.0)]),
        np.eye(2),
    ],
)
def test_degenerate_places_are_finite(xy, recwarn):
    features = position_features(xy)
    assert features.shape == (len(xy), 14)
    assert np.isfinite(features).all()
    assert (features[:, 3] == 0).all()
    assert not recwarn.list


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 100), shift=st.floats(-1e4, 1e4))
def test_moving_and_scaling_a_slide_changes_nothing(seed, scale, shift):
    xy = np.random.default_rng(seed).uniform(0, 1000, (30, 2))
    assert position_features(xy * scale + shift) == pytest.approx(position_features(xy), abs=1e-6)


def test_is_ridge_with_penalty_one(cohort):
    model = Coords()
    model.fit(cohort.train, cohort.task)
    x = np.concatenate([position_features(slide.units.obsm["spatial"]) for slide in cohort.train])
    y = np.concatenate([slide.target for slide in cohort.train])
    expected = make_pipeline(StandardScaler(), Ridge(1.0)).fit(x, y).predict(x)[:64]
    assert model.predict_expression(cohort.given(0), list(cohort.task.genes)) == pytest.approx(
        expected, abs=1e-4
    )
