"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers side by side share the cores: each computes on one thread. Read when numpy is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Machines that run tests side by side have no steady clock.
settings.register_profile("default", deadline=None)
settings.load_profile("default")

pytest_plugins = ["pytester"]


def pytest_collection_modifyitems(items):
    """A warning from a module of the package is a defect."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("error:::pytest_stbench"))
