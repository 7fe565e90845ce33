"""Cells counted from their outlines, where neither a matrix nor the transcripts name them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from pytest_stbench.data.naming import spread
from pytest_stbench.data.readers.imaging.cells import CellTable, count_cells
from pytest_stbench.data.segmentation import Segmentation
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from pytest_stbench.data.areas import Areas
    from pytest_stbench.data.molecules import TranscriptBatch, Transcripts

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
    the cell. See :class:`~pytest_stbench.data.molecules.Transcripts`.
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
