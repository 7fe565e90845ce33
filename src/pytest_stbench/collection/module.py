"""A task file as a pytest module: its checks and metrics are the test functions."""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.fixtures import FIXTURES
from pytest_stbench.collection.model_choice import model_fixture
from pytest_stbench.collection.session import load_items
from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.collection.plan_items import ItemFunction, TaskItems


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
    template = _TEMPLATES[function.fixture]
    file, line = function.place
    code = template.__code__.replace(co_filename=str(file), co_firstlineno=line, co_name=function.name)
    made = FunctionType(code, {}, function.name)
    made.__doc__ = function.summary
    made.pytestmark = _marks(*function.marks)  # type: ignore[attr-defined]  # pytest reads it
    return made


def _task_item(stbench_task_item: Any) -> None:
    stbench_task_item()


def _check_item(stbench_check_item: Any) -> None:
    stbench_check_item()


def _about_item(stbench_about_item: Any) -> None:
    stbench_about_item()


def _model_item(stbench_model_item: Any) -> None:
    stbench_model_item()


def _baselines_item(stbench_baselines_item: Any) -> None:
    stbench_baselines_item()


_TEMPLATES = {
    "stbench_task_item": _task_item,
    "stbench_check_item": _check_item,
    "stbench_about_item": _about_item,
    "stbench_model_item": _model_item,
    "stbench_baselines_item": _baselines_item,
}
