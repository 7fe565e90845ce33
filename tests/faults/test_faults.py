"""A part of the fault matrix; `python -m tests.faults` runs the whole."""

from __future__ import annotations

import os
import zlib

import numpy as np
import pytest

from .place import Place, warmed
from .rows import FILES, SESSIONS

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="trials are forked processes"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    warmed(tmp_path_factory.mktemp("warm"))
    return Place(tmp_path_factory.mktemp("faults") / "place")


@pytest.mark.parametrize("fault", [*SESSIONS, *FILES], ids=lambda fault: fault.name)
def test_no_wrong_outcome(fault, place):
    wrong = []
    for number in range(fault.few):
        # Other draws than those of the whole matrix.
        said = fault.trial(place, np.random.default_rng([zlib.crc32(fault.name.encode()), number]))
        wrong += [f"trial {number}: {said}"] if said else []
    place.clear()
    assert wrong == []
