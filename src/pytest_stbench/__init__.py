"""Benchmarks of spatial-transcriptomics models as pytest suites."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_API = {"RunResults": "run_results", "check": "checking", "evaluate": "evaluating", "load": "run_results"}
"""Names for notebooks and the modules of :mod:`pytest_stbench.api` that hold them."""
__all__ = ["RunResults", "__version__", "check", "evaluate", "load"]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first asked for: importing the package stays light."""
    if name not in _API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.api.{_API[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})
