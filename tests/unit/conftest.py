"""What unit tests of several packages share."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest


@contextmanager
def _interpreted():
    from numba.core.registry import CPUDispatcher

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CPUDispatcher, "__call__", lambda self, *args, **kwargs: self.py_func(*args, **kwargs))
        yield


def _nearest_step(value):
    steps = 10.0 ** (np.arange(-60, 161) / 20)
    return steps[np.abs(np.log(steps / value)).argmin()]


@pytest.fixture(scope="session")
def nearest_step():
    """Return the step to which the scale of counts is taken: the nearest of 20 a decade."""
    return _nearest_step


@pytest.fixture(scope="session")
def interpreted():
    """Return a context in which what numba would compile runs as the Python that it is written in.

    For another package as the oracle of a small case: the values are the same, and compiling its
    functions takes ten seconds and more.
    """
    return _interpreted
