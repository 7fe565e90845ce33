"""Predictions of the fold at hand: those made last in memory, others in the store alone until asked again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_stbench.calls.computing import Prediction

if TYPE_CHECKING:
    from pytest_stbench.calls.failures import CellFailed
    from pytest_stbench.store.store import Store

MOST_BYTES = 1 << 26
"""What predictions may take in memory that the store has too: they are scored as soon as they are made."""


class Recent:
    """What is known of cells: their predictions until they are forgotten, failures for good."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, Prediction | CellFailed] = OrderedDict()
        self._away: dict[str, Prediction] = {}

    def get(self, key: str) -> Prediction | CellFailed | None:
        """Return what is known of `key`, None where it has to be made (again)."""
        away = self._away.pop(key, None)
        if away is not None and (stored := self._store.load(key)) is not None:
            self.put(key, replace(away, values=stored.values))
            return replace(away, values=stored.values)
        return self._known.get(key)

    def put(self, key: str, found: Prediction | CellFailed) -> None:
        """Note a prediction or a failure; predictions that the store has may leave memory for it."""
        self._known[key] = found
        here = {key: known for key, known in self._known.items() if isinstance(known, Prediction)}
        held = sum(map(_size, here.values()))
        for oldest, known in here.items():
            if held <= MOST_BYTES:
                return
            if self._store.holds(oldest):
                self._away[oldest] = replace(known, values={})
                del self._known[oldest]
                held -= _size(known)

    def forget(self) -> None:
        """Drop predictions of cells that are done; failures stay known."""
        self._away.clear()
        for key in [key for key, known in self._known.items() if isinstance(known, Prediction)]:
            del self._known[key]


def _size(prediction: Prediction) -> int:
    return sum(getattr(values, "nbytes", 0) for values in prediction.values.values())
