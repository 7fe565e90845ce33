"""What the conftest.py of a project adds: metrics, checks and their like, and hooks of its own."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from pytest_stbench.errors import StbenchError
from pytest_stbench.run.installed import builtin_registry, with_project

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pytest_stbench.results.schema import Results

MACHINERY = frozenset({"pluggy", "_pytest", "pytest", "pytest_stbench"})


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


def call_hook(hook: Any, **given: Any) -> list[Any]:
    """Return what the implementations of a hook return, without None.

    Raises ``StbenchError`` that says where one of them raised what.
    """
    try:
        found: list[Any] = hook(**given)
    except Exception as error:  # noqa: BLE001 - whatever code of the project raises
        frames = traceback.walk_tb(error.__traceback__)
        places = [
            f"{frame.f_code.co_filename}:{line}"
            for frame, line in frames
            if frame.f_globals.get("__name__", "").partition(".")[0] not in MACHINERY
        ]
        where = f"{places[-1]}: " if places else ""
        raise StbenchError(f"{where}{hook.name} raised {type(error).__name__}: {error}") from None
    return found


def updated(config: pytest.Config, results: Results) -> Results:
    """Return the results as the hook ``pytest_stbench_update_results`` has them.

    Raises ``StbenchError`` where it raises, returns something else, or several return results.
    """
    found = call_hook(config.hook.pytest_stbench_update_results, config=config, results=results)
    for one in found:
        if not isinstance(one, type(results)):
            raise StbenchError(
                f"pytest_stbench_update_results returned {type(one).__name__}: return "
                "pytest_stbench.results.Results, such as dataclasses.replace(results, ...), or nothing"
            )
    if len(found) > 1:
        raise StbenchError(
            f"{len(found)} hooks pytest_stbench_update_results return results: let one of them do all of it"
        )
    return found[0] if found else results
