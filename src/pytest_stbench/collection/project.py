"""What the conftest.py of a project adds to metrics, checks, baselines, splits and readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_stbench.errors import StbenchError
from pytest_stbench.run.installed import builtin_registry, with_project

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def take_records(config: pytest.Config) -> None:
    """Ask the hook ``pytest_stbench_records``, and let this run know what it gives.

    Raises ``pytest.UsageError`` where something declares nothing, or bears the name of another.
    """
    given: list[Iterable[Any]] = config.hook.pytest_stbench_records()
    try:
        with_project(made for several in given for made in several)
        builtin_registry()
    except (StbenchError, TypeError) as error:
        with_project(())
        raise pytest.UsageError(f"pytest_stbench_records: {error}") from None
    config.add_cleanup(lambda: with_project(()))
