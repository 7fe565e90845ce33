"""What every patient and slide gained or lost between two runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.results.record import ScoreRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideChange:
    """What one slide gained (positive) or lost; units of the metric, positive = better now."""

    slide: str
    current: float
    stored: float
    difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientChange:
    """What one patient gained (positive) or lost, with its slides, the largest loss first."""

    patient: str
    current: float
    stored: float
    difference: float
    slides: tuple[SlideChange, ...] = ()

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> PatientChange:
        """Return the change that ``dataclasses.asdict`` made `data` of."""
        return cls(**{**data, "slides": tuple(SlideChange(**slide) for slide in data["slides"])})


def paired_differences(current: ScoreRecord, stored: ScoreRecord, *, better: str) -> dict[str, float]:
    """Return current - stored for each patient with a value in both, sorted by patient.

    Sign-flipped where lower is better, so that a positive difference is a gain. In the units of
    the metric.

    Raises
    ------
    ResultsError
        For a metric without a better direction.
    """
    return _differences(current.per_patient, stored.per_patient, _sign(current.metric, better))


def changes(
    current: ScoreRecord, stored: ScoreRecord, *, better: str, patient_of: Mapping[str, str]
) -> tuple[PatientChange, ...]:
    """Return what every patient gained or lost, the largest loss first, and so its slides.

    Parameters
    ----------
    current, stored
        Scores of one metric, pooled over folds.
    better
        ``up`` or ``down``.
    patient_of
        Patient of each slide.

    Returns
    -------
    tuple of PatientChange
        Patients (and slides) with a value in both runs; equal differences by name.

    Raises
    ------
    ResultsError
        For a metric without a better direction.
    """
    sign = _sign(current.metric, better)
    here, there = current.per_slide or {}, stored.per_slide or {}
    slides = [
        SlideChange(
            slide=slide, current=_defined(here[slide]), stored=_defined(there[slide]), difference=difference
        )
        for slide, difference in _differences(here, there, sign).items()
    ]
    patients = [
        PatientChange(
            patient=patient,
            current=_defined(current.per_patient[patient]),
            stored=_defined(stored.per_patient[patient]),
            difference=difference,
            slides=tuple(
                sorted(
                    (change for change in slides if patient_of.get(change.slide) == patient),
                    key=lambda change: (change.difference, change.slide),
                )
            ),
        )
        for patient, difference in paired_differences(current, stored, better=better).items()
    ]
    return tuple(sorted(patients, key=lambda change: (change.difference, change.patient)))


def _sign(metric: str, better: str) -> float:
    if better not in {"up", "down"}:
        raise ResultsError(
            f"{metric} has no better direction ({better}): differences between runs are neither gain nor loss"
        )
    return 1.0 if better == "up" else -1.0


def _differences(
    current: Mapping[str, float | None], stored: Mapping[str, float | None], sign: float
) -> dict[str, float]:
    return {
        name: sign * (_defined(current[name]) - _defined(stored[name]))
        for name in sorted(current.keys() & stored.keys())
        if not math.isnan(_defined(current[name])) and not math.isnan(_defined(stored[name]))
    }


def _defined(value: float | None) -> float:
    return math.nan if value is None else value
