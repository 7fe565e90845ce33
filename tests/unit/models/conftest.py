"""What tests of models share."""

from __future__ import annotations

import functools
import inspect

import pytest


@pytest.fixture(autouse=True, scope="session")
def _texts_of_classes_are_read_once():
    """Keep the text of each class: `inspect` parses the whole file of a class whenever it is asked for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspect, "getsource", functools.cache(inspect.getsource))
        yield
