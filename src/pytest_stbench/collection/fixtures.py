"""The fixtures of a task module: thin, function-scoped, everything shared lies in the runner.

What an item needs is prepared in its fixture, so that an item held back by something else is an
error of its set-up and only a score that misses its gate is a failure. What the items do imports
numpy and its kind: it is loaded when the first item runs, not when task files are collected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def stbench_task_item(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Prepare a check of the task file itself."""
    from pytest_stbench.collection import perform

    return perform.check(request.node)


@pytest.fixture
def stbench_check_item(request: pytest.FixtureRequest, stbench_cell: Any) -> Callable[[], None]:
    """Prepare a check of a data set or split."""
    from pytest_stbench.collection import perform

    return perform.check(request.node, stbench_cell)


@pytest.fixture
def stbench_about_item(request: pytest.FixtureRequest, stbench_model: Any) -> Callable[[], None]:
    """Prepare a check of one model or of its results."""
    from pytest_stbench.collection import about

    return about.check(request.node, stbench_model)


@pytest.fixture
def stbench_baselines_item(request: pytest.FixtureRequest, stbench_cell: Any) -> Callable[[], None]:
    """Prepare the run of all baselines of one cell."""
    from pytest_stbench.collection import perform

    return perform.baselines(request.node, stbench_cell)


@pytest.fixture
def stbench_model_item(
    request: pytest.FixtureRequest, stbench_cell: Any, stbench_model: Any
) -> Callable[[], None]:
    """Prepare the contract or a score of one model."""
    from pytest_stbench.collection import perform

    return perform.model_item(request.node, stbench_cell, stbench_model)


FIXTURES = {
    "stbench_task_item": stbench_task_item,
    "stbench_check_item": stbench_check_item,
    "stbench_about_item": stbench_about_item,
    "stbench_baselines_item": stbench_baselines_item,
    "stbench_model_item": stbench_model_item,
}
