"""A task file as a pytest module: its checks and metrics are the test functions, with their fixtures.

The fixtures are thin and function-scoped, everything shared lies in the runner. What an item needs is
prepared in its fixture, so that an item held back by something else is an error of its set-up and only a
score that misses its gate is a failure. What the items do imports numpy and its kind: it is loaded when the
first item runs, not when task files are collected.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.model_choice import model_fixture
from pytest_stbench.collection.session import load_items
from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_stbench.collection.plan_items import ItemFunction, TaskItems


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
    from pytest_stbench.collection import model_checks

    return model_checks.check(request.node, stbench_model)


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


class TaskModule(pytest.Module):
    """Collects the items of one task file."""

    def _getobj(self) -> ModuleType:
        try:
            items = load_items(self.path, self.config)
            return build_module(items)
        except StbenchError as error:
            raise self.CollectError(str(error)) from None

    def funcnamefilter(self, name: str) -> bool:
        """Take what was generated, whatever ``python_functions`` says."""
        return name in self.obj.__stbench__.functions

    def classnamefilter(self, name: str) -> bool:
        """Take no class."""
        del name
        return False

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Yield the items in the order in which they share what is in memory."""
        items: TaskItems = self.obj.__stbench__
        return sorted(super().collect(), key=items.order)


def build_module(items: TaskItems) -> ModuleType:
    """Return a module object with one test function per check and metric, and the fixtures."""
    module = ModuleType(items.task.spec.name)
    module.__file__ = str(items.task.path)
    module.__doc__ = items.task.spec.title
    module.__stbench__ = items  # type: ignore[attr-defined]  # read back by the collector and the hooks
    module.pytestmark = _marks("stbench", items.task.spec.family, *items.task.spec.marks)  # type: ignore[attr-defined]  # pytest reads it
    for name, fixture in FIXTURES.items():
        setattr(module, name, fixture)
    module.stbench_model = model_fixture(items.choices)  # type: ignore[attr-defined]  # pytest finds fixtures by attribute
    for function in items.functions.values():
        setattr(module, function.name, _test_function(function))
    return module


def _marks(*names: str) -> list[pytest.MarkDecorator]:
    marks = []
    for name in names:
        try:
            marks.append(getattr(pytest.mark, name))
        except pytest.fail.Exception as error:
            raise StbenchError(
                f"marks: {error}: register {name!r} under `markers` in the pytest configuration, or remove it"
            ) from None
    return marks


def _test_function(function: ItemFunction) -> Any:
    """Return a test function that pytest locates in the line of the task file it stands for."""
    file, line = function.place
    code = _item.__code__.replace(co_filename=str(file), co_firstlineno=line, co_name=function.name)
    made = FunctionType(code, {}, function.name)
    made.__doc__ = function.summary
    parameter = Parameter(function.fixture, Parameter.POSITIONAL_OR_KEYWORD)
    made.__signature__ = Signature([parameter])  # type: ignore[attr-defined]  # read by inspect.signature
    made.pytestmark = _marks(*function.marks)  # type: ignore[attr-defined]  # pytest reads it
    return made


def _item(**prepared: Any) -> None:
    for call in prepared.values():
        call()
