"""One task file run in this process, with models that are objects: what ``pytest FILE`` does, and says."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.keep_option import FOLDER
from pytest_stbench.errors import StbenchError
from pytest_stbench.run.settings import IN_PROCESS_PLUGIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PLAIN = ("-p", "stbench", "-p", "no:cacheprovider", "--capture=sys", "-q", "--no-header")
ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
"""What keeps other plugins, and options of other runs, out of this one."""


@dataclass(slots=True)
class Ran:
    """What a run said: the text of its terminal, and the message of every item that did not pass."""

    text: str = ""
    failures: dict[str, str] = field(default_factory=dict)


def run_task(
    path: Path, models: Mapping[str, Any], names: Sequence[str], options: Sequence[str], parts: Path
) -> Ran:
    """Run the items of a task file.

    Parameters
    ----------
    path
        The task file.
    models
        Models by the name that they have in results; a conftest.py is not read where there are some.
    names
        Further models, as ``--stbench-model`` takes them.
    options
        Further options of the command line.
    parts
        Folder in which what is kept is put down; it stays.

    Raises
    ------
    StbenchError
        When nothing could be run: a task file that cannot be used, wrong options.
    KeyboardInterrupt
        When it was interrupted.
    """
    listener = _Listener(parts)
    ini = parts.parent / "pytest.ini"
    ini.write_text("[pytest]\n", encoding="utf-8")
    choices = [*(f"fixture:{name}" for name in models), *names]
    arguments = [
        "-c", ini, "--rootdir", path.parent, *PLAIN, *(["--noconftest"] if models else []), path,
        *(f"--stbench-model={choice}" for choice in choices), *options,
    ]  # fmt: skip
    said = io.StringIO()
    with _alone(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main([str(one) for one in arguments], plugins=[listener, _fixtures(models)])
    if code == pytest.ExitCode.INTERRUPTED and not listener.errors:
        raise KeyboardInterrupt
    if code not in ENDED:
        lines = [line for line in said.getvalue().splitlines() if line.strip()]
        raise StbenchError("\n".join(listener.errors or lines[-5:]))
    return Ran(text=said.getvalue(), failures=listener.failures)


class _Listener:
    """A plugin that gives the run its folder, and notes what did not go well."""

    def __init__(self, parts: Path) -> None:
        self.__name__ = IN_PROCESS_PLUGIN
        self._parts = parts
        self.errors: list[str] = []
        self.failures: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Say where what is kept is put down."""
        config.stash[FOLDER] = self._parts

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note why a task file cannot be used."""
        if report.failed:
            self.errors.append(str(report.longreprtext))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note why an item did not pass."""
        if report.failed:
            self.failures[report.nodeid.partition("::")[2]] = str(report.longreprtext)


def _fixtures(models: Mapping[str, Any]) -> ModuleType:
    module = ModuleType("pytest_stbench_given_models")
    for name, model in models.items():
        setattr(module, f"given_{name}", _fixture(name, model))
    return module


def _fixture(name: str, model: Any) -> Any:
    @pytest.fixture(name=name)
    def given() -> Any:
        return model

    return given


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ALONE}
    os.environ.update(ALONE)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
