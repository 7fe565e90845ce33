"""A source whose slides have the units of a lattice in place of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.binning.tissue import RULES as TISSUE_RULES
from pytest_stbench.data.binning.units import bin_cells, bin_transcripts
from pytest_stbench.data.readers.counts import as_counts
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import SlideSource
    from pytest_stbench.spec.model import BinSpec

RULES = "binning/1"


class BinnedSource:
    """Slides of `source` with their transcripts, else their cells, counted into the units of a lattice.

    Transcripts are counted where they lie. Without them all counts of a cell go to the unit of its
    centroid. Genes are those of the source; the tissue is found as
    :mod:`pytest_stbench.data.binning.tissue` says, and units with less of it than `spec` asks for
    are left out and counted.

    Parameters
    ----------
    source
        Slides with transcripts, or with cells as units.
    spec
        How units are formed; its geometry is not ``none``.
    native
        Declared resolution of the units of `source`, by slide id; where a slide has none, units that
        have an array index or a pitch are taken to be spots or bins, others to be cells.
    """

    def __init__(
        self, source: SlideSource, spec: BinSpec, native: Mapping[str, str | None] | None = None
    ) -> None:
        self._source = source
        self._spec = spec
        self._native = native or {}

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols of the source."""
        return self._source.genes(slide_id)

    def offers(self) -> frozenset[str]:
        """Return what the source offers but for embeddings, which are of its own units."""
        return self._source.offers() - {"embedding"}

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return the files of the slide."""
        return self._source.files(slide_id)

    def fingerprint(self) -> str:
        """Return that of the source, with the rules of binning and every parameter."""
        parameters = json.dumps(self._spec.model_dump(mode="json"), sort_keys=True)
        return f"{self._source.fingerprint()}\n{RULES} {TISSUE_RULES} {parameters}"

    def read(self, slide_id: str) -> RawSlide:
        """Read a slide and form its units.

        ``measures`` of a unit: ``tissue_share``, ``area_um2``, ``transcripts`` (counted in it),
        ``cells`` (centroids in it) and, where cells have a ``cell_type``, ``type:NAME``, the share of
        its labelled cells that are of that type. Labels are those of most of its cells. ``notes``
        account for every transcript and every cell.

        Raises
        ------
        DataError
            If the slide has neither transcripts nor cells, nothing is left of it, its extent is no
            slide's, or its image does not fit its coordinates.
        """
        raw = self._source.read(slide_id)
        what = f"slide {slide_id}"
        self._refuse_lattices(raw, what)
        if raw.transcripts is not None:
            binned = bin_transcripts(raw.transcripts, raw.genes.tolist(), self._spec, what=what)
        else:
            binned = bin_cells(raw.xy_um, raw.counts, self._spec, what=what)
        units = binned.units
        rows = units.rows_at(raw.xy_um)
        xy_um = units.xy_um
        xy_px = None
        if raw.xy_px is not None:
            xy_px = to_pixels(xy_um, raw.xy_um, raw.xy_px, units.lattice.width_um, what)
        return RawSlide(
            slide_id=slide_id,
            unit_names=units.names,
            genes=raw.genes,
            counts=as_counts(binned.counts),
            xy_um=xy_um,
            xy_px=xy_px,
            array_index=units.array_index,
            image=raw.image,
            labels={name: majority(rows, values, len(xy_um)) for name, values in raw.labels.items()},
            measures={**binned.measures, **_of_cells(raw, rows, len(xy_um))},
            transcripts=raw.transcripts,
            segmentations=raw.segmentations,
            pitch_um=units.lattice.pitch_um,
            notes={**_of_slide(raw.notes), **_cell_notes(raw, rows), **binned.notes},
        )

    def _refuse_lattices(self, raw: RawSlide, what: str) -> None:
        """Raise ``DataError`` where units are known to be, or look like, spots or bins."""
        declared = self._native.get(raw.slide_id)
        if declared == "cell" or (raw.transcripts is not None and declared != "spot"):
            return
        if declared is not None:
            found = f"its units are declared as resolution {declared!r}"
        elif raw.array_index is not None or raw.pitch_um is not None:
            found = "its units stand on a lattice, as spots or bins do"
        else:
            return
        raise DataError(
            f"{what}: `bin` forms units out of transcripts or cells, and {found}"
            f"{'' if raw.transcripts is not None else ' and it has no transcripts'}; leave out `bin`, or "
            "set `resolution: cell` if its units are cells"
        )


def _of_cells(raw: RawSlide, rows: NDArray[np.int64], n_units: int) -> dict[str, NDArray[np.float64]]:
    """Return the number of cells of each unit and the shares of their types; nothing without cells."""
    if not len(rows):
        return {}
    measures = {"cells": np.bincount(rows[rows >= 0], minlength=n_units).astype(np.float64)}
    if "cell_type" in raw.labels:
        types = shares(rows, raw.labels["cell_type"], n_units)
        measures |= {f"type:{name}": values for name, values in types.items()}
    return measures


def _of_slide(notes: Mapping[str, int]) -> dict[str, int]:
    """Return the notes of a slide but those that say how its cells were counted from transcripts."""
    return {note: n for note, n in notes.items() if not note.startswith("transcripts_")}


def _cell_notes(raw: RawSlide, rows: NDArray[np.int64]) -> dict[str, int]:
    finite = np.isfinite(raw.xy_um).all(axis=1)
    kept = int((rows >= 0).sum())
    return {
        "cells_read": len(rows),
        "cells_not_finite": int((~finite).sum()),
        "cells_kept": kept,
        "cells_outside_units": int(finite.sum()) - kept,
    }


def majority(rows: NDArray[np.int64], labels: NDArray[np.object_], n_units: int) -> NDArray[np.object_]:
    """Return the most frequent label of the cells of each unit.

    Parameters
    ----------
    rows
        Unit of each cell, (m,); -1 for none.
    labels
        Label of each cell, (m,), str or None.
    n_units
        Number of units.

    Returns
    -------
    NDArray[np.object_]
        (n_units,): of labels that are equally frequent the first in ascending order; None where no
        cell of the unit has a label.
    """
    names, numbers = _numbers(rows, labels, n_units)
    found = np.full(n_units, None, dtype=object)
    if names:
        labelled = numbers.any(axis=1)
        found[labelled] = np.array(names, dtype=object)[numbers[labelled].argmax(axis=1)]
    return found


def shares(
    rows: NDArray[np.int64], labels: NDArray[np.object_], n_units: int
) -> dict[str, NDArray[np.float64]]:
    """Return, for each label that a cell of the slide has, its share of the labelled cells per unit.

    Parameters are those of :func:`majority`. Values are 0 to 1 and sum to 1 over labels; nan where
    no cell of the unit has a label.
    """
    names, numbers = _numbers(rows, labels, n_units)
    total = numbers.sum(axis=1)
    known = total > 0
    return {
        name: np.divide(numbers[:, place], total, out=np.full(n_units, np.nan), where=known)
        for place, name in enumerate(names)
    }


def _numbers(
    rows: NDArray[np.int64], labels: NDArray[np.object_], n_units: int
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the labels of the slide, ascending, and how many cells of each unit have each."""
    labelled = np.array([label is not None for label in labels], dtype=bool)
    names, codes = np.unique(labels[labelled].astype(str), return_inverse=True)
    placed = rows[labelled] >= 0
    keys = rows[labelled][placed] * len(names) + codes[placed]
    numbers = np.bincount(keys, minlength=n_units * len(names)).reshape(n_units, len(names))
    return names.tolist(), numbers


