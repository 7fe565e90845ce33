"""Data-quality checks: plain functions on a data set, on the folds of a split, or on facts of a task.

Every check of the catalogue is importable from here by its name and loads its libraries only then.
"""

from __future__ import annotations

from typing import Any

from pytest_stbench.checks.catalogue import CHECKS
from pytest_stbench.checks.result import CheckResult
from pytest_stbench.checks.run import run_check
from pytest_stbench.index import loaded

__all__ = ["CHECKS", "CheckResult", "run_check"]


def __getattr__(name: str) -> Any:
    for record in CHECKS:
        if record.name == name:
            return loaded(record)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *(record.name for record in CHECKS)])
