"""What all tests share."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


def pytest_collection_modifyitems(items):
    """A warning from a module of the package is a defect."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("error:::pytest_stbench"))
