"""Points of a store: transcripts, or places of units that a table annotates."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.naming import coded, names_of, spread
from pytest_stbench.data.readers.imaging.tables import columns_of, ids_of, read_table
from pytest_stbench.data.readers.spatialdata.frame import transformed
from pytest_stbench.data.readers.spatialdata.store import last
from pytest_stbench.data.readers.transcripts import TranscriptTable, columns_for
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.spatialdata.frame import Frame
    from pytest_stbench.data.readers.spatialdata.store import Store
    from pytest_stbench.data.slide import TranscriptBatch

    Floats = NDArray[np.float64]
    Names = Callable[[], Mapping[str, str]]

KEYS = "spatialdata_attrs"


class Points:
    """Transcripts of a store, in um; :class:`~pytest_stbench.data.slide.Transcripts`.

    Each part has a table, its map to um, and names of the cells that it calls otherwise.
    """

    def __init__(self, parts: Sequence[tuple[TranscriptTable, Floats, Names]]) -> None:
        self._parts = parts

    @cached_property
    def features(self) -> NDArray[np.str_]:
        """Names of everything that was decoded, sorted."""
        return np.unique(np.concatenate([table.features for table, _, _ in self._parts]))

    @cached_property
    def kinds(self) -> NDArray[np.str_]:
        """What each of the features is."""
        found: dict[str, str] = {}
        for table, _, _ in self._parts:
            found.update(zip(table.features.tolist(), table.kinds.tolist(), strict=True))
        return np.array([found[name] for name in self.features.tolist()], dtype=np.str_)

    def batches(self, *, cells: bool = False) -> Iterator[TranscriptBatch]:
        """Yield all transcripts, a part of a file at a time."""
        for table, matrix, renamed in self._parts:
            names = renamed() if cells else {}
            place = np.searchsorted(self.features, table.features).astype(np.int32)
            for batch in table.batches(cells=cells):
                xy = transformed(matrix, np.column_stack([batch.x_um, batch.y_um]))
                cell = batch.cell if batch.cell is None or not names else _named(batch.cell, names)
                yield replace(batch, x_um=xy[:, 0], y_um=xy[:, 1], feature=place[batch.feature], cell=cell)


def open_points(
    store: Store, frame: Frame, elements: Mapping[str, Names], known: Container[object] = frozenset()
) -> Points:
    """Open some points of a store as transcripts; the headers of its tables alone are read.

    `elements` gives for each how to get the names of cells that it calls otherwise; `known` are the
    ids of cells that the table has (:func:`~pytest_stbench.data.naming.cells_of`).
    """
    parts = []
    for element, names in elements.items():
        matrix, keys = frame.to_um(element), keys_of(store, element)
        feature = keys.get("feature_key")
        if feature is None:
            raise DataError(
                f"{store.path / element}: its attributes name no `feature_key`, so nobody knows which column "
                "is the gene; write it anew with PointsModel.parse(..., feature_key=...)"
            )
        instance = keys.get("instance_key")
        tables = (_table(path, feature, instance, known) for path in point_files(store, element))
        parts += [(table, matrix, names) for table in tables]
    return Points(parts)


def keys_of(store: Store, element: str) -> dict[str, Any]:
    """Return the keys that points say of themselves: ``feature_key``, ``instance_key``."""
    found = store.attributes(element).get(KEYS)
    return dict(found) if isinstance(found, dict) else {}


def point_files(store: Store, element: str) -> tuple[Path, ...]:
    """Return the parquet files of points, in the order of their numbers."""
    return table_files(store.path / element / "points.parquet")


def places_of_points(store: Store, element: str) -> tuple[NDArray[np.str_], Floats]:
    """Return the names of points, their index, and x and y in units of the file, (n, 2)."""
    import pandas as pd

    table = pd.concat([read_table(path, ["x", "y"]) for path in point_files(store, element)])
    with ids_of(store.path / element):
        names = np.array(names_of(table.index), dtype=np.str_)
    return names, table[["x", "y"]].to_numpy(np.float64)


def stem(element: str) -> str:
    """Return what elements of one region have in common: the name without its last word.

    ``1_labels`` and ``1_points`` (CosMx), ``SLIDE_region_0_polygons`` and ``..._transcripts`` (MERSCOPE).
    """
    return last(element).rpartition("_")[0]


def table_files(path: Path) -> tuple[Path, ...]:
    """Return the parquet files of a table, a file or a folder of parts in the order of their numbers."""
    if path.is_file():
        return (path,)
    parts = sorted(path.glob("*.parquet"), key=lambda part: [int(n) for n in re.findall(r"\d+", part.name)])
    if not parts:
        raise DataError(f"{path}: no parquet file; the store is damaged: write it anew")
    return tuple(parts)


def _table(path: Path, feature: str, instance: str | None, known: Container[object]) -> TranscriptTable:
    there = columns_of(path)
    wanted = {"x": "x", "y": "y", "feature": feature}
    if instance in there:
        wanted["cell"] = str(instance)
    return TranscriptTable(path, replace(columns_for(path, there, wanted), fov=None), 1.0, known)


def _named(cells: NDArray[np.object_], names: Mapping[str, str]) -> NDArray[np.object_]:
    codes, levels = coded(cells)
    return spread(codes, np.array([names.get(level, level) for level in levels], dtype=object), "")
