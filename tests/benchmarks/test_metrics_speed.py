"""Each kernel beside what one would write without it, in one benchmark group.

Not part of a plain run: ``pytest tests/benchmarks --benchmark-only``. Nothing is asserted about time:
compare the rows of a group.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance
from sklearn.metrics.pairwise import paired_cosine_distances

from pytest_stbench.kernels.moments import pair_moments
from pytest_stbench.metrics import (
    cosine_spot,
    jsd_map,
    partial_pearson_gene,
    pearson_gene,
    pearson_spot,
    r2,
    rmse,
    spearman_gene,
)

SIZES = {"units": (2_000, 10_000, 50_000)}


@pytest.fixture(scope="module")
def pair(units, sized):
    """Sparse, skewed float32 truth, as expression is, and a prediction that follows it."""
    rng = np.random.default_rng(0)
    genes = sized(500)
    truth = np.log1p(rng.poisson(0.05 + rng.gamma(0.5, 2.0, genes), (units, genes))).astype(np.float32)
    noise = rng.standard_normal(truth.shape, dtype=np.float32)
    return truth, np.float32(0.3) * truth + noise


def run(benchmark, function, *arguments, **keywords):
    """Time `function` after one call that loads and compiles."""
    return benchmark.pedantic(function, arguments, keywords, rounds=2, warmup_rounds=1)


def one_pass(truth, prediction):
    """Squared error, R2 and Pearson correlation of each gene from one pass."""
    m = pair_moments(truth, prediction)
    return m.sum_sq_error / m.n, 1 - m.sum_sq_error / m.ss_t, m.ss_tp / np.sqrt(m.ss_t * m.ss_p)


def gene_loop(truth, prediction):
    """The same, one gene after the other."""
    errors, explained, correlations = [], [], []
    for j in range(truth.shape[1]):
        y, p = truth[:, j], prediction[:, j]
        errors.append(np.sum((y - p) ** 2) / len(y))
        explained.append(1 - np.sum((y - p) ** 2) / np.sum((y - np.mean(y)) ** 2))
        correlations.append(stats.pearsonr(y, p)[0])
    return np.array(errors), np.array(explained), np.array(correlations)


def three_metrics(truth, prediction):
    """The same through the public metrics, with all their tests of the input."""
    scores = rmse(truth, prediction), r2(truth, prediction), pearson_gene(truth, prediction)
    return scores[0].values ** 2, scores[1].values, scores[2].values


@pytest.mark.parametrize("contestant", [one_pass, three_metrics, gene_loop], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="squared error, R2 and Pearson, 500 genes")
def test_error_r2_pearson(benchmark, pair, contestant):
    found = run(benchmark, contestant, *pair)
    for value, expected in zip(found, gene_loop(*(a[:, :5] for a in pair)), strict=True):
        np.testing.assert_allclose(value[:5], expected, rtol=1e-3, atol=1e-4)


def pearson_axis(truth, prediction):
    return stats.pearsonr(truth, prediction, axis=0).statistic


def pearson_kernel(truth, prediction):
    m = pair_moments(truth, prediction)
    return m.ss_tp / np.sqrt(m.ss_t * m.ss_p)


def pearson_metric(truth, prediction):
    return pearson_gene(truth, prediction).values


@pytest.mark.parametrize(
    "contestant", [pearson_kernel, pearson_metric, pearson_axis], ids=lambda f: f.__name__
)
@pytest.mark.benchmark(group="Pearson per gene, 500 genes")
def test_pearson(benchmark, pair, contestant):
    found = run(benchmark, contestant, *pair)
    expected = [
        stats.pearsonr(y.astype(float), p.astype(float))[0]
        for y, p in zip(*(a.T[:5] for a in pair), strict=True)
    ]
    np.testing.assert_allclose(found[:5], expected, atol=1e-3)  # scipy sums float32 in float32


def spearman_loop(truth, prediction):
    return np.array([stats.spearmanr(y, p).statistic for y, p in zip(truth.T, prediction.T, strict=True)])


def spearman_metric(truth, prediction):
    return spearman_gene(truth, prediction).values


@pytest.mark.parametrize("contestant", [spearman_metric, spearman_loop], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="Spearman per gene, 500 genes")
def test_spearman(benchmark, pair, contestant):
    found = run(benchmark, contestant, *pair)
    np.testing.assert_allclose(found[:5], spearman_loop(*(a[:, :5] for a in pair)), atol=1e-10)


def spearman_metric_float64(truth, prediction):
    return spearman_gene(truth.astype(np.float64), prediction.astype(np.float64) / 3).values


def spearman_loop_float64(truth, prediction):
    return spearman_loop(truth.astype(np.float64), prediction.astype(np.float64) / 3)


@pytest.mark.parametrize(
    "contestant", [spearman_metric_float64, spearman_loop_float64], ids=lambda f: f.__name__
)
@pytest.mark.benchmark(group="Spearman per gene, 500 genes, float64")
def test_spearman_float64(benchmark, pair, contestant):
    found = run(benchmark, contestant, *pair)
    np.testing.assert_allclose(found[:5], spearman_loop_float64(*(a[:, :5] for a in pair)), atol=1e-10)


def cosine_loop(truth, prediction):
    return np.array([1 - distance.cosine(y, p) for y, p in zip(truth, prediction, strict=True)])


def cosine_paired(truth, prediction):
    return 1 - paired_cosine_distances(truth, prediction)


def cosine_metric(truth, prediction):
    return cosine_spot(truth, prediction).values


@pytest.mark.parametrize("contestant", [cosine_metric, cosine_paired, cosine_loop], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="cosine per unit, 500 genes")
def test_cosine(benchmark, pair, contestant):
    found = run(benchmark, contestant, *pair)
    np.testing.assert_allclose(found[:5], cosine_loop(*(a[:5] for a in pair)), atol=1e-5)


def pearson_spot_metric(truth, prediction):
    return pearson_spot(truth, prediction).values


def pearson_spot_axis(truth, prediction):
    return stats.pearsonr(truth, prediction, axis=1).statistic


@pytest.mark.parametrize("contestant", [pearson_spot_metric, pearson_spot_axis], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="Pearson per unit, 500 genes")
def test_pearson_spot(benchmark, pair, contestant):
    found = run(benchmark, contestant, *pair)
    np.testing.assert_allclose(found[:5], pearson_spot_axis(*(a[:5] for a in pair)), atol=1e-4)


def partial_metric(truth, prediction):
    return partial_pearson_gene(truth, prediction, libsize=np.arange(1, len(truth) + 1)).values


def partial_numpy(truth, prediction):
    depth = np.log(np.arange(1, len(truth) + 1))
    y, p, d = (a - a.mean(axis=0) for a in (truth.astype(float), prediction.astype(float), depth))
    y, p, d = (a / np.linalg.norm(a, axis=0) for a in (y, p, d))
    r_yp, r_yd, r_pd = np.einsum("ij,ij->j", y, p), d @ y, d @ p
    return (r_yp - r_yd * r_pd) / np.sqrt((1 - r_yd**2) * (1 - r_pd**2))


@pytest.mark.parametrize("contestant", [partial_metric, partial_numpy], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="partial Pearson per gene, 500 genes")
def test_partial(benchmark, pair, contestant):
    found = run(benchmark, contestant, *pair)
    np.testing.assert_allclose(found[:5], partial_numpy(*(a[:, :5] for a in pair)), atol=1e-8)


def jsd_metric(truth, prediction):
    return jsd_map(truth, prediction).values


def jsd_axis(truth, prediction):
    return distance.jensenshannon(truth.clip(0), prediction.clip(0), base=2, axis=0) ** 2


@pytest.mark.parametrize("contestant", [jsd_metric, jsd_axis], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="Jensen-Shannon per gene, 500 genes")
def test_jsd(benchmark, pair, contestant):
    found = run(benchmark, contestant, *pair)
    np.testing.assert_allclose(found[:5], jsd_axis(*(a[:, :5] for a in pair)), atol=1e-4)
