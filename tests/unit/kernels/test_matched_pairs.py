from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.kernels import bivariate
from pytest_stbench.kernels.bivariate import Standardised, matched_thresholds

pytestmark = pytest.mark.filterwarnings("error")


def genes_of(n=30, g=40, seed=0):
    rng = np.random.default_rng(seed)
    return Standardised(z=rng.normal(size=(n, g)), lag=rng.normal(size=(n, g)))


def test_with_few_candidates_the_threshold_is_that_of_all_matched_pairs():
    genes = genes_of()
    detection = np.linspace(0.1, 1.0, 40)  # deciles of four genes
    first, second = np.array([0, 4, 1]), np.array([5, 9, 2])
    thresholds = matched_thresholds(genes, detection, first, second)
    # 4 x 4 = 16 pairs less the one given: too few. Nothing can be said of any pair.
    assert np.isnan(thresholds).all()
    detection = np.repeat(np.linspace(0.1, 1.0, 10), 4)
    detection[:8] = 0.1  # ties share a decile: eight genes
    thresholds = matched_thresholds(genes, detection, first, second)
    known = {(0, 5), (4, 9), (1, 2), (5, 0), (9, 4), (2, 1)}
    inside = [(a, b) for a in range(8) for b in range(8) if a != b and (a, b) not in known]
    values = [genes.z[:, a] @ genes.lag[:, b] / 30 for a, b in inside]
    assert thresholds[[0, 2]] == pytest.approx([np.quantile(values, 0.95)] * 2)
    beside = [(a, b) for a in range(8) for b in range(8, 12) if (a, b) not in known]
    values = [genes.z[:, a] @ genes.lag[:, b] / 30 for a, b in beside]
    assert thresholds[1] == pytest.approx(np.quantile(values, 0.95))


def test_deciles_split_the_detection_rates_evenly(monkeypatch):
    seen = []

    def remember(self, left, right):
        seen.append((left.tolist(), right.tolist()))
        return np.zeros((len(left), len(right)))

    monkeypatch.setattr(Standardised, "crossed", remember)
    monkeypatch.setattr(bivariate, "MIN_PAIRS", 0)
    order = np.random.default_rng(0).permutation(50)
    detection = np.linspace(0.1, 1.0, 50)[order]
    lowest, fourth = np.argsort(detection)[:5], np.argsort(detection)[15:20]
    matched_thresholds(genes_of(g=50), detection, lowest[:1], fourth[:1])
    assert seen == [(sorted(lowest), sorted(fourth))]
    # A gene at the edge of two deciles belongs to the upper one.
    seen.clear()
    matched_thresholds(genes_of(g=11), np.arange(11.0), np.array([8]), np.array([10]))
    assert seen == [([8], [9, 10])]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_thresholds_are_those_of_every_other_pair(seed):
    rng = np.random.default_rng(seed)
    g = int(rng.integers(60, 120))
    genes, detection = genes_of(g=g, seed=seed), np.round(rng.random(g), 2)
    first, second = rng.integers(0, g, 30), rng.integers(0, g, 30)
    decile = np.searchsorted(np.quantile(detection, np.arange(1, 10) / 10), detection, side="right")
    given_pairs = {*zip(first, second, strict=True), *zip(second, first, strict=True)}
    for found, a, b in zip(matched_thresholds(genes, detection, first, second), first, second, strict=True):
        values = [
            genes.z[:, i] @ genes.lag[:, j] / 30
            for i in np.flatnonzero(decile == decile[a])
            for j in np.flatnonzero(decile == decile[b])
            if i != j and (i, j) not in given_pairs
        ]
        expected = np.quantile(values, 0.95) if len(values) >= 20 else np.nan
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_thresholds_do_not_depend_on_the_order_of_pairs_or_genes():
    genes, detection = genes_of(g=300), np.random.default_rng(1).random(300)
    first, second = np.arange(20), np.arange(100, 120)
    found = matched_thresholds(genes, detection, first, second)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(
        matched_thresholds(genes, detection, first[::-1], second[::-1])[::-1], found, atol=1e-12
    )
    order = np.random.default_rng(2).permutation(300)
    moved = Standardised(z=genes.z[:, order], lag=genes.lag[:, order])
    place = np.argsort(order)
    np.testing.assert_allclose(
        matched_thresholds(moved, detection[order], place[first], place[second]), found, atol=1e-12
    )
    # Independent genes: 5% of the pairs of one of the combinations lie above.
    assert found.mean() == pytest.approx(1.645 / np.sqrt(30), rel=0.1)


def test_no_pairs():
    assert matched_thresholds(genes_of(), np.ones(40), np.zeros(0, int), np.zeros(0, int)).shape == (0,)


@pytest.mark.parametrize(("n_right", "told"), [(6, False), (7, True)])
def test_twenty_matched_pairs_are_enough(n_right, told):
    sizes = [3, n_right, *[5] * 8]
    detection = np.repeat(np.linspace(0.1, 1.0, 10), sizes)
    genes = genes_of(g=len(detection))
    # 3 x 7 pairs, less the one given, are 20.
    thresholds = matched_thresholds(genes, detection, np.array([0]), np.array([3]))
    assert np.isfinite(thresholds).tolist() == [told]
