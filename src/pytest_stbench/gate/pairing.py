"""Patients with a value on both sides, and their differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PatientValues = Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paired:
    """Differences ``(n,)`` of the patients with a value on both sides, sorted by patient.

    A positive difference is in favour of the model. ``excluded`` names the patients of either
    side that have no value on one of them.
    """

    patients: tuple[str, ...]
    differences: NDArray[np.float64]
    excluded: tuple[str, ...]


def paired(model: PatientValues, reference: PatientValues, *, metric: str, better: str) -> Paired:
    """Return model - reference by patient, sign-flipped where lower is better.

    Raises
    ------
    StbenchError
        For a metric without a better direction.
    """
    if better not in {"up", "down"}:
        raise StbenchError(no_direction(metric))
    sign = 1.0 if better == "up" else -1.0
    ours, theirs = defined(model), defined(reference)
    # The order fixes which resample takes which patient, so it must not depend on the mappings.
    patients = tuple(sorted(ours.keys() & theirs.keys()))
    return Paired(
        patients=patients,
        differences=np.array([sign * (ours[name] - theirs[name]) for name in patients], dtype=np.float64),
        excluded=tuple(sorted((model.keys() | reference.keys()) - set(patients))),
    )


def defined(values: PatientValues) -> dict[str, float]:
    """Return the patients with a finite value, sorted by name."""
    return {
        name: float(value)
        for name, value in sorted(values.items())
        if value is not None and math.isfinite(value)
    }


def no_direction(metric: str) -> str:
    """Return the message for a comparison on a metric that only gives context."""
    return (
        f"{metric} gives context and has no better direction, so nothing can beat or be worse than anything "
        "by it: gate a metric with a direction, or bound this one with `min` and `max`"
    )
