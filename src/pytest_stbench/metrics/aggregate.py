"""From the scores of a slide to one number: genes, then slides, then patients."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.metrics.scores import DATA_REASONS, MODEL_REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_stbench.metrics.scores import Scores
    from pytest_stbench.registry import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideValue:
    """One metric on one slide.

    ``value`` is the mean over genes or units, nan if nothing was left to average. ``undefined``
    counts every undefined score by its reason, those that were filled included, so that
    ``n_total`` = ``n_valid`` + all of them. ``raw_median`` is the median of the defined scores as
    they are, neither filled nor floored. ``effects`` says by how much each random draw behind the value
    moves it, () where nothing is drawn.
    """

    value: float
    n_total: int
    n_valid: int
    undefined: dict[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    raw_median: float = float("nan")
    effects: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One metric over patients; ``n_patients`` have a value, ``n_undefined`` have none.

    Every number is nan if no patient has a value.
    """

    value: float
    median: float
    min: float
    max: float
    n_patients: int
    n_undefined: int


def slide_value(scores: Scores, record: Metric) -> SlideValue:
    """Average the scores of a slide.

    A score that is undefined because of the data leaves the mean. One that is undefined through
    the model's own fault counts as ``record.fill``, so that constants on hard genes do not raise
    the mean; a metric without such a value is then nan as a whole. Single scores are bounded from
    below by ``record.floor``.

    Parameters
    ----------
    scores
        The scores of one slide.
    record
        The metric they belong to.

    Returns
    -------
    SlideValue
        The mean and the account of every score.

    Raises
    ------
    ValueError
        If a reason is not one of the known codes.
    """
    defined = scores.values[scores.reasons == ""]
    undefined = dict(sorted(Counter(scores.reasons[scores.reasons != ""].tolist()).items()))
    unknown = [reason for reason in undefined if reason not in DATA_REASONS + MODEL_REASONS]
    if unknown:
        raise ValueError(f"{record.name} gave the unknown reason {unknown[0]!r}; use one of metrics.scores")
    n_filled = sum(count for reason, count in undefined.items() if reason in MODEL_REASONS)
    n_total, n_valid = len(scores.values), len(defined)
    if n_total != n_valid + sum(undefined.values()):
        message = f"{record.name}: {n_total} scores, but {n_valid} values and the reasons {undefined}"
        raise AssertionError(message)
    floored = defined if record.floor is None else np.maximum(defined, record.floor)
    fill = float("nan") if record.fill is None else record.fill
    averaged = np.concatenate([floored, np.full(n_filled, fill)])
    moved: tuple[float, ...] = ()
    if scores.effects is not None and len(averaged):
        moved = tuple((scores.effects[scores.reasons == ""].sum(axis=0) / len(averaged)).tolist())
    return SlideValue(
        value=float(averaged.mean()) if len(averaged) else float("nan"),
        n_total=n_total,
        n_valid=n_valid,
        undefined=undefined,
        flags=scores.flags,
        raw_median=float(np.median(defined)) if n_valid else float("nan"),
        effects=moved,
    )


def mean_value(values: Sequence[SlideValue]) -> SlideValue:
    """Average repeated values of one metric on one slide, such as those of several clusterings.

    Undefined repeats leave the mean; what they count of their scores is that of the first. Without
    any, the value is nan and nothing is counted.
    """
    if not values:
        return SlideValue(value=float("nan"), n_total=0, n_valid=0)
    if len(values) == 1:
        return values[0]
    return replace(
        values[0],
        value=defined_mean([value.value for value in values]),
        raw_median=defined_mean([value.raw_median for value in values]),
        flags=tuple(dict.fromkeys(flag for value in values for flag in value.flags)),
    )


def patient_values(slide_values: Mapping[str, float], patient_of: Mapping[str, str]) -> dict[str, float]:
    """Average the slides of each patient, all with the same weight.

    Parameters
    ----------
    slide_values
        Slide id -> value; nan slides leave the mean.
    patient_of
        Slide id -> patient id, for every slide of `slide_values`.

    Returns
    -------
    dict
        Patient id -> value, in the order of the slides; nan if none of its slides has a value.

    Raises
    ------
    ValueError
        If a slide has no patient.
    """
    orphans = [slide for slide in slide_values if slide not in patient_of]
    if orphans:
        message = f"slide {orphans[0]!r} has no patient: name the patient of every slide in the samples table"
        raise ValueError(message)
    by_patient: dict[str, list[float]] = {}
    for slide, value in slide_values.items():
        known = by_patient.setdefault(patient_of[slide], [])
        if not math.isnan(value):
            known.append(float(value))
    return {patient: _mean(values) for patient, values in by_patient.items()}


def headline(patient_values: Mapping[str, float]) -> Headline:
    """Average patients, all with the same weight; nan patients leave the mean and are counted.

    Parameters
    ----------
    patient_values
        Patient id -> value.
    """
    values = _present(list(patient_values.values()))
    nan = float("nan")
    return Headline(
        value=_mean(values),
        median=median(values) if values else nan,
        min=min(values, default=nan),
        max=max(values, default=nan),
        n_patients=len(values),
        n_undefined=len(patient_values) - len(values),
    )


def defined_mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are not nan; nan without any."""
    return _mean(_present(values))


def _present(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values if not math.isnan(value)]


def _mean(values: list[float]) -> float:
    if len(values) == 1:
        return values[0] + 0.0  # as a sum has it, without the sign of a zero
    return fmean(values) if values else math.nan
