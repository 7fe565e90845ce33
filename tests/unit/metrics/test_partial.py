from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_stbench.metrics import (
    partial_pearson_gene,
    partial_spearman_gene,
    pearson_gene,
    spearman_gene,
)

# Bad input never gives a warning of numpy.
pytestmark = pytest.mark.filterwarnings("error")

BOTH = [(partial_pearson_gene, pearson_gene), (partial_spearman_gene, spearman_gene)]


def slide_of(n=60, g=5, seed=0):
    """Truth and prediction that follow the library size and a little each other."""
    rng = np.random.default_rng(seed)
    libsize = rng.integers(50, 5000, n)
    depth = np.log(libsize)[:, None]
    truth = depth + rng.normal(size=(n, g))
    prediction = depth * rng.uniform(0.5, 2, g) + 0.4 * truth + rng.normal(size=(n, g))
    return truth, prediction, libsize


def partial_by_residuals(y, p, depth):
    """Correlate what a regression on depth leaves: an independent way to the same number."""
    design = np.column_stack([np.ones(len(depth)), depth])
    rest = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (y, p)]
    return stats.pearsonr(*rest).statistic


def vectors_with_correlations(r_yp, r_yd, r_pd, n=40):
    """Three vectors whose sample correlations are exactly those given."""
    basis = np.random.default_rng(0).normal(size=(n, 3))
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0]
    wanted = np.array([[1, r_yp, r_yd], [r_yp, 1, r_pd], [r_yd, r_pd, 1]])
    return (basis @ np.linalg.cholesky(wanted).T).T


def test_golden_value():
    y, p, depth = vectors_with_correlations(0.8, 0.6, 0.6)
    scores = partial_pearson_gene(y[:, None], p[:, None], libsize=np.exp(depth))
    assert scores.values[0] == pytest.approx(0.6875, abs=1e-12)
    assert scores.flags == ()


