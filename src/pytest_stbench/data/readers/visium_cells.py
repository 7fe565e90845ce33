"""Cells of Visium HD as Space Ranger 4 outlines and counts them (``segmented_outputs``).

The matrix calls a cell ``cellid_000000001-1``, the outlines (GeoJSON, in pixels of the full-resolution
image) the same one 1: both are called as in the matrix. A cell lies at the centre of mass of its outline.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.naming import KnownCells
from pytest_stbench.data.readers.imaging.outlines import Polygons
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.imaging.found import Found
    from pytest_stbench.data.readers.imaging.outlines import Kind
    from pytest_stbench.data.readers.visium_outs import Outs
    from pytest_stbench.data.segmentation import Segmentation

BARCODE = re.compile(r"cellid_(\d+)(-\d+)?")
WITHOUT_OUTLINE = "cells_without_outline"


class Segmented(Polygons):
    """Outlines that number cells, called by the barcodes of the matrix."""

    def __init__(self, path: Path, kind: Kind, um_per_px: float, barcodes: Sequence[str]) -> None:
        self._called = {
            str(int(known[1])): barcode
            for barcode in barcodes
            if (known := BARCODE.fullmatch(barcode)) is not None
        }
        super().__init__(path, kind, um_per_px, KnownCells(lambda: self._called))

    def _found(self) -> Found:
        found = super()._found()
        codes, names = found.cells
        called = np.array([None, *map(self._name, names.tolist())], dtype=object)[1:]
        return replace(found, cells=(codes, called))

    def _name(self, number: str) -> str:
        if number in self._called or not number.isdigit():
            return self._called.get(number, number)
        return f"cellid_{int(number):09d}-1"


def outlines_of(outs: Outs, um_per_px: float, barcodes: Sequence[str]) -> dict[str, Segmentation]:
    """Return the outlines of cells, and of nuclei where they are there."""
    found: dict[str, Segmentation] = {}
    if outs.cells is not None:
        found["cell"] = Segmented(outs.cells, "cell", um_per_px, barcodes)
    if outs.nuclei is not None:
        found["nucleus"] = Segmented(outs.nuclei, "nucleus", um_per_px, barcodes)
    return found


def placed(
    outs: Outs, cells: Segmentation, barcodes: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return places (n, 2) and areas (n,) in um of the cells, nan without outline, and how many have none.

    Raises ``DataError`` where no cell has an outline.
    """
    assert isinstance(cells, Segmented)  # made above
    place = {name: row for row, name in enumerate(cells.names.tolist())}
    rows = np.array([place.get(name, -1) for name in barcodes.tolist()], dtype=np.intp)
    if not (rows >= 0).any():
        raise DataError(
            f"{cells.path}: none of its {len(place)} outlines is of a cell in {outs.matrix.name} "
            f"({barcodes[0] if len(barcodes) else 'which is empty'} ...): they are of two slides"
        )
    centres = np.vstack([cells.areas.centroids(), [np.nan, np.nan]])
    return centres[rows], np.append(cells.areas.um2, np.nan)[rows], int((rows < 0).sum())
