"""Statistics of slides, kept in the store: no run computes what an earlier one has."""

from __future__ import annotations

import base64
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.models.identity import digest_of
from pytest_stbench.preprocess.statistics import SlideStatistics, StatisticsKey
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from pytest_stbench.store.store import Store

KIND = "statistics"
FIELDS = ("detection", "morans_i", "hvg_score")


class KeptStatistics(MutableMapping[StatisticsKey, SlideStatistics]):
    """Statistics of the slides of one data set, in memory and in the store.

    `data` says what the slides are made from (checksum of the files, settings of the data set); it
    is asked once, when something is first looked up.
    """

    def __init__(self, store: Store, data: Callable[[], str]) -> None:
        self._store = store
        self._data = data
        self._digest: str | None = None
        self._found: dict[StatisticsKey, SlideStatistics] = {}

    def __getitem__(self, key: StatisticsKey) -> SlideStatistics:
        if key not in self._found:
            kept = self._store.recall(KIND, self._name(key), _read)
            if kept is None:
                raise KeyError(key)
            self._found[key] = kept
        return self._found[key]

    def __setitem__(self, key: StatisticsKey, value: SlideStatistics) -> None:
        self._found[key] = value
        self._store.remember(KIND, self._name(key), {name: packed(getattr(value, name)) for name in FIELDS})

    def __delitem__(self, key: StatisticsKey) -> None:
        del self._found[key]

    def __iter__(self) -> Iterator[StatisticsKey]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def _name(self, key: StatisticsKey) -> str:
        if self._digest is None:
            self._digest = self._data()
        return digest_of({"data": self._digest, "statistics": list(key), "code": code_version()})


def _read(kept: Any) -> SlideStatistics:
    return SlideStatistics(**{name: unpacked(kept[name]) for name in FIELDS})


def packed(values: NDArray[np.float64]) -> str:
    """Return float64 values as text that is read back bit by bit, nan included."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode("ascii")


def unpacked(text: Any) -> NDArray[np.float64]:
    """Return what :func:`packed` was given, read-only."""
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8").astype(np.float64, copy=False)
