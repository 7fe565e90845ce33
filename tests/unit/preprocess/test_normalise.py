from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csc_matrix, csr_matrix

from pytest_stbench.errors import ModelError
from pytest_stbench.preprocess import normalise
from pytest_stbench.preprocess.normalise import (
    default_method,
    from_counts,
    gene_share,
    normalise_counts,
    target_sum,
)

COUNTS = np.array([[4, 0, 6], [0, 0, 0], [1, 2, 1]])
LIBSIZE = np.array([20.0, 0.0, 4.0])


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix])
def test_golden_values(form, recwarn):
    columns = np.array([2, 0])
    cp10k = normalise_counts(form(COUNTS), LIBSIZE, columns, "log1p_cp10k", 1e4)
    assert cp10k == pytest.approx(np.log1p([[3000.0, 2000.0], [0, 0], [2500.0, 2500.0]]))
    median = normalise_counts(form(COUNTS), LIBSIZE, columns, "log1p_median", 10.0)
    assert median == pytest.approx(np.log1p([[3.0, 2.0], [0, 0], [2.5, 2.5]]))
    raw = normalise_counts(form(COUNTS), LIBSIZE, columns, "log1p", None)
    assert raw == pytest.approx(np.log1p([[6.0, 4.0], [0, 0], [1.0, 1.0]]))
    assert cp10k.dtype == np.float64
    assert not recwarn.list


def test_is_scanpy_where_all_genes_are_columns():
    import anndata
    import scanpy

    x = np.random.default_rng(0).poisson(1.0, (40, 25))
    x[:, 0] += 1
    data = anndata.AnnData(x.astype(np.float64))
    scanpy.pp.normalize_total(data, target_sum=1e4)
    scanpy.pp.log1p(data)
    ours = normalise_counts(csr_matrix(x), x.sum(axis=1).astype(float), np.arange(25), "log1p_cp10k", 1e4)
    assert ours == pytest.approx(data.X, rel=1e-6)


def test_pearson_residuals_are_scanpys():
    import anndata
    import scanpy

    x = np.random.default_rng(0).poisson(1.0, (40, 25))
    x[0, 0] = 500
    data = anndata.AnnData(x.astype(np.float64))
    scanpy.experimental.pp.normalize_pearson_residuals(data)
    columns = np.array([0, 7, 3])
    ours = normalise_counts(csr_matrix(x), x.sum(axis=1).astype(float), columns, "pearson_residuals", None)
    assert ours == pytest.approx(data.X[:, columns], rel=1e-6)


def test_pearson_residuals_of_nothing_are_zero(recwarn):
    empty = csr_matrix((3, 2), dtype=int)
    assert (normalise_counts(empty, np.zeros(3), np.arange(2), "pearson_residuals", None) == 0).all()
    assert not recwarn.list


def test_default_by_the_number_of_genes():
    assert default_method(999) == "log1p_median"
    assert default_method(1000) == "log1p_cp10k"


def test_target_sum(make_slide):
    slides = [
        make_slide(np.ones((2, 1), int), libsize=[10, 30]),
        make_slide(np.ones((1, 1), int), libsize=[20]),
    ]
    assert target_sum("log1p_cp10k", slides) == 1e4
    assert target_sum("log1p_median", slides) == pytest.approx(10**1.3)  # 20 a decade: 17.8, 19.95, 22.4
    assert target_sum("log1p", slides) is None


def test_counts_of_a_model_are_scaled_by_their_own_sum():
    predicted = np.array([[1.0, 3.0], [0.0, 0.0], [100.0, 300.0]])
    values = from_counts(predicted, "log1p_cp10k", 1e4, share=0.2)
    assert values == pytest.approx(np.log1p([[500.0, 1500.0], [0, 0], [500.0, 1500.0]]))
    assert from_counts(predicted, "log1p", None, share=0.2) == pytest.approx(np.log1p(predicted))


def test_perfect_counts_of_all_genes_become_the_truth():
    x = np.random.default_rng(1).poisson(2.0, (30, 8))
    size = x.sum(axis=1).astype(float)
    for method, scale in (
        ("log1p_cp10k", 1e4),
        ("log1p_median", 16.0),
        ("log1p", None),
        ("pearson_residuals", None),
    ):
        truth = normalise_counts(csr_matrix(x), size, np.arange(8), method, scale)
        assert from_counts(x, method, scale, share=1.0) == pytest.approx(truth)


def test_negative_counts_are_refused():
    with pytest.raises(ModelError, match=r"1 of 2 predicted counts are below zero \(lowest -1\)"):
        from_counts(np.array([[1.0, -1.0]]), "log1p", None, 1.0)


def test_share_is_the_mean_over_patients_of_measured_slides(make_slide):
    first = make_slide([[1, 3], [1, 1]], patient="a")
    second = make_slide([[0, 4]], patient="b", measured=[False, True], libsize=[8])
    third = make_slide([[4, 0], [0, 0]], patient="a", slide="s3")
    share = gene_share([first, second, third])
    assert share == pytest.approx([(0.25 + 0.5 + 1.0 + 0.0) / 4, ((0.75 + 0.5 + 0 + 0) / 4 + 0.5) / 2])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), depth=st.integers(2, 9))
def test_depth_does_not_change_the_scale(seed, depth):
    x = np.random.default_rng(seed).poisson(1.0, (6, 5))
    size = x.sum(axis=1).astype(float)
    columns = np.arange(5)
    one = normalise_counts(csr_matrix(x), size, columns, "log1p_cp10k", 1e4)
    other = normalise_counts(csr_matrix(x * depth), size * depth, columns, "log1p_cp10k", 1e4)
    assert other == pytest.approx(one)


def test_equal_shares_stay_equal():
    """3 of 90 and 1 of 30 are one value: rounding must not rank them."""
    counts = csr_matrix(np.array([[3, 87], [1, 29], [7, 203]]))
    libsize = np.array([90.0, 30.0, 210.0])
    values = normalise_counts(counts, libsize, np.array([0]), "log1p_cp10k", 1e4)
    assert len(np.unique(values)) == 1


@pytest.mark.parametrize("method", ["log1p_cp10k", "log1p_median", "log1p", "pearson_residuals"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_blocks_of_units_change_no_bit(method, dtype, monkeypatch):
    rng = np.random.default_rng(2)
    counts = csr_matrix(rng.poisson(0.4, (101, 30)))
    libsize = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    libsize[3] = 0.0
    columns = rng.permutation(30)[:17]
    whole = normalise_counts(counts, libsize, columns, method, 30.0)
    monkeypatch.setattr(normalise, "BLOCK_ELEMENTS", 17 * 8)
    found = normalise_counts(counts, libsize, columns, method, 30.0, dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, whole.astype(dtype))
