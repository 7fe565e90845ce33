"""Loops compiled at their first call, for what array expressions cannot do fast enough."""

from __future__ import annotations

import functools
import importlib
import threading
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_lock = threading.Lock()

# Sums may be reordered so that they vectorise. NaN and infinity keep their meaning: they show
# which columns need the masked path.
_FASTMATH = {"reassoc", "nsz", "contract"}


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function`, compiled by numba when it is first called.

    numba is imported at that moment, never before. The machine code is kept on disk where a
    cache directory can be written, releases the interpreter lock and runs on the calling thread.

    Parameters
    ----------
    function
        A function of arrays and scalars that uses no state outside its arguments.
    """
    dispatcher: Any = None

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal dispatcher
        if dispatcher is None:
            with _lock:
                if dispatcher is None:
                    dispatcher = _compile(function)
        result: R = dispatcher(*args, **kwargs)
        return result

    return call


def _compile(function: Callable[..., Any]) -> Any:
    numba = importlib.import_module("numba")
    options = {"nogil": True, "fastmath": _FASTMATH, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # numba refuses cache=True where it finds no writable directory: compile for this process.
        return numba.njit(**options)(function)
