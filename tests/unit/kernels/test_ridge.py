from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pytest_stbench.kernels import gram as gram_module
from pytest_stbench.kernels.gram import cross_moments
from pytest_stbench.kernels.ridge import GroupedGram, alpha_grid, fit_ridge, pca


def problem(seed=0, n=120, d=8, t=3, groups=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.uniform(0.5, 20, d) + rng.uniform(-50, 50, d)
    y = x @ rng.normal(size=(d, t)) * 0.1 + rng.normal(size=(n, t)) * rng.uniform(0.5, 5, t) + 10
    group = np.arange(n) % groups
    x += rng.normal(size=(groups, d))[group]
    return x, y, group


def statistics(x, y, group):
    gram = GroupedGram(x.shape[1], y.shape[1])
    for name in np.unique(group):
        gram.add(name, x[group == name], y[group == name])
    return gram


@pytest.mark.parametrize("alpha", [0.01, 1.0, 300.0])
def test_is_sklearn_ridge(alpha):
    x, y, group = problem()
    fit = fit_ridge(statistics(x, y, group), [alpha], standardise=False)
    assert fit.predict(x) == pytest.approx(Ridge(alpha).fit(x, y).predict(x), abs=1e-8)
    fit = fit_ridge(statistics(x, y, group), [alpha])
    assert fit.predict(x) == pytest.approx(
        make_pipeline(StandardScaler(), Ridge(alpha)).fit(x, y).predict(x), abs=1e-8
    )
    assert fit.alpha == alpha
    assert len(fit.cv_error) == 0


def test_alpha_zero_is_least_squares_even_when_collinear():
    x, y, group = problem()
    expected = LinearRegression().fit(x, y).predict(x)
    assert fit_ridge(statistics(x, y, group), [0.0]).predict(x) == pytest.approx(expected, abs=1e-8)
    twice = np.hstack([x, x[:, :1], np.ones((len(x), 1))])
    assert fit_ridge(statistics(twice, y, group), [0.0]).predict(twice) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("n_components", [None, 3])
def test_cross_validation_is_leave_one_group_out_of_sklearn(n_components):
    x, y, group = problem(n=60, d=20)
    grid = [0.1, 3.0, 30.0, 300.0, 3000.0]
    fit = fit_ridge(statistics(x, y, group), grid, n_components=n_components)
    scaled = y / y.std(axis=0)
    steps = [StandardScaler()] + ([PCA(n_components, svd_solver="full")] if n_components else [])
    expected = [
        -cross_val_score(
            make_pipeline(*steps, Ridge(alpha)),
            x,
            scaled,
            groups=group,
            cv=LeaveOneGroupOut(),
            scoring="neg_mean_squared_error",
        ).mean()
        for alpha in grid
    ]
    assert fit.cv_error == pytest.approx(expected, rel=1e-9)
    assert fit.alpha == grid[int(np.argmin(expected))]
    model = make_pipeline(*steps, Ridge(fit.alpha)).fit(x, y)
    assert fit.predict(x) == pytest.approx(model.predict(x), abs=1e-8)


def test_blocks_and_sums_of_statistics_change_nothing(monkeypatch):
    x, y, group = problem()
    whole = statistics(x, y, group)
    monkeypatch.setattr(gram_module, "BLOCK_ELEMENTS", 40)
    parts = GroupedGram(x.shape[1], y.shape[1])
    for rows in (slice(None, None, 2), slice(1, None, 2)):
        for name in np.unique(group):
            own = group[rows] == name
            parts.add_rows(name, statistics(x[rows][own], y[rows][own], np.zeros(own.sum())))
    assert parts.n == whole.n
    assert set(parts.groups) == set(whole.groups)
    grid = [1.0, 10.0, 100.0]
    one, other = fit_ridge(whole, grid), fit_ridge(parts, grid)
    assert other.coef == pytest.approx(one.coef, abs=1e-10)
    assert other.cv_error == pytest.approx(one.cv_error, rel=1e-9)


def test_targets_that_are_added_later_are_those_of_the_first_pass():
    x, y, _ = problem()
    (whole,) = statistics(x, y, np.zeros(len(x))).parts()
    blocks = [(slice(0, 50), x[:50]), (slice(50, 120), x[50:])]
    mean_y, xy, yy = cross_moments(blocks, y, whole.mean_x)
    assert mean_y == pytest.approx(whole.mean_y, rel=1e-12)
    assert xy == pytest.approx(whole.xy, rel=1e-9)
    assert yy == pytest.approx(whole.yy, rel=1e-12)


def test_large_means_do_not_cancel():
    x, y, group = problem()
    shifted = fit_ridge(statistics(x + 1e6, y + 1e6, group), [1.0, 10.0])
    assert shifted.coef == pytest.approx(fit_ridge(statistics(x, y, group), [1.0, 10.0]).coef, abs=1e-6)


def test_targets_missing_from_slides_are_fitted_on_the_others():
    x, y, group = problem()
    holes = y.copy()
    holes[group == 1, 0] = np.nan
    holes[:, 2] = np.nan
    gram = statistics(x, holes, group)
    fit = fit_ridge(gram, [5.0])
    keep = group != 1
    alone = fit_ridge(statistics(x[keep], y[keep, :1], group[keep]), [5.0])
    assert fit.coef[:, 0] == pytest.approx(alone.coef[:, 0], abs=1e-10)
    assert fit.coef[:, 1] == pytest.approx(fit_ridge(statistics(x, y, group), [5.0]).coef[:, 1], abs=1e-10)
    assert fit.fitted.tolist() == [True, True, False]
    assert (fit.predict(x)[:, 2] == 0).all()
    assert gram.filled == 0


def test_slides_of_one_patient_with_other_genes_share_their_group():
    x, y, group = problem(n=80, groups=2)
    gram = GroupedGram(x.shape[1], 3)
    lacking = y.copy()
    lacking[:, 1] = np.nan
    for name in (0, 1):
        rows = np.flatnonzero(group == name)
        gram.add(name, x[rows[:20]], y[rows[:20]])
        gram.add(name, x[rows[20:]], lacking[rows[20:]])
    fit = fit_ridge(gram, [1.0, 10.0])
    assert gram.groups == (0, 1)
    rows = np.concatenate([np.flatnonzero(group == name)[:20] for name in (0, 1)])
    alone = fit_ridge(statistics(x[rows], y[rows], group[rows]), [fit.alpha])
    assert fit.coef[:, 1] == pytest.approx(alone.coef[:, 1], abs=1e-9)


def test_single_missing_values_take_the_mean_and_are_counted():
    x, y, group = problem()
    holes, filled = y.copy(), y.copy()
    rows = np.flatnonzero(group == 0)
    holes[rows[:3], 1] = np.nan
    filled[rows[:3], 1] = y[rows[3:], 1].mean()
    gram = statistics(x, holes, group)
    assert gram.filled == 3
    assert fit_ridge(gram, [1.0]).coef == pytest.approx(fit_ridge(statistics(x, filled, group), [1.0]).coef)


def test_constant_features_and_targets_need_no_warning(recwarn):
    x, y, group = problem()
    x[:, 0] = 3.0
    y[:, 0] = 2.0
    fit = fit_ridge(statistics(x, y, group), [1.0, 10.0])
    assert (fit.coef[0] == 0).all()
    assert fit.predict(x)[:, 0] == pytest.approx(2.0)
    all_constant = fit_ridge(statistics(np.ones((6, 2)), y[:6], np.arange(6) % 2), [1.0, 10.0])
    assert all_constant.predict(np.ones((1, 2)))[0] == pytest.approx(y[:6].mean(axis=0))
    assert not recwarn.list


def test_one_group_uses_the_middle_penalty():
    x, y, _ = problem()
    fit = fit_ridge(statistics(x, y, np.zeros(len(x), int)), [100.0, 1.0, 10.0])
    assert fit.alpha == 10.0
    assert len(fit.cv_error) == 0


def test_ties_take_the_larger_penalty():
    x = np.zeros((8, 1))
    y = np.arange(8.0)[:, None]
    assert fit_ridge(statistics(x, y, np.arange(8) % 2), [1.0, 2.0, 3.0]).alpha == 3.0


def test_bad_input_is_refused():
    x, y, group = problem()
    gram = statistics(x, y, group)
    with pytest.raises(ValueError, match="at least 0"):
        fit_ridge(gram, [-1.0])
    with pytest.raises(ValueError, match="at least one training row"):
        fit_ridge(GroupedGram(2, 2), [1.0])
    with pytest.raises(ValueError, match="8 features and 3 targets"):
        gram.add("p", x[:, :3], y)
    x[0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        gram.add("p", x, y)


def test_pca_is_sklearn_pca():
    x, y, group = problem(n=50, d=12)
    found = pca(statistics(x, y, group), 5)
    expected = PCA(5, svd_solver="full").fit(x)
    assert found.variance == pytest.approx(expected.explained_variance_ * 49 / 50, rel=1e-9)
    scores, reference = found.transform(x), expected.transform(x)
    assert np.abs(scores) == pytest.approx(np.abs(reference), abs=1e-7)
    assert (found.components[np.abs(found.components).argmax(axis=0), np.arange(5)] > 0).all()


def test_pca_is_cut_to_the_rank_of_the_data():
    x, y, group = problem(n=4, d=12)
    assert pca(statistics(x, y, group), 10, standardise=True).components.shape == (12, 3)


def test_wide_float32_embeddings_stay_within_a_thousandth_of_the_exact_probe():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(700, 40))
    x = (factors @ rng.normal(size=(40, 600)) + rng.normal(size=(700, 600))).astype(np.float32)
    y = factors @ rng.normal(size=(40, 5)) + rng.normal(size=(700, 5))
    fit = fit_ridge(statistics(x, y, np.arange(700) % 3), [10.0], n_components=64)
    exact = make_pipeline(StandardScaler(), PCA(64, svd_solver="full"), Ridge(10.0)).fit(x.astype(float), y)
    expected = exact.predict(x.astype(float))
    error = np.linalg.norm(fit.predict(x) - expected) / np.linalg.norm(expected - expected.mean(axis=0))
    assert error < 1e-3


def test_alpha_grid_follows_the_size_of_the_data():
    x, y, group = problem()
    grid = alpha_grid(statistics(x, y, group))
    assert len(grid) == 13
    assert grid[[0, 6, 12]] == pytest.approx([0.12, 120.0, 120_000.0])
    raw = alpha_grid(statistics(x, y, group), standardise=False)
    assert raw[6] == pytest.approx(((x - x.mean(axis=0)) ** 2).sum(axis=0).mean())
    leading = alpha_grid(statistics(x, y, group), n_components=2)
    assert leading[6] > grid[6]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_order_of_rows_and_groups_does_not_matter(seed):
    x, y, group = problem(seed, n=40, d=4)
    order = np.random.default_rng(seed).permutation(40)
    grid = [1.0, 30.0, 900.0]
    one = fit_ridge(statistics(x, y, group), grid)
    other = fit_ridge(statistics(x[order], y[order], 3 - group[order]), grid)
    assert other.alpha == one.alpha
    assert other.predict(x) == pytest.approx(one.predict(x), abs=1e-8)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), alpha=st.floats(1e-3, 1e3))
def test_more_penalty_means_smaller_weights(seed, alpha):
    x, y, group = problem(seed, n=40, d=4)
    gram = statistics(x, y, group)
    small, large = fit_ridge(gram, [alpha]), fit_ridge(gram, [2 * alpha])
    scale = x.std(axis=0)[:, None]
    assert ((large.coef * scale) ** 2).sum() <= ((small.coef * scale) ** 2).sum() + 1e-12
