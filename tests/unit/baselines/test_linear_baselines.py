from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pytest_stbench.baselines import slide_sums
from pytest_stbench.baselines.coords import Coords
from pytest_stbench.baselines.gene_gene_ridge import GeneGeneRidge
from pytest_stbench.baselines.linear import inner_groups
from pytest_stbench.baselines.pca_ridge import PcaRidge
from pytest_stbench.baselines.smooth import Smooth
from pytest_stbench.errors import ModelError


def observed_features(slides, nearest_step):
    counts = [slide.units.X.toarray().astype(float) for slide in slides]
    scale = nearest_step(np.median(np.concatenate([table.sum(axis=1) for table in counts])))
    return [np.log1p(table / table.sum(axis=1, keepdims=True) * scale) for table in counts]


def searched(model, x, y, groups, grid):
    search = GridSearchCV(
        model, {"ridge__alpha": grid}, cv=LeaveOneGroupOut(), scoring="neg_mean_squared_error"
    )
    search.fit(x, y / y.std(axis=0), groups=groups)
    return model.set_params(ridge__alpha=search.best_params_["ridge__alpha"]).fit(x, y)


def test_gene_gene_ridge_is_a_grid_search_over_patients(cohort, nearest_step):
    model = GeneGeneRidge()
    model.fit(cohort.train, cohort.task)
    features = observed_features(cohort.train, nearest_step)
    x, y = np.concatenate(features), np.concatenate([slide.target for slide in cohort.train]).astype(float)
    patients = np.repeat([slide.meta.patient_id for slide in cohort.train], 64)
    expected = searched(make_pipeline(Ridge()), x, y, patients, model.ridge.alphas)
    assert model.ridge.alpha == expected.get_params()["ridge__alpha"]
    found = model.impute(cohort.given(1), cohort.task.observed_genes, cohort.task.genes)
    assert found == pytest.approx(expected.predict(features[1]), abs=1e-4)
    assert found.dtype == np.float32


@pytest.mark.parametrize("baseline", [GeneGeneRidge, Smooth])
def test_of_too_many_observed_genes_the_most_variable_are_features(
    cohort, baseline, nearest_step, monkeypatch
):
    whole = np.concatenate(observed_features(cohort.train, nearest_step))
    chosen = np.sort(np.argsort(-whole.var(axis=0))[:3])
    monkeypatch.setattr("pytest_stbench.baselines.gene_gene_ridge.MOST_FEATURES", 5)
    monkeypatch.setattr("pytest_stbench.baselines.gene_gene_ridge.CHOSEN", 3)
    model = baseline()
    model.fit(cohort.train, cohort.task)
    assert model.ridge.coef.shape == (3, 4)
    given = cohort.given(1)
    features = model.features(given)[:].toarray()
    found = model.impute(given, cohort.task.observed_genes, cohort.task.genes)
    assert found == pytest.approx(features @ model.ridge.coef + model.ridge.intercept, abs=1e-5)
    monkeypatch.undo()
    every = baseline()
    every.fit(cohort.train, cohort.task)
    assert features == pytest.approx(every.features(given)[:].toarray()[:, chosen])


def test_pca_ridge_is_a_grid_search_over_patients(cohort, monkeypatch):
    monkeypatch.setattr(PcaRidge, "n_components", 5)
    model = PcaRidge()
    model.fit(cohort.train, cohort.task)
    x = np.concatenate([slide.units.obsm["embedding"] for slide in cohort.train]).astype(float)
    y = np.concatenate([slide.target for slide in cohort.train]).astype(float)
    patients = np.repeat([slide.meta.patient_id for slide in cohort.train], 64)
    steps = make_pipeline(StandardScaler(), PCA(5, svd_solver="full"), Ridge())
    expected = searched(steps, x, y, patients, model.ridge.alphas)
    assert model.ridge.alpha == expected.get_params()["ridge__alpha"]
    found = model.predict_expression(cohort.given(0), ["T3", "T1"])
    assert found == pytest.approx(expected.predict(x[:64])[:, [3, 1]], abs=2e-3)


def test_embedding_is_asked_for(cohort):
    given = cohort.given(0)
    del given.units.obsm["embedding"]
    with pytest.raises(ModelError, match=r"slide s0 has no embedding: declare `keys.embedding`"):
        PcaRidge().features(given)
    given.units.obsm["embedding"] = np.full((64, 2), np.nan)
    with pytest.raises(ModelError, match="embedding of 64 units is not finite"):
        PcaRidge().features(given)


def test_smooth_averages_the_unit_and_its_neighbours(cohort, nearest_step):
    model = Smooth()
    model.prepare(cohort.train, cohort.task)
    plain = observed_features(cohort.train, nearest_step)[0].reshape(8, 8, -1)
    found = model.features(cohort.given(0))[:].toarray().reshape(8, 8, -1)
    assert found[3, 4] == pytest.approx(plain[2:5, 3:6].mean(axis=(0, 1)))
    assert found[0, 0] == pytest.approx(plain[:2, :2].mean(axis=(0, 1)))


def test_smooth_of_cells_and_of_a_lonely_unit(cohort):
    model = Smooth()
    model.prepare(cohort.train, cohort.task)
    given = cohort.given(0)
    cells = replace(given, meta=replace(given.meta, resolution="cell"))
    assert not np.allclose(model.features(cells)[:].toarray(), model.features(given)[:].toarray())
    one = replace(given, units=given.units[:1].copy())
    assert model.features(one)[:].toarray() == pytest.approx(GeneGeneRidge.features(model, one).toarray())


