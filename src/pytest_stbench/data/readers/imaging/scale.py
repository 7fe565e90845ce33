"""The unit of coordinates in vendors' files: what is declared against what the files say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.data.readers.imaging.tables import columns_of
from pytest_stbench.data.readers.libraries import EXACT
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
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
