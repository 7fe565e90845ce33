"""Draws of the streams beside those of ``numpy.random.Generator``."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.kernels.streams import stream

N = 1_000_000
COUNTS = np.random.default_rng(0).poisson(3.0, N)
FEW, MANY = np.full(N, 0.3), np.full(N, 30.0)
DRAWS = {
    "uniform": (lambda rng: rng.uniform(N), lambda rng: rng.random(N)),
    "normal": (lambda rng: rng.normal(N), lambda rng: rng.standard_normal(N)),
    "integers": (lambda rng: rng.integers(1000, N), lambda rng: rng.integers(0, 1000, N)),
    "levels": (lambda rng: rng.levels(3, N), lambda rng: rng.integers(0, 3, N, dtype=np.uint8)),
    "permutation": (lambda rng: rng.permutation(N), lambda rng: rng.permutation(N)),
    "permutations": (
        lambda rng: rng.permutations(1000, N // 1000),
        lambda rng: rng.permuted(np.broadcast_to(np.arange(N // 1000), (1000, N // 1000)), axis=1),
    ),
    "sample": (lambda rng: rng.sample(N, N // 100), lambda rng: rng.choice(N, N // 100, replace=False)),
    "halves": (lambda rng: rng.halves(COUNTS), lambda rng: rng.binomial(COUNTS, 0.5)),
    "poisson 0.3": (lambda rng: rng.poisson(FEW), lambda rng: rng.poisson(FEW)),
    "poisson 30": (lambda rng: rng.poisson(MANY), lambda rng: rng.poisson(MANY)),
    "negative binomial": (
        lambda rng: rng.negative_binomial(MANY / 6, 10.0),
        lambda rng: rng.poisson(MANY / 6 * rng.standard_gamma(10.0, N) / 10.0),
    ),
}


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("who", ["stream", "numpy"])
def test_draw(benchmark, draw, who):
    benchmark.group = draw
    ours, numpys = DRAWS[draw]
    rng = stream(0, draw) if who == "stream" else np.random.Generator(np.random.Philox(key=0))
    benchmark.pedantic(ours if who == "stream" else numpys, args=(rng,), rounds=5, warmup_rounds=1)