def test_depth_of_observed_genes_does_not_matter(cohort):
    model = GeneGeneRidge()
    model.fit(cohort.train, cohort.task)
    given = cohort.given(0)
    deeper = cohort.given(0)
    deeper.units.X = deeper.units.X * 7
    asked = cohort.task.observed_genes, cohort.task.genes
    assert model.impute(deeper, *asked) == pytest.approx(model.impute(given, *asked), abs=1e-4)


def test_observed_genes_are_found_by_name(cohort):
    model = GeneGeneRidge()
    model.fit(cohort.train, cohort.task)
    given, turned = cohort.given(0), cohort.given(0)
    turned = replace(turned, units=turned.units[:, ::-1].copy())
    asked = cohort.task.observed_genes, cohort.task.genes
    assert model.impute(turned, *asked) == pytest.approx(model.impute(given, *asked), abs=1e-5)
    fewer = replace(given, units=given.units[:, :3].copy())
    assert np.isfinite(model.impute(fewer, *asked)).all()


def test_no_observed_genes_is_a_mistake(cohort):
    with pytest.raises(ModelError, match="hands out no observed genes"):
        GeneGeneRidge().fit(cohort.train, replace(cohort.task, observed_genes=()))


def test_sparse_features_go_through_in_blocks(cohort, monkeypatch):
    whole = GeneGeneRidge()
    whole.fit(cohort.train, cohort.task)
    monkeypatch.setattr(slide_sums, "BLOCK_ELEMENTS", 60)
    parts = GeneGeneRidge()
    parts.fit(cohort.train, cohort.task)
    asked = cohort.given(0), cohort.task.observed_genes, cohort.task.genes
    assert parts.impute(*asked) == pytest.approx(whole.impute(*asked), abs=1e-5)


@pytest.mark.parametrize("baseline", [Coords, PcaRidge, GeneGeneRidge, Smooth])
@pytest.mark.parametrize("patients", [("a",), ("a", "a"), (None, None, None)])
def test_few_patients_constant_features_and_missing_genes(baseline, patients, make_cohort, recwarn):
    small = make_cohort(patients=patients, n=9)
    for slide in small.train:
        slide.units.obsm["embedding"][:, :3] = 1.0
        slide.units.X = csr_matrix(slide.units.X.toarray() * [1, 1, 1, 1, 0, 1])
    lacking = small.train[0].target.copy()
    lacking[:, 2] = np.nan
    if len(patients) > 1:
        small.train[0] = replace(small.train[0], target=lacking)
    model = baseline()
    model.fit(small.train, small.task)
    assert np.isfinite(model.predict_expression(small.given(0), small.task.genes)).all()
    assert not [w for w in recwarn.list if "pytest_stbench" in str(w.filename)]


def test_a_gene_no_slide_measured_is_zero(cohort):
    train = [
        replace(slide, target=np.where(np.arange(4) == 1, np.nan, slide.target)) for slide in cohort.train
    ]
    model = GeneGeneRidge()
    model.fit(train, cohort.task)
    assert (model.predict_expression(cohort.given(0), ["T1"]) == 0).all()


def test_units_without_counts_are_predicted(cohort):
    model = GeneGeneRidge()
    model.fit(cohort.train, cohort.task)
    given = cohort.given(0)
    given.units.X = csr_matrix((64, 6), dtype=np.float32)
    assert np.isfinite(model.predict_expression(given, cohort.task.genes)).all()


def test_groups_are_patients_then_slides_and_at_most_five(make_cohort):
    assert inner_groups(make_cohort(patients=("b", "a", "b"), n=4).train) == [1, 0, 1]
    assert inner_groups(make_cohort(patients=("a", "a", "a"), n=4).train) == [0, 1, 2]
    many = inner_groups(make_cohort(patients=tuple("abcdefg"), n=4).train)
    assert many == [0, 1, 2, 3, 4, 0, 1]


def test_unfitted_and_empty(cohort):
    with pytest.raises(ModelError, match="coords was asked to predict before it was fitted"):
        Coords().predict_expression(cohort.given(0), ["T0"])
    with pytest.raises(ModelError, match="needs at least one training unit"):
        Coords().fit([], cohort.task)


def test_order_of_units_does_not_matter(cohort):
    model, turned = Smooth(), Smooth()
    model.fit(cohort.train, cohort.task)
    order = np.random.default_rng(0).permutation(64)
    train = [
        replace(slide, units=slide.units[order].copy(), target=slide.target[order]) for slide in cohort.train
    ]
    turned.fit(train, cohort.task)
    given = cohort.given(0)
    shuffled = replace(given, units=given.units[order].copy())
    assert turned.predict_expression(shuffled, cohort.task.genes) == pytest.approx(
        model.predict_expression(given, cohort.task.genes)[order], abs=1e-5
    )


def test_dense_counts_are_fine(cohort):
    given = cohort.given(0)
    dense = AnnData(given.units.X.toarray(), obs=given.units.obs, var=given.units.var)
    model = GeneGeneRidge()
    model.fit(cohort.train, cohort.task)
    assert model.features(replace(given, units=dense)).toarray() == pytest.approx(
        model.features(given).toarray()
    )
