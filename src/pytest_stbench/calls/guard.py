"""Calls into a user's model: bounded in time, with exceptions that show the user's code alone."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
import warnings
from typing import TYPE_CHECKING, Self, TypeVar

from pytest_stbench.calls.process_end import Watchdog, end_forked_child
from pytest_stbench.calls.tracebacks import ModelExited, exit_call
from pytest_stbench.data.images.ahead import settle
from pytest_stbench.errors import StbenchWarning

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

T = TypeVar("T")
GRACE = 10.0
"""Seconds that a model has after its timeout."""
EARLY_SECONDS = 1e-3
"""A timer may ring this much before its time by another clock."""


class ModelTimeout(BaseException):
    """Raised inside a model that runs past its timeout.

    No ``Exception``, so that a model's ``except Exception`` does not swallow it.
    """


class TimeoutUnsupportedWarning(StbenchWarning):
    """No timeout can be enforced here; models run without."""


def timeout_unsupported() -> str | None:
    """Return why no timeout can be enforced in this thread of this system; None when one can."""
    if not hasattr(signal, "setitimer"):
        return "this system has no alarm signal"
    if threading.current_thread() is not threading.main_thread():
        return "models run outside the main thread"
    return None


def guarded_call(
    function: Callable[[], T],
    *,
    timeout: float | None,
    grace: float = GRACE,
    on_death: Callable[[], object] = lambda: None,
) -> T:
    """Return ``function()``, which runs a user's code.

    Parameters
    ----------
    function
        Takes no arguments.
    timeout
        Seconds after which ``ModelTimeout`` is raised inside the call; None for no limit. Only in
        the main thread of a POSIX system: elsewhere the call runs without limit, and a
        ``TimeoutUnsupportedWarning`` says so once.
    grace
        Seconds a model has from then on. If it still runs, or sits in native code that no
        exception reaches, `on_death` is called, the stacks of all threads are written to the real
        stderr, and the process exits with code 70.
    on_death
        Called, in another thread, right before the process is ended.

    Raises
    ------
    ModelTimeout
        Also when the model swallowed it and returned or raised something else.
    ModelExited
        When the model raised SystemExit.

    Notes
    -----
    A child that the call forked and that comes back from it is ended there, with code 70: it would
    go on as a second run.

    Another owner of the alarm (pytest-timeout, an outer guarded call) is served in time by its own
    handler, and gets back its handler and what is left of its timer.
    """
    process = os.getpid()
    try:
        if timeout is not None:
            reason = timeout_unsupported()
            if reason is None:
                return _timed(function, timeout, grace, on_death)
            _say_once(reason)
        return _exits_as_errors(function)
    finally:
        end_forked_child(process)
        settle()


def _exits_as_errors(function: Callable[[], T]) -> T:
    try:
        return function()
    except SystemExit as error:
        raise ModelExited(f"the model called {exit_call(error)}") from error


def _timed(function: Callable[[], T], timeout: float, grace: float, on_death: Callable[[], object]) -> T:
    message = f"the model ran past its timeout of {timeout:g} s"
    with Watchdog(timeout + grace, message, on_death), _Alarm(timeout, message) as alarm:
        try:
            alarm.start()
            result = _exits_as_errors(function)
        except Exception as error:
            if alarm.rang:
                raise ModelTimeout(message) from error
            raise
        finally:
            alarm.over = True
        if alarm.rang:
            raise ModelTimeout(message)
        return result


class _Alarm:
    """The alarm of one call, on top of whoever uses the signal already."""

    def __init__(self, seconds: float, message: str) -> None:
        self.rang = False
        self.over = False
        self._message = message
        self._seconds = seconds
        self._due = math.inf
        self._other_due = math.inf
        self._other_interval = 0.0
        self._other: Any = None

    def __enter__(self) -> Self:
        now = time.monotonic()
        remaining, self._other_interval = signal.setitimer(signal.ITIMER_REAL, 0)
        self._other_due = now + remaining if remaining > 0 else math.inf
        self._due = now + self._seconds
        self._other = signal.signal(signal.SIGALRM, self._ring)
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        # None stands for a handler that was not installed from Python and cannot be put back.
        signal.signal(signal.SIGALRM, signal.SIG_DFL if self._other is None else self._other)
        if math.isfinite(self._other_due):
            left = max(self._other_due - time.monotonic(), 1e-6)
            signal.setitimer(signal.ITIMER_REAL, left, self._other_interval)

    def start(self) -> None:
        """Let it ring from now on; called inside the block, so that the exit is sure to follow."""
        self._set_timer()

    def _set_timer(self) -> None:
        """Ring for whoever is due next; whoever cannot be called back waits for the end."""
        waiting = [] if self.rang else [self._due]
        if callable(self._other):
            waiting.append(self._other_due)
        next_due = min(waiting, default=math.inf)
        if math.isfinite(next_due):
            signal.setitimer(signal.ITIMER_REAL, max(next_due - time.monotonic(), 1e-6))

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self.over:
            return
        now = time.monotonic() + EARLY_SECONDS
        others_turn = callable(self._other) and now >= self._other_due
        ours = now >= self._due and not self.rang
        if others_turn:
            self._other_due = now + self._other_interval if self._other_interval > 0 else math.inf
        if ours:
            self.rang = True
        self._set_timer()
        if others_turn:
            self._other(number, frame)
        if ours:
            raise ModelTimeout(self._message)


_said: set[str] = set()


def _say_once(reason: str) -> None:
    if reason not in _said:
        _said.add(reason)
        message = f"`timeout` of the task files is not enforced: {reason}; models run without a limit"
        warnings.warn(message, TimeoutUnsupportedWarning, stacklevel=3)
