"""Random streams that depend on a seed and on names, never on the order of reading.

The bits of Philox are the same everywhere. What numpy makes of them (normal, gamma, Poisson) may
change between numpy feature releases, and ``exp`` and matrix products differ in the last digit
between processors. Two guards keep this from the data: rates are rounded to a fixed number of
decimals before counts are drawn, and :func:`stream_probe` puts numpy's distributions into the
fingerprint of the data, so that data of another numpy never passes for the same.
"""

from __future__ import annotations

import hashlib

import numpy as np

RATE_DECIMALS = 6
"""Decimals that parameters of a distribution keep: coarser than any rounding error."""


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the generator of `names` (who draws, and for which slide or patient)."""
    text = "\x1f".join((str(seed), *names))
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=key))


def stream_probe() -> str:
    """Return a digest of a few draws from every distribution that the simulation uses."""
    rng = stream(0, "probe")
    digest = hashlib.sha256()
    digest.update(np.round(rng.standard_normal(64), RATE_DECIMALS).tobytes())
    digest.update(np.round(rng.standard_gamma(10.0, 64), RATE_DECIMALS).tobytes())
    digest.update(rng.poisson(np.linspace(0.1, 60.0, 256)).astype(np.int64).tobytes())
    digest.update(np.round(rng.random(64), RATE_DECIMALS).tobytes())
    digest.update(rng.integers(0, 3, 64, dtype=np.uint8).tobytes())
    digest.update(rng.integers(0, 1000, 64).astype(np.int64).tobytes())
    digest.update(np.round(rng.gumbel(size=64), RATE_DECIMALS).tobytes())
    digest.update(rng.binomial(np.arange(1, 257), 0.3).astype(np.int64).tobytes())
    digest.update(rng.permutation(64).astype(np.int64).tobytes())
    digest.update(rng.choice(64, 64).astype(np.int64).tobytes())
    return digest.hexdigest()
