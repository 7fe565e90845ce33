from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.kernels import matched_pairs
from pytest_stbench.kernels.bivariate import Standardised
from pytest_stbench.kernels.matched_pairs import _draw, matched_thresholds
from pytest_stbench.kernels.streams import stream

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

    def remember(left, right, known, rng):
        seen.append((left.tolist(), right.tolist()))
        return np.zeros(0, int), np.zeros(0, int)

    monkeypatch.setattr(matched_pairs, "_draw", remember)
    order = np.random.default_rng(0).permutation(50)
    detection = np.linspace(0.1, 1.0, 50)[order]
    lowest, fourth = np.argsort(detection)[:5], np.argsort(detection)[15:20]
    matched_thresholds(genes_of(g=50), detection, lowest[:1], fourth[:1])
    assert seen == [(sorted(lowest), sorted(fourth))]
    # A gene at the edge of two deciles belongs to the upper one.
    seen.clear()
    matched_thresholds(genes_of(g=11), np.arange(11.0), np.array([0]), np.array([1]))
    matched_thresholds(genes_of(g=11), np.arange(11.0), np.array([8]), np.array([10]))
    assert seen == [([0], [1]), ([8], [9, 10])]


def test_draws_are_different_pairs_and_never_known_ones():
    left, right = np.arange(40), np.arange(20, 60)
    known = np.array([0 << 32 | 20, 7 << 32 | 30])
    rng = stream(0, "pairs")
    counts = np.zeros((60, 60))
    for _ in range(200):
        first, second = _draw(left, right, known, rng)
        assert len(first) == 500
        assert len(np.unique(first * 100 + second)) == 500
        counts[first, second] += 1
    assert counts[0, 20] == counts[7, 30] == 0
    assert not np.diag(counts).any()
    # 1,600 pairs, 22 of them refused: every other one is drawn 500 times in 1,578.
    allowed = counts[:40, 20:][(counts[:40, 20:] > 0)]
    assert len(allowed) == 1578
    assert allowed.mean() == pytest.approx(200 * 500 / 1578)
    assert allowed.std() == pytest.approx(np.sqrt(200 * (500 / 1578) * (1 - 500 / 1578)), rel=0.1)


def test_thresholds_do_not_depend_on_other_orders_and_follow_the_seed():
    genes, detection = genes_of(g=300), np.random.default_rng(1).random(300)
    first, second = np.arange(20), np.arange(100, 120)
    found = matched_thresholds(genes, detection, first, second)
    assert np.isfinite(found).all()
    assert np.array_equal(matched_thresholds(genes, detection, first[::-1], second[::-1])[::-1], found)
    assert not np.array_equal(matched_thresholds(genes, detection, first, second, seed=1), found)
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
