"""Data-quality checks: plain functions on a data set, on the folds of a split, or on facts of a task.

Every check of the catalogue is importable from here by its name and loads its libraries only then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.checks.catalogue import running_order
from pytest_stbench.checks.result import CheckResult
from pytest_stbench.checks.run import run_check
from pytest_stbench.index import loaded, own
from pytest_stbench.registry import Check

if TYPE_CHECKING:
    CHECKS: tuple[Check, ...]

__all__ = ["CHECKS", "CheckResult", "run_check"]


def __getattr__(name: str) -> Any:
    # Ordered when asked for: an index too old to be ordered must not keep `stbench index` from running.
    if name == "CHECKS":
        return tuple(running_order(own(Check)))
    for record in own(Check):
        if record.name == name:
            return loaded(record)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "CHECKS", *(record.name for record in own(Check))])
