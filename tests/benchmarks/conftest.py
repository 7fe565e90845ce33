"""Sizes of what is benchmarked."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def sized(pytestconfig):
    """Return a function of a size: itself where it is timed, a tenth where it only has to run and agree."""
    timed = not pytestconfig.getoption("benchmark_disable")
    return lambda size: size if timed else max(1, size // 10)
