"""Things of an input that are made when a model asks for them, and not before."""

from __future__ import annotations

import itertools
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Later:
    """Makes something when it is called; what it is made of cannot be reached from here.

    A pickle or a copy holds what was made, and nothing of what it was made of.

    Parameters
    ----------
    make
        Makes it, anew at every call.
    kept
        Makes of it what a pickle can hold, where it cannot be held as it is.
    """

    __slots__ = ("__weakref__", "_kept", "_number")

    def __init__(self, make: Callable[[], Any], kept: Callable[[Any], Any] | None = None) -> None:
        self._number = next(_NUMBERS)
        self._kept = kept
        _MAKERS[self._number] = make
        weakref.finalize(self, _MAKERS.pop, self._number, None)

    def __call__(self) -> Any:
        """Return what is made."""
        return _MAKERS[self._number]()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a pickle holds."""
        made = self()
        return Made, (made if self._kept is None else self._kept(made),)


class Made:
    """Gives what was made elsewhere, a copy at every call."""

    __slots__ = ("_made",)

    def __init__(self, made: Any) -> None:
        self._made = made

    def __call__(self) -> Any:
        """Return a copy of it."""
        return self._made.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a pickle holds."""
        return Made, (self._made,)


_MAKERS: dict[int, Callable[[], Any]] = {}
_NUMBERS = itertools.count()
