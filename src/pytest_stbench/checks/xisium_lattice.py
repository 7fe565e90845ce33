"""The lattice that units declared as Xisium spots stand on; a part of Q18."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.checks.values import as_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide


PITCHES_UM = {"visium": 100.0, "tiled": 55.0}
FURTHER = 18

SURROUNDED_DEGREES = 100.0
"""No direction wider than this is free around an inner unit; one missing neighbour leaves 120."""

RING = 1.5
"""Neighbours within so many pitches tell whether a unit lies inside of the tissue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """What was measured on one slide; None where it could not be."""

    pitch: float
    error: float
    six: float | None
    square: bool
    spread: float
    phase: tuple[float, float]


def measured_lattice(dataset: Subject, slide: Slide, tolerance: float) -> Lattice | None:
    """Return what the units of a slide stand on; None where there is nothing to measure."""
    xy = as_numbers(slide.xy_um)
    if xy.ndim != 2 or xy.shape[1:] != (2,):
        return None
    xy = xy[np.isfinite(xy).all(axis=1)]
    if len(xy) < 2:  # one unit has no neighbour
        return None
    near = min(FURTHER + 1, len(xy))
    distance, neighbour = cKDTree(xy).query(xy, k=near)
    nearest = distance[:, 1]
    median = float(np.median(nearest))
    if not median > 0:
        return None
    declared = slide.meta.pitch_um or dataset.config.pitch_um
    pitches = (float(declared),) if declared and declared > 0 else tuple(PITCHES_UM.values())
    pitch = min(pitches, key=lambda value: abs(np.log(median / value)))
    inner = _surrounded(xy, distance, neighbour, median)
    at_pitch = (np.abs(distance[:, 1:] / pitch - 1) <= tolerance).sum(axis=1)
    at_median = (np.abs(distance[:, 1:] / median - 1) <= tolerance).sum(axis=1)
    lower = xy.min(axis=0)
    return Lattice(
        pitch=pitch,
        error=abs(median / pitch - 1),
        six=float((at_pitch[inner] == 6).mean()) if inner.any() else None,
        square=bool(inner.any() and np.median(at_median[inner]) == 4),
        spread=float(nearest.std() / nearest.mean()),
        phase=(float(lower[0] % pitch), float(lower[1] % (pitch * np.sqrt(3)))),
    )


def _surrounded(
    xy: NDArray[np.float64], distance: NDArray[np.float64], neighbour: NDArray[np.intp], median: float
) -> NDArray[np.bool_]:
    """Return which units have neighbours in every direction, (n,)."""
    to = xy[neighbour[:, 1:]] - xy[:, None, :]
    angle = np.degrees(np.arctan2(to[..., 1], to[..., 0]))
    # Beyond the ring an angle repeats the first one, which adds no direction.
    angle = np.where(distance[:, 1:] <= RING * median, angle, angle[:, :1])
    angle.sort(axis=1)
    gaps = np.diff(np.column_stack([angle, angle[:, 0] + 360.0]), axis=1)
    inner: NDArray[np.bool_] = gaps.max(axis=1) < SURROUNDED_DEGREES
    return inner
