"""Gene-gene correlations and their similarity, beside numpy and skimage.

Full size with STBENCH_BENCH=full; all contestants run on one thread.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from pytest_stbench.kernels.correlations import column_correlations
from pytest_stbench.kernels.ssim import mean_ssim

FULL = os.environ.get("STBENCH_BENCH") == "full"
UNITS, GENES = (50_000, 2_000) if FULL else (2_000, 600)
SIDE = 5_000 if FULL else 500


def run(benchmark, function, *arguments):
    return benchmark.pedantic(function, arguments, rounds=2 if FULL else 5, warmup_rounds=1)


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.05 + rng.gamma(0.5, 2.0, GENES), (UNITS, GENES))
    return np.log1p(counts).astype(np.float32)


@pytest.fixture(scope="module")
def matrices():
    rng = np.random.default_rng(0)
    first = rng.uniform(-1, 1, (SIDE, SIDE))
    return first, 0.5 * first + 0.5 * rng.uniform(-1, 1, (SIDE, SIDE))


def ours(values):
    return column_correlations(values).values


def numpy_corrcoef(values):
    return np.corrcoef(values.T)


def sliding(first, second):
    return mean_ssim(first, second, data_range=2.0, offset=1.0)


def skimage(first, second):
    return structural_similarity(first + 1, second + 1, win_size=7, data_range=2.0)


@pytest.mark.parametrize("contestant", [ours, numpy_corrcoef], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="gene-gene correlations")
def test_correlations(benchmark, values, contestant):
    found = run(benchmark, contestant, values)
    few = np.corrcoef(values[:, :20].T)
    np.testing.assert_allclose(found[:20, :20], few, atol=1e-5)


@pytest.mark.parametrize("contestant", [sliding, skimage], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="structural similarity")
def test_similarity(benchmark, matrices, contestant):
    found = run(benchmark, contestant, *matrices)
    assert found == pytest.approx(skimage(*matrices), abs=1e-9)