@pytest.mark.parametrize(("r_yd", "r_pd"), [(0.5, 0.2), (-0.7, 0.3), (0.0, 0.9)])
def test_unequal_correlations_with_depth(r_yd, r_pd):
    y, p, depth = vectors_with_correlations(0.1, r_yd, r_pd)
    expected = (0.1 - r_yd * r_pd) / np.sqrt((1 - r_yd**2) * (1 - r_pd**2))
    found = partial_pearson_gene(y[:, None], p[:, None], libsize=np.exp(depth)).values[0]
    assert found == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_pearson_agrees_with_the_residuals_of_a_regression(seed):
    truth, prediction, libsize = slide_of(seed=seed)
    depth = np.log(libsize)
    expected = [partial_by_residuals(y, p, depth) for y, p in zip(truth.T, prediction.T, strict=True)]
    found = partial_pearson_gene(truth, prediction, libsize=libsize).values
    np.testing.assert_allclose(found, expected, atol=1e-10)
    swapped = partial_pearson_gene(prediction, truth, libsize=libsize).values
    np.testing.assert_allclose(swapped, found, atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_spearman_is_the_same_on_ranks(seed):
    truth, prediction, libsize = slide_of(seed=seed)
    truth, prediction = np.round(truth), np.round(prediction, 1)
    depth = stats.rankdata(libsize)
    expected = [
        partial_by_residuals(stats.rankdata(y), stats.rankdata(p), depth)
        for y, p in zip(truth.T, prediction.T, strict=True)
    ]
    found = partial_spearman_gene(truth, prediction, libsize=libsize).values
    np.testing.assert_allclose(found, expected, atol=1e-10)
    # Ranks see the order of library sizes alone.
    grown = partial_spearman_gene(truth, prediction, libsize=libsize.astype(float) ** 3)
    np.testing.assert_allclose(grown.values, found, atol=1e-12)


@pytest.mark.parametrize(("function", "plain"), BOTH)
def test_one_library_size_gives_the_plain_correlation(function, plain):
    truth, prediction, _ = slide_of()
    scores = function(truth, prediction, libsize=np.full(60, 800))
    assert scores.flags == ("libsize_constant",)
    np.testing.assert_allclose(scores.values, plain(truth, prediction).values, atol=1e-12)


@pytest.mark.parametrize(("function", "plain"), BOTH)
def test_one_library_size_among_the_units_of_a_gene(function, plain):
    truth, prediction, _ = slide_of(g=3)
    libsize = np.where(np.arange(60) < 5, 300, 800)
    truth[:5, 1] = np.nan
    scores = function(truth, prediction, libsize=libsize)
    assert scores.flags == ("libsize_constant",)
    assert scores.values[1] == pytest.approx(plain(truth, prediction).values[1], abs=1e-12)
    alone = function(truth[:, [0, 2]], prediction[:, [0, 2]], libsize=libsize)
    assert alone.flags == ()
    np.testing.assert_allclose(scores.values[[0, 2]], alone.values, atol=1e-12)
    assert np.abs(alone.values - plain(truth, prediction).values[[0, 2]]).min() > 1e-4


@pytest.mark.parametrize(("function", "plain"), BOTH)
def test_the_tolerance_of_one_library_size(function, plain):
    truth, prediction, _ = slide_of()
    for depth, flag in ((1.0, True), (50.0, True), (1.0, False), (50.0, False)):
        log_size = np.full(60, depth)
        log_size[7] += (0.8 if flag else 1.3) * 1e-9 * depth
        scores = function(truth, prediction, libsize=np.exp(log_size))
        assert (scores.flags == ("libsize_constant",)) is flag, (depth, flag)
        # The same where the tolerance is found for each gene, from the units left to it.
        holes = np.where(np.arange(60)[:, None] < 5, np.nan, truth)
        scores = function(holes, prediction, libsize=np.exp(np.where(np.arange(60) < 5, 1.0, log_size)))
        assert (scores.flags == ("libsize_constant",)) is flag, (depth, flag)


@pytest.mark.parametrize(("function", "plain"), BOTH)
def test_reasons_come_in_their_order(function, plain):
    truth, prediction, libsize = slide_of(g=7)
    depth = np.log(libsize)
    truth[:, 0] = prediction[:, 0] = 1.0
    truth[:, 1], prediction[:, 1] = depth, 2.0
    truth[:, 2], prediction[:, 2] = -depth, 3 * depth
    prediction[:, 3] = 2.0 - 0.5 * depth
    prediction[:, 4] = depth.astype(np.float32)
    truth[:2, 5] = np.nan
    prediction[:, 5] = np.where(np.arange(60) < 2, 100.0, depth)
    expected = [
        "gt_constant", "pred_constant", "collinear_with_libsize", "pred_collinear_with_libsize",
        "pred_collinear_with_libsize", "pred_collinear_with_libsize", "",
    ]  # fmt: skip
    assert function(truth, prediction, libsize=libsize).reasons.tolist() == expected


@pytest.mark.parametrize(("left", "defined"), [(0.5e-9, False), (2e-9, True)])
def test_the_tolerance_of_collinearity(left, defined):
    near = np.sqrt(1 - left)
    y, p, depth = vectors_with_correlations(0.0, 0.0, near)
    assert (partial_pearson_gene(y[:, None], p[:, None], libsize=np.exp(depth)).reasons[0] == "") is defined
    swapped = partial_pearson_gene(p[:, None], y[:, None], libsize=np.exp(depth))
    assert swapped.reasons[0] == ("" if defined else "collinear_with_libsize")


def test_rounding_near_collinearity_stays_in_range():
    rng = np.random.default_rng(1)
    depth = rng.normal(size=200)
    y = depth[:, None] + 6e-5 * rng.normal(size=(200, 500))
    values = partial_pearson_gene(y, 0.1 * y + 7.0, libsize=np.exp(depth)).values
    assert (np.abs(values) <= 1.0).all()
    np.testing.assert_allclose(values, 1.0, atol=1e-5)


@pytest.mark.parametrize(("function", "plain"), BOTH)
def test_exact_collinearity_never_divides(function, plain):
    truth, prediction, libsize = slide_of(n=20, g=200)
    lines = np.log(libsize)[:, None] * np.linspace(-3, 3, 200) + 1
    assert set(function(lines, prediction, libsize=libsize).reasons) == {"collinear_with_libsize"}
    assert set(function(truth, lines, libsize=libsize).reasons) == {"pred_collinear_with_libsize"}


@pytest.mark.parametrize(("function", "plain"), BOTH)
def test_a_prediction_of_depth_alone_gets_nothing(function, plain):
    rng = np.random.default_rng(3)
    libsize = rng.integers(50, 5000, 2000)
    depth = np.log(libsize)[:, None]
    truth = depth + rng.normal(size=(2000, 30))
    prediction = depth + 0.5 * rng.normal(size=truth.shape)
    assert np.median(plain(truth, prediction).values) > 0.45
    assert abs(np.median(function(truth, prediction, libsize=libsize).values)) < 0.1


@pytest.mark.parametrize(("function", "plain"), BOTH)
@pytest.mark.parametrize(
    ("libsize", "message"),
    [
        (np.ones(3), r"libsize has shape \(3,\).*each of the 60 units"),
        (np.ones((60, 1)), r"libsize has shape \(60, 1\)"),
        (np.zeros(60), "not positive: leave out units without counts"),
        (np.full(60, np.nan), "not positive"),
        (np.full(60, np.inf), "not positive"),
    ],
)
def test_a_library_size_that_does_not_fit_is_refused(function, plain, libsize, message):
    truth, prediction, _ = slide_of()
    with pytest.raises(ValueError, match=message):
        function(truth, prediction, libsize=libsize)


@pytest.mark.parametrize(("partial", "_"), BOTH)
def test_a_gene_without_value_sets_no_flag(partial, _):
    truth, prediction, libsize = slide_of()
    truth[:, 0] = 1.0
    found = partial(truth, prediction, libsize=libsize)
    assert found.reasons.tolist() == ["gt_constant", "", "", "", ""]
    assert found.flags == ()
