"""Stores that the real libraries have written: ``.ci/libraries`` makes them and names their folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def folder():
    """The folder that ``tests/libraries/write.py`` has filled."""
    named = os.environ.get("STBENCH_LIBRARIES")
    if not named:
        pytest.skip("STBENCH_LIBRARIES names no folder of stores; .ci/libraries makes one")
    return Path(named)


@pytest.fixture
def truth(folder):
    """What is true of a store, by its name."""

    def told(name):
        facts = json.loads((folder / f"{name}.json").read_text())
        return {key: np.array(value) if key in ("xy_um", "counts") else value for key, value in facts.items()}

    return told
