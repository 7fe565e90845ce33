"""What a file of ``stbench bin`` says of the units that were formed: ``uns["bin"]`` and their measures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.readers import hdf5
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

BIN = "bin"
PITCH = "pitch_um"
MEASURES = ("area_um2", "cells", "control_counts", "tissue_share", "transcripts")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Formed:
    """Pitch of the lattice and measures of the units, (n,) each; nothing where units were not formed."""

    pitch_um: float | None = None
    measures: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def formed_units(file: h5py.File, path: Path) -> Formed:
    """Return what the file says of its units. Raises ``DataError`` for a measure that is no number."""
    settings = file.get("uns", {}).get(BIN)
    if not hasattr(settings, "keys"):
        return Formed()
    there = set(hdf5.columns(file["obs"]))
    measures = {}
    for name in MEASURES:
        if name not in there:
            continue
        try:
            measures[name] = np.asarray(hdf5.column(file["obs"], name), dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(
                f"{path}: obs[{name!r}] of units formed by `stbench bin` must hold numbers; form them anew"
            ) from None
    return Formed(pitch_um=_pitch(file, path) if PITCH in settings else None, measures=measures)


def _pitch(file: h5py.File, path: Path) -> float:
    try:
        pitch = hdf5.number(file, f"{BIN}.{PITCH}")
    except ValueError:
        pitch = math.nan
    if not 0 < pitch < math.inf:
        raise DataError(f"{path}: uns['{BIN}']['{PITCH}'] must be one number above 0; form the units anew")
    return pitch
