"""Um per pixel of CosMx: what its flat files say.

The table of cells has areas in pixels and um2 (``Area``, ``Area.um2``), the table of fields of view
places in pixels and mm (``x_global_px``, ``x_global_mm``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.readers.imaging.scale import declared
from pytest_stbench.data.readers.imaging.tables import columns_of, numbers_of, whole
from pytest_stbench.data.readers.libraries import EXACT
from pytest_stbench.data.readers.units import Said
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec

AREAS = ("Area", "Area.um2")
FIELD_FILES = ("*fov_positions_file.csv", "*fov_positions_file.csv.gz")
FIELDS = (("x_global_px", "x_global_mm"), ("y_global_px", "y_global_mm"))
PX = (0.01, 10.0)
"""Sizes of a pixel in um that a microscope can have."""


def um_per_px(path: Path, config: DatasetSpec, fields: Path | None, cells: Path | None) -> float:
    """Return um per pixel of the flat files in the folder `path`: the declared one, else what they say.

    Raises
    ------
    DataError
        Nothing says it, or two sizes differ by more than 5 %.
    """
    scale = declared(config)
    said = [] if scale is None else [Said(scale, "`scale`")]
    said += _of_fields(fields)
    said += _of_areas(cells)
    if not said:
        raise DataError(
            f"{path}: coordinates of CosMx flat files are pixels, and no file says how large: write `scale: "
            "UM_PER_PX` in the task file (0.12028, in the first public data sets 0.18; the documents of the "
            "instrument say it), or add *_fov_positions_file.csv with x_global_mm"
        )
    low, high = min(said, key=lambda one: one.um), max(said, key=lambda one: one.um)
    if high.um / low.um - 1 > EXACT:
        raise DataError(
            f"{path}: a pixel is {low.um:.4g} um by {low.where} and {high.um:.4g} um by {high.where}: "
            "correct `scale`, or copy the files anew"
        )
    return said[0].um


def _of_fields(path: Path | None) -> Iterator[Said]:
    for pixels, mm in FIELDS if path is not None else ():
        assert path is not None  # looked at above
        if not {pixels, mm} <= set(columns_of(path)):
            continue
        table = whole(path, [pixels, mm])
        x, y = (numbers_of(table, [pixels, mm], path) * (1, 1000)).T
        known = np.isfinite(x) & np.isfinite(y)
        x, y = x[known], y[known]
        if len(x) > 1 and np.ptp(x) > 0:
            um = abs(float(np.polyfit(x, y, 1)[0]))
            if PX[0] <= um <= PX[1]:
                yield Said(um, f"{pixels} and {mm} of {path.name}")
                return


def _of_areas(path: Path | None) -> Iterator[Said]:
    if path is None or not set(AREAS) <= set(columns_of(path)):
        return
    table = whole(path, list(AREAS))
    px, um2 = numbers_of(table, AREAS, path).T
    known = (px > 0) & (um2 > 0)
    if known.any():
        um = float(np.sqrt(np.median(um2[known] / px[known])))
        if PX[0] <= um <= PX[1]:
            yield Said(um, f"{AREAS[0]} and {AREAS[1]} of {path.name}")
