"""The next batch while a model works on this one; no thread of ours is left behind.

A thread lives while it makes one batch. It is waited for when its generator ends or is closed, at the end
of every call of a model, and before the process forks.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")

THREAD = "stbench-batch"
_AT_WORK: weakref.WeakSet[_Ahead[object]] = weakref.WeakSet()
_LOCK = threading.Lock()


class _Ahead(Generic[R]):
    """A value that is being made."""

    def __init__(self, make: Callable[[], R]) -> None:
        self._make = make
        self._value: R | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
        self._thread.start()
        with _LOCK:
            _AT_WORK.add(self)  # type: ignore[arg-type]  # of whatever it makes

    def _run(self) -> None:
        try:
            self._value = self._make()
        except BaseException as error:  # noqa: BLE001  # raised where the value is asked for
            self._error = error

    def wait(self) -> None:
        """Return when the thread has ended."""
        self._thread.join()
        with _LOCK:
            _AT_WORK.discard(self)  # type: ignore[arg-type]  # as above

    def take(self) -> R:
        """Return the value, which is forgotten here, or raise what making it raised."""
        self.wait()
        error, value = self._error, self._value
        self._error = self._value = None
        if error is not None:
            raise error
        return value  # type: ignore[return-value]  # None where that was made


def each_ahead(make: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R]]:
    """Yield items and what is made of them; the next is made while the caller works."""
    ahead: _Ahead[R] | None = None
    try:
        for place, item in enumerate(items):
            value = [make(item) if ahead is None else ahead.take()]
            ahead = None
            if place + 1 < len(items):
                following = items[place + 1]
                ahead = _Ahead(lambda following=following: make(following))  # type: ignore[misc]  # bound now
            yield item, value.pop()  # not held here while the caller works
    finally:
        if ahead is not None:
            ahead.wait()


def settle() -> None:
    """Wait for all threads of this module."""
    with _LOCK:
        running = list(_AT_WORK)
    for ahead in running:
        ahead.wait()


def _in_child() -> None:
    global _LOCK  # noqa: PLW0603  # another thread, which the child does not have, may hold it
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=settle, after_in_child=_in_child)
