"""Cells with their counts: from a matrix of the vendor, or counted from transcripts by name or outline."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from scipy import sparse

from pytest_stbench.data.features import genes_in, kinds_of
from pytest_stbench.data.labels import label_columns, labels_of
from pytest_stbench.data.naming import spread
from pytest_stbench.data.readers.counts import only_genes
from pytest_stbench.data.readers.imaging.tables import (
    columns_of,
    features_of,
    ids_of,
    matrix_of,
    numbers_of,
    read_table,
    rows_of,
)
from pytest_stbench.data.slide import Segmentation
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from pytest_stbench.data.areas import Areas
    from pytest_stbench.data.naming import Coded
    from pytest_stbench.data.readers.counts import GeneCounts
    from pytest_stbench.data.slide import TranscriptBatch, Transcripts
    from pytest_stbench.spec.model import DatasetSpec

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


def counts_in_text(
    path: Path, keys: Sequence[str], no_gene: Container[str], cells: Callable[[pd.DataFrame], Coded]
) -> tuple[NDArray[np.str_], GeneCounts]:
    """Return the names of the cells in a matrix of text, and what was measured of each.

    `keys` are the columns that name the cell, `no_gene` all that hold no counts; `cells` as for
    :func:`~pytest_stbench.data.readers.imaging.tables.matrix_of`. Rows of no cell, and columns of row
    numbers, are left out and counted in the notes.
    """
    features, numbers = features_of(path, no_gene)
    names, found, background = matrix_of(path, features, keys, cells)
    measured = only_genes(found, np.array(features, dtype=np.str_), kinds_of(features))
    left_out = {"background_rows": background, **({"row_number_columns": numbers} if numbers else {})}
    return names, replace(measured, notes={**measured.notes, **left_out})


def genes_in_text(path: Path, no_gene: Container[str]) -> tuple[str, ...]:
    """Return the symbols of the genes in a matrix of text; its header alone is read."""
    names, _ = features_of(path, no_gene)
    return genes_in(np.array(names, dtype=np.str_), kinds_of(names))


def listed_cells(
    names: NDArray[np.str_],
    measured: GeneCounts,
    path: Path,
    config: DatasetSpec,
    *,
    of: str,
    ids: Sequence[str],
    listed: Callable[[pd.DataFrame], NDArray[np.object_]],
    centre: Sequence[str],
    scale: float = 1.0,
    measures: Mapping[str, str] = MappingProxyType({}),
    uncounted: str | None = None,
) -> CellTable:
    """Return the cells of a matrix with what the table `path` of the vendor says of each.

    Parameters
    ----------
    names, measured
        The cells of the matrix, whose file is called `of`, and their counts.
    ids, listed
        Columns that name the cell, and what makes the names, (n,), of a table of them.
    centre, scale
        Columns of x and y, and um per unit of them.
    measures
        Measures by the column that has them, which may be missing.
    uncounted
        The note that counts cells of the table which the matrix has not; None where they are not counted.
    """
    labels, there = label_columns(config.keys), columns_of(path)
    found = {column: name for column, name in measures.items() if column in there}
    table = read_table(path, [*ids, *centre, *found, *labels.values()], [*ids, *labels.values()])
    with ids_of(path):
        rows = rows_of(names, listed(table), path, of)
    further = {name: numbers_of(table, [column], path)[rows, 0] for column, name in found.items()}
    return CellTable(
        names=names,
        genes=measured.genes,
        counts=measured.counts,
        xy_um=numbers_of(table, centre, path)[rows] * scale,
        labels={label: labels_of(table[column])[rows] for label, column in labels.items()},
        measures={**measured.measures, **further},
        notes={**measured.notes, **({} if uncounted is None else {uncounted: len(table) - len(rows)})},
    )


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


CELL = "cell"
"""Key of the outlines of cells among those of a slide."""


class Outlined(Segmentation, Protocol):
    """Outlines that are polygons."""

    @property
    def areas(self) -> Areas:
        """What each instance covers, in um."""
        ...


class Located:
    """Transcripts that are in the cell whose outline goes around them.

    Where outlines overlap it is the smaller one, as in label images; what lies in a hole is not in
    the cell. See :class:`~pytest_stbench.data.slide.Transcripts`.
    """

    def __init__(self, transcripts: Transcripts, outlines: Outlined) -> None:
        self._transcripts = transcripts
        self._outlines = outlines
        self.several = 0
        """Transcripts in several outlines, of those that were gone through last."""

    @property
    def features(self) -> NDArray[np.str_]:
        """Names of everything that was decoded, sorted."""
        return self._transcripts.features

    @property
    def kinds(self) -> NDArray[np.str_]:
        """What each of the features is."""
        return self._transcripts.kinds

    def batches(self, *, cells: bool = False) -> Iterator[TranscriptBatch]:
        """Yield all transcripts, a part of the file at a time."""
        self.several = 0
        names = self._outlines.names.astype(object) if cells else None
        for batch in self._transcripts.batches():
            if names is None:
                yield batch
                continue
            place, several = self._outlines.areas.around(batch.x_um, batch.y_um)
            self.several += int(several.sum())
            yield replace(batch, cell=spread(place, names, ""))


def outlines_in(segmentations: Mapping[str, Segmentation]) -> Outlined | None:
    """Return the outlines of cells that transcripts can be located in; None where there are none.

    An image of labels and outlines of nuclei are not among them.
    """
    found = segmentations.get(CELL)
    return cast("Outlined", found) if hasattr(type(found), "areas") else None


def count_in_outlines(transcripts: Located, outlines: Outlined) -> CellTable:
    """Count the transcripts in each outline; a cell lies at the centre of mass of its outline.

    Every outline that covers something is a cell, with counts or without. What is left out is
    counted as by :func:`~.cells.count_cells`; in no outline is in no cell.

    Raises
    ------
    DataError
        No outline covers anything, or no transcript lies in any.
    """
    areas = outlines.areas
    covering = np.flatnonzero(areas.um2 > 0)
    found = count_cells(transcripts, outlines.names[covering].tolist())
    notes = dict(found.notes)
    if not notes["transcripts_kept"]:
        box = _box(areas.xy) if len(covering) else "nowhere"
        raise DataError(
            f"none of {notes['transcripts_read']} transcripts is counted in one of {len(covering)} outlines "
            f"of cells, which lie {box}: they are of two slides or in two units; correct the files, or take "
            "the outlines away and form units with `bin`"
        )
    place = {name: row for row, name in enumerate(outlines.names.tolist())}
    rows = np.array([place[name] for name in found.names.tolist()], dtype=np.intp)
    return replace(
        found,
        xy_um=areas.centroids()[rows],
        measures={**found.measures, "cell_area_um2": areas.um2[rows]},
        notes={
            **{note: n for note, n in notes.items() if note != "cells_counted_from_transcripts"},
            "cells_counted_from_outlines": len(rows),
            "transcripts_in_several_outlines": transcripts.several,
        },
    )


def _box(xy: NDArray[np.float64]) -> str:
    (x0, y0), (x1, y1) = xy.min(axis=0), xy.max(axis=0)
    return f"from ({x0:.4g}, {y0:.4g}) to ({x1:.4g}, {y1:.4g}) um"
