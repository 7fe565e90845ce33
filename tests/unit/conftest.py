"""What unit tests of several packages share."""

from __future__ import annotations

from contextlib import contextmanager

import pytest


@contextmanager
def _interpreted():
    from numba.core.registry import CPUDispatcher

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CPUDispatcher, "__call__", lambda self, *args, **kwargs: self.py_func(*args, **kwargs))
        yield


@pytest.fixture(scope="session")
def interpreted():
    """Return a context in which what numba would compile runs as the Python that it is written in.

    For another package as the oracle of a small case: the values are the same, and compiling its
    functions takes ten seconds and more.
    """
    return _interpreted
