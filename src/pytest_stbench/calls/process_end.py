"""The end of a process: of one whose model cannot be stopped otherwise, or by the model itself."""

from __future__ import annotations

import faulthandler
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from pytest_stbench.store.signals import EXIT_NOTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EXIT_CODE = 70
_EXIT = os._exit
_STDERR: list[int] = [2]


def keep_stderr() -> None:
    """Remember what stderr is now; call it before anything captures output.

    pytest redirects the file descriptor while tests run, and what is written there is lost when
    the process is ended.
    """
    with suppress(OSError):
        _STDERR[:] = [os.dup(2)]


def end_forked_child(process: int) -> None:
    """End this process if it is a child that was forked in `process`: nothing of a run is its business."""
    if os.getpid() != process:
        _say("a child that a model forked came back from it and was ended")
        _EXIT(EXIT_CODE)


def leave() -> None:
    """End a process of ours whose work is done, before others do what they do at the end of a run."""
    _EXIT(0)


class HonestExits:
    """While it is on, ``os._exit(0)`` ends the process with code 70: a run that was cut off did not pass.

    Native code that ends the process by itself is not seen. Children are none of its business.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._exit: Any = os._exit
        self._ours: Any = None

    def start(self) -> None:
        """Take the place of ``os._exit``."""

        def _exit(status: int) -> Any:
            self._leave(status)

        self._ours = os._exit = _exit

    def stop(self) -> None:
        """Put back what was there."""
        if os._exit is self._ours:
            os._exit = self._exit

    def _leave(self, status: int) -> Any:
        if os.getpid() != self._process:
            self._exit(status)
        try:
            for note in reversed(EXIT_NOTES):
                note(f"os._exit({status})")
            if status & 0xFF == 0:
                _say(f"os._exit({status}) was called before the run had ended; exit code {EXIT_CODE}")
                faulthandler.dump_traceback(file=_STDERR[0], all_threads=False)
                status = EXIT_CODE
        finally:
            self._exit(status)


def _say(text: str) -> None:
    with suppress(OSError):
        os.write(_STDERR[0], f"\npytest-stbench: {text}\n".encode())


class Watchdog:
    """Ends the process when the block takes longer than `seconds`.

    `reason` is written to the real stderr, with the stacks of all threads, after `last_act`.
    """

    def __init__(self, seconds: float, reason: str, last_act: Callable[[], object]) -> None:
        self._seconds = seconds
        self._reason = reason
        self._last_act = last_act
        self._over = threading.Event()
        self._one_way = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="stbench-watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._one_way:
            self._over.set()

    def _watch(self) -> None:
        if self._over.wait(self._seconds):
            return
        with self._one_way:
            if not self._over.is_set():
                self._end()

    def _end(self) -> None:
        try:
            self._last_act()
        finally:
            try:
                _say(f"{self._reason} and cannot be interrupted: exit code {EXIT_CODE}")
                faulthandler.dump_traceback(file=_STDERR[0], all_threads=True)
            finally:
                _EXIT(EXIT_CODE)
