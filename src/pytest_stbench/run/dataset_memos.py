"""What is made of the slides of a data set, kept in the store: their statistics, and counts that are drawn.

No run computes what an earlier one has; to read drawn counts costs a fraction of drawing them.
"""

from __future__ import annotations

import base64
import time
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.models.identity import json_digest
from pytest_stbench.preprocess.statistics import SlideStatistics, StatisticsKey
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from pytest_stbench.store.marker import StoredPrediction
    from pytest_stbench.store.store import Store

STATISTICS, DRAWN = "statistics", "drawn"
"""Kinds of what the store keeps."""
FIELDS = ("detection", "morans_i", "hvg_score")


class StoredStatistics(MutableMapping[StatisticsKey, SlideStatistics]):
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
            kept = self._store.recall(STATISTICS, self._name(key), _read)
            if kept is None:
                raise KeyError(key)
            self._found[key] = kept
        return self._found[key]

    def __setitem__(self, key: StatisticsKey, value: SlideStatistics) -> None:
        self._found[key] = value
        self._store.remember(
            STATISTICS, self._name(key), {name: packed(getattr(value, name)) for name in FIELDS}
        )

    def __delitem__(self, key: StatisticsKey) -> None:
        del self._found[key]

    def __iter__(self) -> Iterator[StatisticsKey]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def _name(self, key: StatisticsKey) -> str:
        if self._digest is None:
            self._digest = self._data()
        return json_digest({"data": self._digest, "statistics": list(key), "code": code_version()})


def _read(kept: Any) -> SlideStatistics:
    return SlideStatistics(**{name: unpacked(kept[name]) for name in FIELDS})


def packed(values: NDArray[np.float64]) -> str:
    """Return float64 values as text that is read back bit by bit, nan included."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode("ascii")


def unpacked(text: Any) -> NDArray[np.float64]:
    """Return what :func:`packed` was given, read-only."""
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f8").astype(np.float64, copy=False)


MIN_VALUES = 30_000
"""Slides of fewer values (units by genes) are drawn as fast as they are read."""
PARTS = ("data", "indices", "indptr", "shape")


class DrawnCounts:
    """The counts of the slides of the data set `name`, by what they depend on; each is its own file.

    Kept are int32 counts alone, as they were drawn, type and order of every array included. A file that
    is damaged, or holds other parts, is drawn again.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    def __call__(self, name: str, make: Callable[[], csr_matrix]) -> csr_matrix:
        """Return the counts called `name`, kept or made; see :class:`~.protocol.KeepsCounts`."""
        key = json_digest({"counts": name, "code": code_version()})
        stored = self._store.load(key, DRAWN)
        kept = None if stored is None else _matrix(stored)
        if kept is not None:
            return kept
        start = time.perf_counter()
        made = make()
        about = {"model": "simulated counts", "task": self._name, "seconds": time.perf_counter() - start}
        parts = {"data": made.data, "indices": made.indices, "indptr": made.indptr}
        plain = all(values.dtype == np.int32 for values in parts.values())
        if plain and np.prod(made.shape, dtype=float) >= MIN_VALUES:
            self._store.save(key, {**parts, "shape": np.array(made.shape, np.int32)}, about, DRAWN)
        return made


def _matrix(stored: StoredPrediction) -> csr_matrix | None:
    if tuple(stored.values) != PARTS:
        return None
    data, indices, indptr, shape = (stored.values[name] for name in PARTS)
    return csr_matrix((data, indices, indptr), shape=tuple(shape.tolist()))
