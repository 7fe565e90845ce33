"""A thousand gates of twelve patients: the closed form beside resampling.

The peers resample as a studentised bootstrap with 10,000 draws does, and as scipy's BCa bootstrap does, one
gate after the other; they decide fewer gates (``extra_info``): multiply their time.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pytest_stbench.gate import apply_rule, beats
from pytest_stbench.kernels.guarded import spread

GATES, PATIENTS, DRAWS = 1_000, 12, 10_000


@pytest.fixture(scope="module")
def differences():
    return np.random.default_rng(0).normal(0.03, 0.05, (GATES, PATIENTS))


def at_once(d):
    low, _ = spread(d).bounds()
    return low > 0, spread(d).p()


def records(d):
    """Whole records with messages, as a run makes them."""
    names = [f"P{number}" for number in range(PATIENTS)]
    rule, zero = beats("S"), dict.fromkeys(names, 0.0)
    return [
        apply_rule(rule, dict(zip(names, row, strict=True)), zero, metric="m", better="up", bounds=(-1, 1))
        for row in d.tolist()
    ]


def studentised(d):
    """The bootstrap-t bound and the exact sign-flip p of each gate."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, PATIENTS, (PATIENTS, DRAWS))
    signs = 1.0 - 2.0 * (np.arange(2**PATIENTS)[:, None] >> np.arange(PATIENTS) & 1)
    passed = []
    for row in d:
        drawn = (row - row.mean())[places]
        t = drawn.mean(axis=0) / (drawn.std(axis=0, ddof=1) / np.sqrt(PATIENTS))
        low = row.mean() - np.quantile(t, 0.975) * row.std(ddof=1) / np.sqrt(PATIENTS)
        p = np.mean(np.abs(signs @ row) >= abs(row.sum()) - 1e-12)
        passed.append(low > 0 and p < 0.05)
    return passed


def bca(d):
    return [
        stats.bootstrap((row,), np.mean, n_resamples=DRAWS, rng=np.random.default_rng(0)).confidence_interval
        for row in d
    ]


@pytest.mark.parametrize(
    ("contestant", "gates"),
    [(at_once, GATES), (records, GATES), (studentised, 50), (bca, 20)],
    ids=lambda f: getattr(f, "__name__", f),
)
@pytest.mark.benchmark(group="gates of twelve patients")
def test_gates(benchmark, differences, contestant, gates):
    benchmark.extra_info["gates"] = gates
    found = benchmark.pedantic(contestant, args=(differences[:gates],), rounds=3, warmup_rounds=1)
    assert len(found[0] if contestant is at_once else found) == gates
