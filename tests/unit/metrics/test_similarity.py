from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.spatial import distance

from pytest_stbench.metrics import concordance, cosine_gene, cosine_spot, jsd_map

# Bad input never gives a warning of numpy.
pytestmark = pytest.mark.filterwarnings("error")

Y = np.array([[0.0, 1, 2, 3, 4]]).T
P = np.array([[0.0, 1, 1, 3, 5]]).T


def lin_by_definition(y, p):
    s_yp = np.mean((y - y.mean()) * (p - p.mean()))
    return 2 * s_yp / (np.var(y) + np.var(p) + (y.mean() - p.mean()) ** 2)


def test_golden_values():
    assert cosine_gene(Y, P).values == pytest.approx([0.973729], abs=5e-7)
    assert cosine_spot(Y.T, P.T).values == pytest.approx([0.973729], abs=5e-7)
    assert concordance(Y, P, min_units=3).values == pytest.approx([0.923077], abs=5e-7)
    a, b = np.array([[0.5, 0.5, 0.0]]).T, np.array([[0.25, 0.25, 0.5]]).T
    scores = jsd_map(a, b)
    assert scores.values == pytest.approx([0.311278], abs=5e-7)
    assert scores.extras["distance"] == pytest.approx([0.557923], abs=5e-7)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_values_agree_with_their_oracles(seed):
    rng = np.random.default_rng(seed)
    truth, prediction = rng.normal(0.5, size=(2, 40, 6))
    pairs = list(zip(truth.T, prediction.T, strict=True))
    expected = [1 - distance.cosine(y, p) for y, p in pairs]
    np.testing.assert_allclose(cosine_gene(truth, prediction).values, expected, atol=1e-12)
    rows = zip(truth, prediction, strict=True)
    np.testing.assert_allclose(
        cosine_spot(truth, prediction).values, [1 - distance.cosine(y, p) for y, p in rows], atol=1e-12
    )
    expected = [lin_by_definition(y, p) for y, p in pairs]
    np.testing.assert_allclose(concordance(truth, prediction).values, expected, atol=1e-12)
    scores = jsd_map(truth, prediction)
    expected = [distance.jensenshannon(y.clip(0), p.clip(0), base=2) for y, p in pairs]
    np.testing.assert_allclose(scores.extras["distance"], expected, atol=1e-7)
    np.testing.assert_allclose(scores.values, np.square(expected), atol=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_symmetry_and_scale(seed, scale):
    truth, prediction = np.random.default_rng(seed).gamma(0.5, size=(2, 20, 3))
    for function in (cosine_gene, cosine_spot, jsd_map):
        values = function(truth, prediction).values
        np.testing.assert_allclose(function(prediction, truth).values, values, atol=1e-12)
        np.testing.assert_allclose(function(truth, scale * prediction).values, values, atol=1e-10)
    values = concordance(truth, prediction).values
    np.testing.assert_allclose(concordance(prediction, truth).values, values, atol=1e-12)
    both = concordance(scale * truth + 3, scale * prediction + 3).values
    np.testing.assert_allclose(both, values, atol=1e-8)
    # Another level or spread of one of them costs: the plain correlation would not see it.
    assert (np.abs(concordance(truth, prediction + 50).values) < np.abs(values)).all()


def test_the_divergence_of_maps_that_share_nothing_is_one_bit():
    truth, prediction = np.array([[1.0], [3.0], [0.0]]), np.array([[0.0], [-2.0], [7.0]])
    assert jsd_map(truth, prediction).values[0] == 1.0
    assert jsd_map(truth, truth).values[0] == 0.0


def test_negative_values_are_no_part_of_a_map():
    truth, prediction = np.random.default_rng(1).normal(size=(2, 20, 4))
    expected = jsd_map(np.maximum(truth, 0), np.maximum(prediction, 0)).values
    np.testing.assert_array_equal(jsd_map(truth, prediction).values, expected)
    scores = jsd_map(np.array([[-1.0, 1.0], [-2.0, 1.0]]), np.array([[1.0, -1.0], [1.0, 0.0]]))
    assert scores.reasons.tolist() == ["empty_truth", "empty_pred"]
    assert np.isnan(scores.extras["distance"]).all()


@pytest.mark.parametrize("function", [cosine_gene, cosine_spot])
def test_the_tolerance_of_an_empty_vector(function):
    small, large = np.full((1, 1), 0.9e-12), np.full((1, 1), 1.1e-12)
    one = np.ones((1, 1))
    assert function(small, one).reasons.tolist() == ["empty_truth"]
    assert function(one, small).reasons.tolist() == ["empty_pred"]
    assert function(small, small).reasons.tolist() == ["empty_truth"]
    assert function(large, one).values[0] == pytest.approx(1.0)
    assert function(one, -large).values[0] == pytest.approx(-1.0)


def test_a_constant_vector_has_a_cosine():
    assert cosine_gene(np.full((4, 1), 2.0), np.array([[1.0, 0, 0, 0]]).T).values[0] == pytest.approx(0.5)


def test_concordance_where_something_is_constant():
    varied = np.arange(12.0)
    level = np.full(12, 5.5)
    truth = np.column_stack([varied, level, level, level])
    prediction = np.column_stack([level, varied, level, level + 1])
    scores = concordance(truth, prediction)
    assert scores.reasons.tolist() == ["", "", "gt_constant", "gt_constant"]
    assert scores.values[:2].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("level", [0.1, 1e6])
def test_concordance_with_a_constant_is_zero_not_rounding(level):
    # Within the tolerance of a constant, and perfectly in step with the other side.
    pattern = np.arange(12.0)[:, None]
    nearly = level + 2e-11 * max(1.0, level) * pattern
    varied = level + 1e-9 * max(1.0, level) * pattern
    assert concordance(nearly, varied).values.tolist() == [0.0]
    assert concordance(varied, nearly).values.tolist() == [0.0]
    assert concordance(nearly, nearly).reasons.tolist() == ["gt_constant"]
    assert concordance(varied, varied).values[0] == pytest.approx(1.0)
