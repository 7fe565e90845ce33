from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from pytest_stbench.baselines import knn as module
from pytest_stbench.baselines.knn import Knn
from pytest_stbench.errors import ModelError


def fitted(cohort):
    model = Knn()
    model.fit(cohort.train, cohort.task)
    return model


def test_it_is_the_weighted_mean_of_the_nearest(cohort):
    """Twenty dimensions: all components are kept, and distances are those of the features."""
    held_out = cohort.train.pop()
    found = fitted(cohort).predict_expression(held_out, cohort.task.genes)

    x = np.concatenate([slide.units.obsm["embedding"] for slide in cohort.train]).astype(np.float16)
    y = np.concatenate([slide.target for slide in cohort.train])
    scaler = StandardScaler().fit(x.astype(np.float64))
    peer = KNeighborsRegressor(20, weights=lambda d: 1 / np.maximum(d, 1e-6)).fit(scaler.transform(x), y)
    given = scaler.transform(held_out.units.obsm["embedding"])
    # Of two neighbours as far away, rounding decides, and otherwise on every stack: a unit may have another.
    differs = (np.abs(found - peer.predict(given)) > 0.02).any(axis=1)
    assert differs.sum() <= 1


def test_it_learns(make_cohort):
    cohort = make_cohort(n=400)
    rng = np.random.default_rng(1)
    view = rng.normal(size=(4, 20))
    for slide in cohort.train:
        slide.units.obsm["embedding"] = (slide.target @ view + rng.normal(size=(400, 20))).astype(np.float32)
    held_out = cohort.train.pop()
    found = fitted(cohort).predict_expression(held_out, cohort.task.genes)
    r = [np.corrcoef(found[:, j], held_out.target[:, j])[0, 1] for j in range(4)]
    assert np.mean(r) > 0.5


def test_colour_stands_in_for_an_embedding(cohort, monkeypatch):
    for slide in cohort.train:
        del slide.units.obsm["embedding"]
    asked = []

    def features(self, slide):
        asked.append(slide.meta.slide_id)
        return np.asarray(slide.units.X.todense())

    monkeypatch.setattr(module.HeColour, "features", features)
    assert fitted(cohort).predict_expression(cohort.given(1), cohort.task.genes).shape == (64, 4)
    assert asked == ["s0", "s1", "s2", "s3", "s1"]


def test_targets_that_were_not_measured_take_no_part(cohort):
    whole = fitted(cohort).predict_expression(cohort.given(0), cohort.task.genes)
    target = cohort.train[0].target.copy()
    target[:, 1] = np.nan
    cohort.train[0] = dataclasses.replace(cohort.train[0], target=target)
    found = fitted(cohort).predict_expression(cohort.given(0), cohort.task.genes)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, [0, 2, 3]], whole[:, [0, 2, 3]])
    nobody = [dataclasses.replace(s, target=np.full_like(s.target, np.nan)) for s in cohort.train]
    model = Knn()
    model.fit(nobody, cohort.task)
    assert (model.predict_expression(cohort.given(0), cohort.task.genes) == 0).all()


def test_many_units_are_drawn_from_all_patients_alike(cohort, monkeypatch):
    monkeypatch.setattr(module, "MAX_UNITS", 90)
    model = fitted(cohort)
    assert len(model.target) == 90
    kept = module._chosen(cohort.train, 0)
    assert [len(kept[0]) + len(kept[1]), len(kept[2]), len(kept[3])] == [30, 30, 30]
    assert all(np.array_equal(a, b) for a, b in zip(kept, module._chosen(cohort.train, 0), strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(kept, module._chosen(cohort.train, 1), strict=True))


def test_order_of_genes_is_as_asked(cohort):
    model = fitted(cohort)
    genes = cohort.task.genes
    forward = model.predict_expression(cohort.given(0), genes)
    np.testing.assert_array_equal(model.predict_expression(cohort.given(0), genes[::-1]), forward[:, ::-1])


def test_fewer_units_than_neighbours(make_cohort):
    cohort = make_cohort(patients=("a",), n=9)
    assert np.isfinite(fitted(cohort).predict_expression(cohort.given(0), cohort.task.genes)).all()


def test_misuse_is_told(cohort):
    with pytest.raises(ModelError, match="before it was fitted"):
        Knn().predict_expression(cohort.given(0), cohort.task.genes)
    with pytest.raises(ModelError, match="at least one training unit"):
        Knn().fit([], cohort.task)