MAX_RESIDUAL = 0.1
"""Largest root mean square error of the fit, as a share of the width of a unit."""

ROUNDING_PX = 0.5
"""Error of coordinates that were rounded to whole pixels, which is never held against a fit."""


def to_pixels(
    points_um: NDArray[np.float64],
    xy_um: NDArray[np.float64],
    xy_px: NDArray[np.float64],
    width_um: float,
    what: str,
) -> NDArray[np.float64]:
    """Return pixel coordinates of `points_um` (n, 2) by the affine map that best fits known pairs.

    Parameters
    ----------
    points_um
        Places to convert, in um.
    xy_um, xy_px
        The same units, (m, 2) each, in um and in pixels; rows with a nan are not used.
    width_um
        Width of a unit that is formed; the fit must be right to a tenth of it.
    what
        What messages call the slide.

    Raises
    ------
    DataError
        If fewer than three units off one line are known, or the relation is not affine.
    """
    known = np.isfinite(xy_um).all(axis=1) & np.isfinite(xy_px).all(axis=1)
    source, target = xy_um[known], xy_px[known]
    centre = source.mean(axis=0) if len(source) else np.zeros(2)
    spread = np.linalg.svd(source - centre, compute_uv=False) if len(source) > 2 else np.zeros(2)
    if spread[1] <= 1e-6 * spread[0]:
        raise DataError(
            f"{what}: the image cannot be joined to the coordinates in um: that takes three units off one "
            f"line, and {len(source)} have both; leave out `image`, or complete the coordinates"
        )
    design = np.column_stack([source - centre, np.ones(len(source))])
    fit = np.linalg.lstsq(design, target, rcond=None)[0]
    residual = float(np.sqrt(((design @ fit - target) ** 2).sum(axis=1).mean()))
    px_per_um = float(np.sqrt(abs(np.linalg.det(fit[:2]))))
    allowed = max(MAX_RESIDUAL * width_um * px_per_um, ROUNDING_PX)
    if not residual <= allowed:
        raise DataError(
            f"{what}: coordinates in the image are no scaled, turned or sheared coordinates in um: the best "
            f"fit is off by {residual:.3g} px, and at most {allowed:.3g} px are allowed for units of "
            f"{width_um:g} um; check image.spatial and scale, or leave out `image`"
        )
    found: NDArray[np.float64] = np.column_stack([points_um - centre, np.ones(len(points_um))]) @ fit
    return found
