"""Places and scale of the spots of Space Ranger's output, and the cells that version 4 outlines.

The matrix of ``segmented_outputs`` calls a cell ``cellid_000000001-1``, the outlines (GeoJSON, in pixels of
the full-resolution image) the same one 1: both are called as in the matrix. A cell lies at the centre of
mass of its outline.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.labels import text
from pytest_stbench.data.naming import KnownCells
from pytest_stbench.data.readers import tissue
from pytest_stbench.data.readers.annotations import EXACT
from pytest_stbench.data.readers.imaging.outlines import Polygons
from pytest_stbench.data.readers.imaging.tables import columns_of, read_table
from pytest_stbench.data.readers.units import SPOT_UM, VISIUM_PITCH_UM
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.graph import median_nn_distance
from pytest_stbench.kernels.grid_fit import MAX_RESIDUAL, grid_fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.imaging.instances import Found
    from pytest_stbench.data.readers.imaging.outlines import Kind
    from pytest_stbench.data.readers.visium_outs import Outs
    from pytest_stbench.data.slide import Segmentation

POSITIONS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
BINS = re.compile(r"square_(\d{3})um")
"""How Space Ranger calls the folder of bins, by their side."""

AT_MOST = 100_000
"""Units that the lattice is measured on; of more, every k-th."""


def positions_of(path: Path) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64]]:
    """Return barcodes, array index (row, column) and pixels (x, y) of the units under tissue."""
    there = columns_of(path)
    if path.name == "tissue_positions_list.csv" and "barcode" not in there:
        import pandas as pd

        if len(there) != len(POSITIONS):
            message = f"{path}: {len(there)} columns, expected {len(POSITIONS)} ({', '.join(POSITIONS)})"
            raise DataError(message)
        table = pd.read_csv(path, header=None, names=list(POSITIONS))
    else:
        table = read_table(path, POSITIONS)
    inside = table[tissue.inside(table["in_tissue"], f"{path}: in_tissue")]
    if not len(inside):
        raise DataError(f"{path}: no spot is under tissue (in_tissue 1); run the tissue detection again")
    return (
        text(inside["barcode"]),
        inside[["array_row", "array_col"]].to_numpy(np.int64),
        inside[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(np.float64),
    )


def pixel_size(
    outs: Outs, scales: Mapping[str, Any], pixels: NDArray[np.float64], index: NDArray[np.int64]
) -> tuple[float, float]:
    """Return the size of a pixel of the full-resolution image, and the pitch in um.

    Both are told by ``microns_per_pixel`` and ``bin_size_um`` of the scale factors, by the name of the
    folder of bins, and, by least squares of places on array indices, by the lattice: 100 um for spots, whose
    diameter is 55 um, or 65.

    Raises
    ------
    DataError
        Nothing tells them, or two of these differ by more than 5 %.
    """
    hd = outs.kind == "bin"
    step = -(-len(index) // AT_MOST)
    distance = _pitch_px(pixels[::step], index[::step], hexagonal=not hd)
    where = outs.matrix.parent if outs.positions is None else outs.positions
    if not distance > 0:
        message = f"{where}: neighbouring spots have no distance in pixels; the coordinates are damaged"
        raise DataError(message)
    pitch, said = (_bin_size(outs, scales), "bins") if hd else (VISIUM_PITCH_UM, "spots")
    lattice = pitch / distance
    if hd or "microns_per_pixel" in scales:
        scale = positive(scales, "microns_per_pixel", outs.scales)
        if abs(scale / lattice - 1) > EXACT:
            raise DataError(
                f"{outs.scales}: a pixel is {scale:.4g} um by microns_per_pixel, and {lattice:.4g} um by the "
                f"pitch of {said}, {pitch:g} um, in {where.name}: the two files are of different images or "
                "bins"
            )
        return scale, pitch
    diameter = scales.get("spot_diameter_fullres")
    if isinstance(diameter, int | float) and diameter > 0:
        by_spot = [um / diameter for um in SPOT_UM]
        if min(abs(lattice / other - 1) for other in by_spot) > EXACT:
            raise DataError(
                f"{outs.scales}: a spot of {diameter:g} pixels is 55 um, so a pixel is {by_spot[0]:.3g} um "
                f"({by_spot[1]:.3g} um where it is 65 um); by the pitch of 100 um in {where.name} it is "
                f"{lattice:.3g} um: the two files are of different images"
            )
    return lattice, VISIUM_PITCH_UM


def _bin_size(outs: Outs, scales: Mapping[str, Any]) -> float:
    """Return the side of the bins in um, by the scale factors or the name of the folder."""
    named = BINS.fullmatch(outs.matrix.parent.name)
    if "bin_size_um" not in scales and named is not None:
        return float(named[1])
    size = positive(scales, "bin_size_um", outs.scales)
    if named is not None and abs(size / float(named[1]) - 1) > EXACT:
        raise DataError(
            f"{outs.scales}: bin_size_um is {size:g}, and the folder is called {named[0]}: rename the "
            "folder, or copy it anew"
        )
    return size


def _pitch_px(pixels: NDArray[np.float64], index: NDArray[np.int64], *, hexagonal: bool) -> float:
    """Return the distance of neighbours in pixels: over all units, where they follow their array indices."""
    fit = grid_fit(pixels, index, hexagonal=hexagonal)
    if fit is not None and fit.residual <= MAX_RESIDUAL:
        return fit.pitch
    order = np.lexsort((index[:, 1], index[:, 0]))
    steps = np.diff(index[order], axis=0)
    beside = (steps[:, 0] == 0) & (steps[:, 1] == (2 if hexagonal else 1))
    if not beside.any():
        return median_nn_distance(pixels)
    return float(np.median(np.linalg.norm(np.diff(pixels[order], axis=0)[beside], axis=1)))


def positive(scales: Mapping[str, Any], key: str, path: Path) -> float:
    """Return a scale factor, a number above 0. Raises ``DataError``."""
    value = scales.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise DataError(f"{path}: {key} is {value!r}, expected a positive number; copy the folder anew")
    return float(value)


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
