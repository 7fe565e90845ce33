"""The end of a process whose model cannot be stopped otherwise."""

from __future__ import annotations

import faulthandler
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_CODE = 70
_STDERR: list[int] = [2]


def keep_stderr() -> None:
    """Remember what stderr is now; call it before anything captures output.

    pytest redirects the file descriptor while tests run, and what is written there is lost when
    the process is ended.
    """
    with suppress(OSError):
        _STDERR[:] = [os.dup(2)]


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
                text = f"\npytest-stbench: {self._reason} and cannot be interrupted: exit code {EXIT_CODE}\n"
                os.write(_STDERR[0], text.encode())
                faulthandler.dump_traceback(file=_STDERR[0], all_threads=True)
            finally:
                os._exit(EXIT_CODE)
