"""Decoded tiles of the whole process, those used last, bounded in bytes."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pytest_stbench.data.images.pyramid import Tile

BUDGET = 128 << 20
"""Bytes of decoded tiles that are kept."""


class TileCache:
    """Keeps tiles by key, those used last, up to `budget` bytes and the last one at the least."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._tiles: OrderedDict[Hashable, Tile | None] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Tile | None]) -> Tile | None:
        """Return the tile of `key`, made if it is not kept."""
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        made = make()
        with self._lock:
            if key not in self._tiles:
                self._tiles[key] = made
                self._held += 0 if made is None else made.nbytes
            while self._held > self.budget and len(self._tiles) > 1:
                _, oldest = self._tiles.popitem(last=False)
                self._held -= 0 if oldest is None else oldest.nbytes
        return made

    @property
    def held(self) -> int:
        """Bytes that are kept."""
        return self._held

    def forget(self) -> None:
        """Start anew; also in a forked child, whose lock may be held by a thread it does not have."""
        self._lock = threading.Lock()
        self._tiles.clear()
        self._held = 0


TILES = TileCache()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TILES.forget)
