from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from pytest_stbench.metrics.proportions import proportion_jsd, proportion_kl

pytestmark = pytest.mark.filterwarnings("error")

A, B = np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.25, 0.5]])


def test_golden_divergences():
    found = proportion_jsd(A, B)
    assert found.values == pytest.approx([0.311278], abs=1e-6)
    assert found.extras["distance"] == pytest.approx([0.557923], abs=1e-6)
    assert proportion_kl(A, B).values == pytest.approx([1.0], abs=1e-4)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 8), k=st.integers(2, 6))
def test_divergences_are_those_of_scipy(seed, n, k):
    rng = np.random.default_rng(seed)
    truth, guess = rng.dirichlet(np.full(k, 0.3), (2, n))
    truth[rng.random((n, k)) < 0.2] = 0
    truth[:, 0] += 0.1
    units = [f"u{i}" for i in range(n)]
    jsd, kl = proportion_jsd(truth, guess, units=units), proportion_kl(truth, guess, units=units)
    assert jsd.labels.tolist() == kl.labels.tolist() == units
    share = truth / truth.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(jsd.values, jensenshannon(share, guess, base=2, axis=1) ** 2, atol=1e-9)
    np.testing.assert_allclose(kl.values, entropy(share + 1e-6, guess + 1e-6, base=2, axis=1), atol=1e-9)
    types = rng.permutation(k)
    np.testing.assert_allclose(proportion_kl(truth[:, types], guess[:, types]).values, kl.values, atol=1e-12)
    # Numbers of cells are as good as proportions.
    np.testing.assert_allclose(proportion_kl(7 * truth, 3 * guess).values, kl.values, atol=1e-9)
    np.testing.assert_allclose(proportion_jsd(7 * truth, 3 * guess).values, jsd.values, atol=1e-9)
    assert not proportion_kl(truth, truth).values.any()
    assert ((jsd.values >= 0) & (jsd.values <= 1)).all()
    assert ((kl.values >= 0) & (kl.values < 20)).all()


def test_degenerate_units():
    truth = np.array([[0.0, 0, 0], [1, 0, 0], [np.nan, np.nan, 1], [np.nan, 0.5, 0.5], [1, 0, 0]])
    guess = np.array([[1.0, 0, 0], [0, 0, 0], [1, 0, 0], [0.2, 0.4, 0.4], [0, 0, 1]])
    jsd, kl = proportion_jsd(truth, guess), proportion_kl(truth, guess)
    assert jsd.reasons.tolist() == ["empty_truth", "empty_pred", "gt_nan", "", ""]
    assert kl.reasons.tolist() == ["empty_truth", "", "gt_nan", "", ""]
    assert jsd.values[3:] == pytest.approx([0.0, 1.0])
    # Nothing predicted is the same share of everything.
    assert kl.values[1] == pytest.approx(np.log2(3), abs=1e-4)
    assert kl.values[3] == pytest.approx(0.0)
    assert kl.values[4] == pytest.approx(np.log2(1e6), abs=1e-3)


def test_negative_values_count_as_none():
    for metric in (proportion_jsd, proportion_kl):
        below = metric([[0.5, 0.5, -0.2]], [[0.3, -0.4, 0.7]])
        assert below.values == metric([[0.5, 0.5, 0.0]], [[0.3, 0.0, 0.7]]).values


def test_no_units_and_no_types():
    for metric, reason in ((proportion_jsd, "too_few_units"), (proportion_kl, "too_few_genes")):
        assert len(metric(np.zeros((0, 3)), np.zeros((0, 3))).values) == 0
        assert metric(np.zeros((2, 0)), np.zeros((2, 0))).reasons.tolist() == [reason] * 2


@pytest.mark.parametrize("metric", [proportion_jsd, proportion_kl])
def test_bad_input_is_refused(metric):
    with pytest.raises(ValueError, match=r"truth has shape \(1, 3\) and prediction \(1, 2\)"):
        metric(A, B[:, :2])
    with pytest.raises(ValueError, match="not finite"):
        metric(A, [[np.nan, 0.5, 0.5]])


@pytest.mark.parametrize("metric", [proportion_jsd, proportion_kl])
def test_one_type_leaves_nothing_to_disagree_on(metric):
    found = metric(np.ones((3, 1)), np.full((3, 1), 0.5))
    assert found.values.tolist() == [0.0, 0.0, 0.0]
