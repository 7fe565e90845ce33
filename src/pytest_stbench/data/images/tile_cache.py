"""What was used last, bounded: decoded tiles of the whole process, slides that are open."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pytest_stbench.data.images.pyramid import Tile

T = TypeVar("T")

BUDGET = 128 << 20
"""Bytes of decoded tiles that are kept."""


class UsedLast(Generic[T]):
    """Keeps values by key, those used last, up to `budget` and the last one at the least.

    Parameters
    ----------
    budget
        Sum of the sizes of what is kept.
    size
        Returns what one value counts.
    """

    def __init__(self, budget: int, size: Callable[[T], int]) -> None:
        self.budget = budget
        self._size = size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of `key`, made if it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        made = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = made
                self._held += self._size(made)
            while self._held > self.budget and len(self._values) > 1:
                _, oldest = self._values.popitem(last=False)
                self._held -= self._size(oldest)
        return made

    def drop(self, key: Hashable) -> None:
        """Keep the value of `key` no longer."""
        with self._lock:
            if key in self._values:
                self._held -= self._size(self._values.pop(key))

    @property
    def held(self) -> int:
        """Sum of the sizes of what is kept."""
        return self._held

    def forget(self) -> None:
        """Start anew; also in a forked child, whose lock may be held by a thread it does not have."""
        self._lock = threading.Lock()
        self._values.clear()
        self._held = 0


class TileCache(UsedLast[Any]):
    """Keeps decoded tiles up to `budget` bytes."""

    def __init__(self, budget: int = BUDGET) -> None:
        super().__init__(budget, _bytes_of)


def _bytes_of(tile: Tile | None) -> int:
    return 0 if tile is None else tile.nbytes


TILES = TileCache()
