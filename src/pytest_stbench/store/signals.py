"""Ends of a process, by a signal or by ``os._exit``, noted before they come."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

NAMES = ("SIGTERM", "SIGHUP", "SIGXCPU")
_TAKEN: list[int] = []
"""Signals whose default this process has replaced: its children get the default back."""
_HELD: list[set[int | signal.Signals]] = []
"""Masks of signals of before a fork that is going on."""
EXIT_NOTES: list[Callable[[str], object]] = []
"""Told how the process ends, the latest first, by whoever stands in the place of ``os._exit``."""


@contextmanager
def noted_exit(note: Callable[[str], object]) -> Iterator[None]:
    """Call `note` with ``os._exit(3)`` when the block ends the process that way."""
    EXIT_NOTES.append(note)
    try:
        yield
    finally:
        EXIT_NOTES.pop()


@contextmanager
def noted_signals(note: Callable[[str], object]) -> Iterator[None]:
    """Call `note` with the name of a signal that ends the process during the block, and let it end it.

    Noted at once, in a thread, also while the main thread is in native code that lets others run. Only in
    the main thread, and only signals that nobody else handles.
    """
    wanted = {getattr(signal, name): name for name in NAMES if hasattr(signal, name)}
    mine = {number: name for number, name in wanted.items() if signal.getsignal(number) is signal.SIG_DFL}
    if not mine or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        note(mine[number])
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    watcher = threading.Thread(target=_watch, args=(reader, mine, note), name="stbench-signals", daemon=True)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if before != -1:
        signal.set_wakeup_fd(before)
    watcher.start()
    process = os.getpid()
    try:
        for number in mine:
            signal.signal(number, end)
        _TAKEN[:] = mine
        yield
    finally:
        if os.getpid() == process:
            _TAKEN.clear()
            for number in mine:
                if signal.getsignal(number) is end:
                    signal.signal(number, signal.SIG_DFL)
            if before == -1:
                signal.set_wakeup_fd(-1)
            os.close(writer)
            watcher.join()


def _watch(reader: int, mine: dict[int, str], note: Callable[[str], object]) -> None:
    while numbers := os.read(reader, 64):
        for number in numbers:
            if number in mine:
                note(mine[number])
    os.close(reader)


def _hold() -> None:
    """Before a fork: what is sent to the child waits until the child has its own handlers."""
    if _TAKEN:
        _HELD.append(signal.pthread_sigmask(signal.SIG_BLOCK, _TAKEN))


def _let_go() -> None:
    if _HELD:
        signal.pthread_sigmask(signal.SIG_SETMASK, _HELD.pop())


def _as_before() -> None:
    """In a forked child: what ends it is no business of its parent's marker."""
    if _TAKEN:
        with suppress(ValueError):
            signal.set_wakeup_fd(-1)
            for number in _TAKEN:
                signal.signal(number, signal.SIG_DFL)
        _TAKEN.clear()
    _let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_as_before)
