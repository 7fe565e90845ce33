"""Places and scale of the spots of Space Ranger's output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.readers import tissue
from pytest_stbench.data.readers.imaging.tables import columns_of, text, whole
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.graph import median_nn_distance

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

POSITIONS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
SPOT_PITCH_UM = 100.0
SPOT_DIAMETER_UM = 55.0
PITCH_TOLERANCE = 0.1
"""Relative difference of the two ways to the pixel size above which one of them is wrong."""


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
        table = whole(path, POSITIONS)
    inside = table[tissue.inside(table["in_tissue"], f"{path}: in_tissue")]
    if not len(inside):
        message = f"{path}: no spot is under tissue (in_tissue 1); run the tissue detection again"
        raise DataError(message)
    return (
        text(inside["barcode"]),
        inside[["array_row", "array_col"]].to_numpy(np.int64),
        inside[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(np.float64),
    )


def scales_of(path: Path) -> dict[str, Any]:
    """Return the scale factors of Space Ranger."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read as JSON ({error}); copy the folder anew"
        raise DataError(message) from error
    if not isinstance(found, dict):
        message = f"{path}: holds no mapping; copy the folder anew"
        raise DataError(message)
    return found


def pixel_size(
    places: Path,
    factors: Path,
    scales: dict[str, Any],
    pixels: NDArray[np.float64],
    index: NDArray[np.int64],
    *,
    hd: bool,
) -> tuple[float, float]:
    """Return the size of a pixel of the full-resolution image, and the pitch in um.

    Spots: the pitch of 100 um over the distance of neighbours; the spot diameter of the scale
    factors must agree. HD: the file says it. `places` and `factors` are the files, for messages.
    """
    if hd:
        scale = positive(scales, "microns_per_pixel", factors)
        return scale, positive(scales, "bin_size_um", factors)
    distance = _lattice_pitch(pixels, index)
    if not np.isfinite(distance) or distance <= 0:
        message = f"{places}: neighbouring spots have no distance in pixels; the coordinates are damaged"
        raise DataError(message)
    scale = SPOT_PITCH_UM / distance
    diameter = scales.get("spot_diameter_fullres")
    if isinstance(diameter, int | float) and diameter > 0:
        # Space Ranger's diameter is that of the fiducial-calibrated spot: 55 um, in version 1 about 65.
        by_spot = (SPOT_DIAMETER_UM / diameter, 65.0 / diameter)
        if min(abs(scale / other - 1) for other in by_spot) > PITCH_TOLERANCE:
            message = (
                f"{factors}: a spot of {diameter:g} pixels is 55 um, so a pixel is {by_spot[0]:.3g} um; "
                f"by the pitch of 100 um in {places.name} it is {scale:.3g} um: the two files are of "
                "different images"
            )
            raise DataError(message)
    return scale, SPOT_PITCH_UM


def _lattice_pitch(pixels: NDArray[np.float64], index: NDArray[np.int64]) -> float:
    """Return the distance of neighbouring spots in pixels, from indices that differ by two columns."""
    order = np.lexsort((index[:, 1], index[:, 0]))
    steps = np.diff(index[order], axis=0)
    beside = (steps[:, 0] == 0) & (steps[:, 1] == 2)
    if not beside.any():
        return median_nn_distance(pixels)
    return float(np.median(np.linalg.norm(np.diff(pixels[order], axis=0)[beside], axis=1)))


def positive(scales: dict[str, Any], key: str, path: Path) -> float:
    """Return a scale factor, a number above 0. Raises ``DataError``."""
    value = scales.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        message = f"{path}: {key} is {value!r}, expected a positive number; copy the folder anew"
        raise DataError(message)
    return float(value)
