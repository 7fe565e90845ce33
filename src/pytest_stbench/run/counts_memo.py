"""Counts of simulated slides, kept in the store: to read them costs a fraction of drawing them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.models.identity import digest_of
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.store.claim import StoredPrediction
    from pytest_stbench.store.store import Store

KIND = "drawn"
MIN_VALUES = 30_000
"""Slides of fewer values (units by genes) are drawn as fast as they are read."""
PARTS = ("data", "indices", "indptr", "shape")


class KeptCounts:
    """The counts of the slides of the data set `name`, by what they depend on; each is its own file.

    Kept are int32 counts alone, as they were drawn, type and order of every array included. A file that
    is damaged, or holds other parts, is drawn again.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    def __call__(self, name: str, make: Callable[[], csr_matrix]) -> csr_matrix:
        """Return the counts called `name`, kept or made; see :class:`~.protocol.KeepsCounts`."""
        key = digest_of({"counts": name, "code": code_version()})
        stored = self._store.load(key, KIND)
        kept = None if stored is None else _read(stored)
        if kept is not None:
            return kept
        start = time.perf_counter()
        made = make()
        about = {"model": "simulated counts", "task": self._name, "seconds": time.perf_counter() - start}
        parts = {"data": made.data, "indices": made.indices, "indptr": made.indptr}
        plain = all(values.dtype == np.int32 for values in parts.values())
        if plain and np.prod(made.shape, dtype=float) >= MIN_VALUES:
            self._store.save(key, {**parts, "shape": np.array(made.shape, np.int32)}, about, KIND)
        return made


def _read(stored: StoredPrediction) -> csr_matrix | None:
    if tuple(stored.values) != PARTS:
        return None
    data, indices, indptr, shape = (stored.values[name] for name in PARTS)
    return csr_matrix((data, indices, indptr), shape=tuple(shape.tolist()))
