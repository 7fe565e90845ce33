"""Interval of the mean correlation over patients, beside computing it anew in every resample.

Resamples of the peer are fewer (``extra_info``): multiply its time. Full size: STBENCH_BENCH=full.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from pytest_stbench.kernels.resampling import studentised_interval
from pytest_stbench.metrics import pearson_gene

FULL = os.environ.get("STBENCH_BENCH") == "full"
PATIENTS, UNITS, GENES = (10, 5_000, 2_000) if FULL else (6, 200, 50)
DRAWS = 1_000


@pytest.fixture(scope="module")
def slides():
    rng = np.random.default_rng(0)
    truth = np.log1p(rng.poisson(0.05 + rng.gamma(0.5, 2.0, GENES), (PATIENTS, UNITS, GENES)))
    truth = truth.astype(np.float32)
    noise = rng.standard_normal(truth.shape, dtype=np.float32)
    return truth, np.float32(0.3) * truth + noise


def patient_value(truth, prediction):
    return np.nanmean(pearson_gene(truth, prediction).values)


def values_once(truth, prediction, draws):
    values = [patient_value(*slide) for slide in zip(truth, prediction, strict=True)]
    found = studentised_interval(values, draws=draws)
    return found.low, found.high


def every_resample(truth, prediction, draws):
    rng = np.random.default_rng(0)
    means = []
    for _ in range(draws):
        drawn = rng.integers(0, PATIENTS, PATIENTS)
        means.append(np.mean([patient_value(truth[p], prediction[p]) for p in drawn]))
    return tuple(np.quantile(means, [0.025, 0.975]))


@pytest.mark.parametrize(
    ("contestant", "draws"),
    [(values_once, DRAWS), (every_resample, 20)],
    ids=lambda f: getattr(f, "__name__", f),
)
@pytest.mark.benchmark(group="interval over patients")
def test_bootstrap(benchmark, slides, contestant, draws):
    benchmark.extra_info["draws"] = draws
    low, high = benchmark.pedantic(contestant, args=(*slides, draws), rounds=2, warmup_rounds=1)
    mean = np.mean([patient_value(*slide) for slide in zip(*slides, strict=True)])
    assert low - 0.01 < mean < high + 0.01
