"""Arrays that were used last, within a budget of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray


class RecentArrays:
    """Keeps read-only arrays by key, those used last, up to `budget` bytes and two at the least."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._arrays: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the array of `key`, made if it is not among the recent ones."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        made = make().view()
        made.setflags(write=False)
        with self._lock:
            self._arrays[key] = made
            # The array in use and what is made of it stay, however large they are.
            while len(self._arrays) > 2 and sum(a.nbytes for a in self._arrays.values()) > self._budget:
                self._arrays.popitem(last=False)
        return made
