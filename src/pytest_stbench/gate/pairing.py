"""Patients with a value on both sides, their differences, and where a score stands by them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import StbenchError
from pytest_stbench.gate.intervals import bound_for
from pytest_stbench.kernels.guarded import MIN_PATIENTS, TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.gate.margins import Floor
    from pytest_stbench.results.record import Standing

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
        raise StbenchError(
            f"{metric} gives context and has no better direction, so nothing can beat or be worse than "
            "anything by it: gate a metric with a direction, or bound this one with `min` and `max`"
        )
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """The word, the mean paired difference to S (positive = model better) and its guarded lower bound.

    ``low`` is None below six patients.
    """

    word: Standing
    difference: float
    low: float | None


def stand(
    model: PatientValues, simple: PatientValues, *, metric: str, better: str, floor: Floor
) -> Stand | None:
    """Return where a model stands beside the simple baseline S.

    From six patients on the guarded bounds decide: ``above S`` where the difference is shown to be more
    than the least margin, ``below S`` where it is shown to be that much less, else ``level``. Below six
    patients nothing is shown, and the words say what was seen: above or below where every patient is.

    Parameters
    ----------
    model, simple
        Values by patient, same folds.
    metric, better
        Name and direction of the metric.
    floor
        The least margin: what is below it is no difference.

    Returns
    -------
    Stand or None
        None for a metric of context, and where no patient has a value on both sides.
    """
    if better == "context":
        return None
    d = paired(model, simple, metric=metric, better=better).differences
    if not len(d):
        return None
    reported = bound_for(d)
    least, most, low = float(np.min(d)), float(np.max(d)), None
    if reported.n >= MIN_PATIENTS and reported.interval is not None:
        least, most = reported.interval.low, reported.interval.high
        low = least
    word: Standing = "level"
    if least - floor.value > TOLERANCE:
        word = "above S"
    elif most + floor.value < -TOLERANCE:
        word = "below S"
    return Stand(word=word, difference=reported.mean, low=low)
