"""Cells with their counts: from a matrix of the vendor, or counted from the transcripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from pytest_stbench.data.readers.counts import only_genes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.molecules import Transcripts

MIN_QV = 20.0
"""Transcripts below this quality are not counted, as in the vendors' own matrices."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellTable:
    """The cells of a slide; negative controls are summed into ``measures["control_counts"]``."""

    names: NDArray[np.str_]
    genes: NDArray[np.str_]
    counts: sparse.csr_matrix
    xy_um: NDArray[np.float64]
    labels: dict[str, NDArray[np.object_]] = field(default_factory=dict)
    measures: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)


def count_cells(transcripts: Transcripts, cells: Sequence[str] = ()) -> CellTable:
    """Count the transcripts of each cell; its place is the mean of their places.

    Transcripts of a quality below 20, without finite coordinates and those in no cell are left
    out and counted; what is no gene is kept, as ``counts:KIND`` of the notes. A cell that no other
    transcript names does not exist, unless it is one of `cells`, whose place is then (0, 0).
    Cells are sorted by name; a table that knows no cells has none.
    """
    place = {name: row for row, name in enumerate(cells)}
    n_features = len(transcripts.features)
    keys: list[NDArray[np.int64]] = []
    numbers: list[NDArray[np.int64]] = []
    sums = np.zeros((0, 3))
    reasons = ("low_qv", "not_finite", "unassigned", "kept", "read")
    notes = {f"transcripts_{reason}": 0 for reason in reasons}
    for batch in transcripts.batches(cells=True):
        assert batch.cell is not None  # asked for
        good = np.ones(len(batch.x_um), bool) if batch.qv is None else batch.qv >= MIN_QV
        assigned = batch.cell != ""
        notes["transcripts_read"] += len(good)
        notes["transcripts_low_qv"] += int((~good).sum())
        placed = np.isfinite(batch.x_um) & np.isfinite(batch.y_um)
        notes["transcripts_not_finite"] += int((good & ~placed).sum())
        good &= placed
        notes["transcripts_unassigned"] += int((good & ~assigned).sum())
        kept = good & assigned
        notes["transcripts_kept"] += int(kept.sum())
        names, local = np.unique(batch.cell[kept].astype(np.str_), return_inverse=True)
        codes = np.array([place.setdefault(name, len(place)) for name in names.tolist()], dtype=np.int64)
        cell = codes[local] if len(codes) else np.empty(0, np.int64)
        key, number = np.unique(cell * n_features + batch.feature[kept], return_counts=True)
        keys.append(key)
        numbers.append(number)
        if len(place) > len(sums):
            sums = np.vstack([sums, np.zeros((len(place) - len(sums), 3))])
        for column, values in enumerate((batch.x_um[kept], batch.y_um[kept], np.ones(int(kept.sum())))):
            sums[:, column] += np.bincount(cell, weights=values, minlength=len(sums))
    every = np.concatenate([np.empty(0, np.int64), *keys])
    count = np.concatenate([np.empty(0, np.int64), *numbers])
    shape = (len(place), n_features)
    matrix = sparse.csr_matrix((count, (every // n_features, every % n_features)), shape=shape)
    order = np.argsort(np.array(list(place), dtype=np.str_), kind="stable")
    measured = only_genes(matrix[order].tocsr(), transcripts.features, transcripts.kinds)
    return CellTable(
        names=np.array(list(place), dtype=np.str_)[order],
        genes=measured.genes,
        counts=measured.counts,
        xy_um=(sums[:, :2] / np.maximum(sums[:, 2:], 1))[order],
        measures=measured.measures,
        notes={**notes, **measured.notes, "cells_counted_from_transcripts": len(place)},
    )
