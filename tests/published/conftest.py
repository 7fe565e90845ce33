"""Published methods on the packages themselves: `.ci/published` makes environments that have them.

Without its package a test is skipped. Slides are those of the tests of adapters: two kinds of units.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[1] / "unit/adapters/conftest.py"
KINDS = np.arange(60) % 2


def _slides():
    spec = importlib.util.spec_from_file_location("slides_of_adapters", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.OBSERVED = tuple(f"Obs{i}" for i in range(30))
    module.GENES = (*module.OBSERVED, *module.HIDDEN, "ELSE1")
    return module


@pytest.fixture
def given():
    """Training slides, a test slide as it is asked for, and its task."""
    slides = _slides()
    make = slides.Make(np.random.default_rng(0))
    train = [make.slide(f"s{i}", f"p{i}", 60, genes=slides.GENES, observed=slides.OBSERVED) for i in range(3)]
    task = make.task(observed_genes=slides.OBSERVED, classes=("even", "odd"))
    return train[:2], make.asked(train[2]), task
