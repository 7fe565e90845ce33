"""Hooks that a project's conftest.py may define."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def pytest_stbench_records() -> Iterable[Any]:  # type: ignore[empty-body]
    """Return what :mod:`pytest_stbench.extend` decorates: metrics, checks, baselines, splits and readers.

    Asked once, when pytest starts, of the conftest.py files that it reads before it collects; task files can
    then name what is returned, in every worker as well.
    """
