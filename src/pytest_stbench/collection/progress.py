"""Signs of life: what takes long says so on the terminal."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, TextIO

import pytest

from pytest_stbench.report.live import Line, plain_wanted
from pytest_stbench.run.settings import PROGRESS_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_PAUSE = 60.0
PROGRESS: pytest.StashKey[Progress] = pytest.StashKey()
OWN_REPORTER = "_pytest.terminal"
"""Where the reporter of pytest is from; one of another plugin may draw the screen itself."""


def progress_of(config: pytest.Config) -> Progress:
    """Return the one of this process, made when it is first asked for."""
    if PROGRESS not in config.stash:
        config.stash[PROGRESS] = Progress(config)
    return config.stash[PROGRESS]


class Progress:
    """Tells what is being computed, and for how long, while it takes its time.

    Writes only where standard error is a terminal, to a copy of it made while pytest's capture is
    lifted: what the model prints stays captured. Where pytest's own lines stand on the same terminal and
    nobody else writes there, it is one line below them that is written over and goes; elsewhere a line
    from time to time.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._terminal: TextIO | None = None
        self._labels: list[str] = []
        self._line: Line | None = None
        self._live = False
        capture = config.pluginmanager.getplugin("capturemanager")
        lifted = capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext()
        with lifted, contextlib.suppress(OSError):
            if os.isatty(2):
                self._terminal = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
                self._live = os.isatty(1) and capture is not None and _is_alone(config)

    @contextlib.contextmanager
    def __call__(self, label: str) -> Iterator[Callable[[str], None]]:
        """Tell about `label`; yields a function that is told which part of it begins."""
        if self._live:
            with self.item(label):
                yield lambda part: self._tell(f"{label}: {part}")
            return
        if self._terminal is None:
            yield lambda _: None
            return
        done = threading.Event()
        thread = threading.Thread(target=self._repeat, args=(label, done), daemon=True)
        thread.start()
        try:
            yield lambda _: None
        finally:
            done.set()
            thread.join()

    @contextlib.contextmanager
    def item(self, label: str) -> Iterator[None]:
        """Tell about `label` on a line that goes; nothing where there is none."""
        if not self._live:
            yield
            return
        self._labels.append(label)
        if self._line is None:
            assert self._terminal is not None  # there is a line on a terminal alone
            self._line = Line(self._terminal, label, before="\n", after=self._back)
        else:
            self._tell(label)
        try:
            yield
        finally:
            self._labels.pop()
            if self._labels:
                self._tell(self._labels[-1])
            else:
                self.end()

    def end(self) -> None:
        """Take the line away: what follows is not for it, such as a debugger."""
        if self._line is not None:
            self._line.end()
            self._line = None

    def _tell(self, text: str) -> None:
        if self._line is not None:
            self._line.tell(text)

    def _back(self) -> str:
        """Return what brings the cursor back to where pytest left it, on the line above."""
        column = self._config.get_terminal_writer().width_of_current_line
        return f"\x1b[1A\x1b[{column}C" if column else "\x1b[1A"

    def _repeat(self, label: str, done: threading.Event) -> None:
        assert self._terminal is not None  # the caller looked
        start = time.monotonic()
        pause = PROGRESS_AFTER
        while not done.wait(pause):
            pause = min(2 * pause, MAX_PAUSE)
            self._terminal.write(f"\n  stbench: {label}, {time.monotonic() - start:.0f} s ")
            self._terminal.flush()


def _is_alone(config: pytest.Config) -> bool:
    """Return whether pytest's own reporter, and nobody else, writes to the terminal while an item runs."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    option = config.getoption
    logs = bool(config.getini("log_cli")) or option("log_cli_level", None) is not None
    return not (
        reporter is None
        or type(reporter).__module__ != OWN_REPORTER
        or plain_wanted()
        or option("verbose") < 0
        or option("capture") == "no"
        or option("usepdb")
        or option("trace")
        or option("setupshow")
        or logs
        or hasattr(config, "workerinput")
    )


class Showing:
    """The hooks that tell which item of a task file runs."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> object:
        """Tell what an item prepares."""
        __tracebackhide__ = True  # what a fixture raises is its own
        with self._of(item):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> object:
        """Tell what an item does."""
        __tracebackhide__ = True
        with self._of(item):
            return (yield)

    def pytest_enter_pdb(self, config: pytest.Config) -> None:
        """Leave the terminal to the debugger."""
        progress_of(config).end()

    def _of(self, item: pytest.Item) -> contextlib.AbstractContextManager[None]:
        if item.get_closest_marker("stbench") is None:
            return contextlib.nullcontext()
        return progress_of(item.config).item(item.name)
