"""The unit of coordinates in vendors' files: what is declared against what the files say.

Of CosMx the table of cells has areas in pixels and um2 (``Area``, ``Area.um2``), the table of fields of view
places in pixels and mm (``x_global_px``, ``x_global_mm``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.readers.annotations import EXACT
from pytest_stbench.data.readers.imaging.tables import columns_of, numbers_of, read_table
from pytest_stbench.data.readers.units import UnitSize, contradiction
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec

IN_UM = frozenset({"x_location", "x_um", "global_x"})
"""Columns of transcripts that are um by their name: Xenium, plain tables, MERSCOPE."""


def declared(config: DatasetSpec) -> float | None:
    """Return the number that `scale` gives; None where it gives none."""
    scale = config.scale.um_per_px if config.scale is not None else None
    return float(scale) if isinstance(scale, int | float) else None


def of_um(path: Path, config: DatasetSpec, vendor: str) -> None:
    """Refuse a `scale` for files whose coordinates are um. Raises ``DataError`` with both sizes."""
    scale = declared(config)
    if scale is not None and abs(scale - 1) > EXACT:
        raise DataError(
            f"{path}: a unit is {scale:.4g} um by `scale`, and 1 um by the files, which {vendor} writes in "
            "um: leave out `scale`"
        )


def of_table(path: Path, config: DatasetSpec, vendor: str) -> float | None:
    """Return um per unit of a table of transcripts; None where nothing is declared.

    Raises ``DataError`` where it is declared for columns that are um.
    """
    if IN_UM & set(columns_of(path)):
        of_um(path, config, vendor)
        return None
    return declared(config)


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
    said = [] if scale is None else [UnitSize(scale, "`scale`")]
    said += _of_fields(fields)
    said += _of_areas(cells)
    if not said:
        raise DataError(
            f"{path}: coordinates of CosMx flat files are pixels, and no file says how large: write `scale: "
            "UM_PER_PX` in the task file (0.12028, in the first public data sets 0.18; the documents of the "
            "instrument say it), or add *_fov_positions_file.csv with x_global_mm"
        )
    if apart := contradiction(said):
        low, high = apart
        raise DataError(
            f"{path}: a pixel is {low.um:.4g} um by {low.where} and {high.um:.4g} um by {high.where}: "
            "correct `scale`, or copy the files anew"
        )
    return said[0].um


def _of_fields(path: Path | None) -> Iterator[UnitSize]:
    for pixels, mm in FIELDS if path is not None else ():
        assert path is not None  # looked at above
        if not {pixels, mm} <= set(columns_of(path)):
            continue
        table = read_table(path, [pixels, mm])
        x, y = (numbers_of(table, [pixels, mm], path) * (1, 1000)).T
        known = np.isfinite(x) & np.isfinite(y)
        x, y = x[known], y[known]
        if len(x) > 1 and np.ptp(x) > 0:
            um = abs(float(np.polyfit(x, y, 1)[0]))
            if PX[0] <= um <= PX[1]:
                yield UnitSize(um, f"{pixels} and {mm} of {path.name}")
                return


def _of_areas(path: Path | None) -> Iterator[UnitSize]:
    if path is None or not set(AREAS) <= set(columns_of(path)):
        return
    table = read_table(path, list(AREAS))
    px, um2 = numbers_of(table, AREAS, path).T
    known = (px > 0) & (um2 > 0)
    if known.any():
        um = float(np.sqrt(np.median(um2[known] / px[known])))
        if PX[0] <= um <= PX[1]:
            yield UnitSize(um, f"{AREAS[0]} and {AREAS[1]} of {path.name}")
