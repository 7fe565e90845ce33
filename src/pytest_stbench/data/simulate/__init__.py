"""The simulated cohort: the embedded default data, generated from a seed, with known truth.

Importing this package imports no numpy; :mod:`~pytest_stbench.data.simulate.table` serves
collection with the standard library alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_stbench.data.simulate.source import open_source
    from pytest_stbench.data.simulate.table import simulated_samples
    from pytest_stbench.data.simulate.truth import latent, truth

__all__ = ["latent", "open_source", "simulated_samples", "truth"]

_HOME = {"latent": "truth", "open_source": "source", "simulated_samples": "table", "truth": "truth"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
