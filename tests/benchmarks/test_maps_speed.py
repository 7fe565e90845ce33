"""Scores of maps and hotspots, beside one call of a library for each gene."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity
from sklearn.metrics import average_precision_score

from pytest_stbench.metrics import hotspot_auprc, map_ssim

SIZES = {"px": (24, 40, 64)}


@pytest.fixture(scope="module")
def pair(px, sized):
    rng = np.random.default_rng(0)
    genes = sized(500)
    truth = np.log1p(rng.poisson(8.0 + rng.gamma(2.0, 4.0, genes), (px**2, genes)))
    return truth, 0.3 * truth + rng.normal(size=truth.shape)


def side(values):
    return round(len(values) ** 0.5)


def maps_ours(truth, prediction):
    return map_ssim(truth, prediction, pixels=np.argwhere(np.ones((side(truth),) * 2, bool))).values


def maps_skimage(truth, prediction):
    """Whole windows alone: skimage knows no mask."""
    values = []
    for y, p in zip(truth.T, prediction.T, strict=True):
        low, high = np.percentile(y, (1, 99))
        arms = [np.clip((arm - low) / (high - low), 0, 1).reshape((side(truth),) * 2) for arm in (y, p)]
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        values.append(structural_similarity(*arms, data_range=1.0, **settings))
    return np.array(values)


def hotspots_ours(truth, prediction):
    return hotspot_auprc(truth, prediction).values


def hotspots_sklearn(truth, prediction):
    return np.array(
        [
            average_precision_score(y > np.percentile(y, 90), p)
            for y, p in zip(truth.T, prediction.T, strict=True)
        ]
    )


@pytest.mark.parametrize("contestant", [maps_ours, maps_skimage], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="structural similarity of maps, 500 genes")
def test_maps(benchmark, pair, contestant):
    found = benchmark.pedantic(contestant, args=pair, rounds=3, warmup_rounds=1)
    expected = maps_ours(*(arm[:, :5] for arm in pair))
    # Windows at the border count in ours alone.
    assert found[:5] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("contestant", [hotspots_ours, hotspots_sklearn], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="average precision of hotspots, 500 genes")
def test_hotspots(benchmark, pair, contestant):
    found = benchmark.pedantic(contestant, args=pair, rounds=3, warmup_rounds=1)
    assert found[:5] == pytest.approx(hotspots_sklearn(*(arm[:, :5] for arm in pair)), abs=1e-9)
