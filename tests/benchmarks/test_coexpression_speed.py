"""Gene-gene correlations and their similarity, beside numpy and skimage."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from pytest_stbench.kernels.correlations import column_correlations
from pytest_stbench.kernels.ssim import mean_ssim

SIZES = {"units": (2_000, 10_000, 50_000), "px": (200, 1_000, 5_000)}


def run(benchmark, function, *arguments):
    return benchmark.pedantic(function, arguments, rounds=2, warmup_rounds=1)


@pytest.fixture(scope="module")
def values(units, sized):
    rng = np.random.default_rng(0)
    genes = max(600, sized(2_000))  # above the 500 up to which all is multiplied in float64
    return np.log1p(rng.poisson(0.05 + rng.gamma(0.5, 2.0, genes), (units, genes)))


@pytest.fixture(scope="module")
def matrices(px):
    rng = np.random.default_rng(0)
    first = rng.uniform(-1, 1, (px, px))
    return first, 0.5 * first + 0.5 * rng.uniform(-1, 1, (px, px))


def ours(values):
    return column_correlations(values).values


def numpy_corrcoef(values):
    """In float64, whatever is given."""
    return np.corrcoef(values.T)


def numpy_corrcoef_single(values):
    return np.corrcoef(values.T, dtype=np.float32)


def sliding(first, second):
    return mean_ssim(first, second, data_range=2.0, offset=1.0)


def skimage(first, second):
    return structural_similarity(first + 1, second + 1, win_size=7, data_range=2.0)


@pytest.mark.parametrize("contestant", [ours, numpy_corrcoef], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="gene-gene correlations, 2,000 genes, float64")
def test_correlations(benchmark, values, contestant):
    found = run(benchmark, contestant, values)
    np.testing.assert_allclose(found[:20, :20], np.corrcoef(values[:, :20].T), atol=1e-12)


@pytest.mark.parametrize(
    "contestant", [ours, numpy_corrcoef, numpy_corrcoef_single], ids=lambda f: f.__name__
)
@pytest.mark.benchmark(group="gene-gene correlations, 2,000 genes, float32")
def test_correlations_of_float32(benchmark, values, contestant):
    single = values.astype(np.float32)
    found = run(benchmark, contestant, single)
    np.testing.assert_allclose(found[:20, :20], np.corrcoef(single[:, :20].T), atol=3e-6)


@pytest.mark.parametrize("contestant", [sliding, skimage], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="structural similarity")
def test_similarity(benchmark, matrices, contestant):
    found = run(benchmark, contestant, *matrices)
    assert found == pytest.approx(skimage(*matrices), abs=1e-9)
