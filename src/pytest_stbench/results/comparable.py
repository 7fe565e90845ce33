"""Whether two runs may be compared, and where they differ by patient and slide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.errors import ResultsError
from pytest_stbench.spec.numbers import moves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_stbench.results.provenance import DatasetRecord, LockRecord, TaskRecord
    from pytest_stbench.results.record import ScoreRecord
    from pytest_stbench.results.schema import Results

THERE = "in the stored run"


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


def why_not_comparable(
    task: TaskRecord, datasets: Iterable[DatasetRecord], stored: Results, lock: Iterable[LockRecord] = ()
) -> list[str]:
    """Return every reason not to compare a run with a stored one; empty when they compare.

    Parameters
    ----------
    task
        The task of the current run.
    datasets
        Its data sets; those of other tasks are passed over.
    stored
        The stored run.
    lock
        The folds of the current run; a fold is judged when both runs hold it.

    Returns
    -------
    list of str
        One line a difference: numbers that moved between builds, version, family and parts of the fingerprint
        (``preprocess.normalise``), checksums, patients of slides, slides and genes of folds.
    """
    before = next((other for other in stored.tasks if other.key == task.key), None)
    if before is None:
        known = ", ".join(sorted(other.name for other in stored.tasks)) or "none"
        return [f"the stored run has no task {task.name} (tasks there: {known})"]
    reasons = task_differences(task, before)
    known_datasets = {dataset.key: dataset for dataset in stored.datasets}
    for dataset in datasets:
        if dataset.task != task.name:
            continue
        if dataset.key not in known_datasets:
            reasons.append(f"data set {dataset.name}: not {THERE}")
            continue
        differences = dataset_differences(dataset, known_datasets[dataset.key])
        reasons += [f"data set {dataset.name}: {line}" for line in differences]
    known_folds = {fold.key: fold for fold in stored.lock}
    for fold in lock:
        if fold.task == task.name and fold.key in known_folds:
            name = "-".join(part for part in (fold.dataset, fold.variant, fold.split, fold.fold) if part)
            reasons += [f"fold {name}: {line}" for line in _fold_differences(fold, known_folds[fold.key])]
    return reasons


def task_differences(current: TaskRecord, stored: TaskRecord, *, there: str = THERE) -> list[str]:
    """Return what differs between two records of one task: moved numbers first, then parts by name."""
    families = (current.family, current.wraps)
    lines = moves(current.numbers, stored.numbers, families, there=there)
    lines += [
        f"{name} {here!r} here, {before!r} {there}"
        for name, here, before in (
            ("version", current.version, stored.version),
            ("family", current.family, stored.family),
        )
        if here != before
    ]

    def part(name: str, here: str | None, before: str | None) -> str:
        # The digests would tell nobody anything.
        if before is None:
            return f"{name} is set here and not {there}"
        return f"{name} is set {there} and not here" if here is None else f"{name} differs from that {there}"

    lines += _mapping_differences(current.fingerprint_parts, stored.fingerprint_parts, part)
    if not lines and current.fingerprint != stored.fingerprint:
        lines.append(
            f"fingerprint {current.fingerprint} here, {stored.fingerprint} {there}, with equal parts: "
            "another version of pytest-stbench or of a file the task names"
        )
    return lines


def dataset_differences(current: DatasetRecord, stored: DatasetRecord, *, there: str = THERE) -> list[str]:
    """Return what differs between two records of one data set: checksum, patients of slides."""

    def patient(slide: str, here: str | None, before: str | None) -> str:
        ours, theirs = ("absent" if who is None else _short(who) for who in (here, before))
        return f"patient of slide {slide}: {ours} here, {theirs} {there}"

    lines = _mapping_differences(current.patients, stored.patients, patient)
    if current.checksum != stored.checksum:
        lines.insert(0, f"checksum {current.checksum} here, {stored.checksum} {there}")
    return lines


def counterpart(score: ScoreRecord, stored: Results) -> ScoreRecord | None:
    """Return the score of the stored run that `score` is to be compared with.

    It is that of the model of the same name, else of the only model under test in the stored run
    (a release may carry a new name); None when this metric was not measured there.

    Raises
    ------
    ResultsError
        When the stored run holds several models and none has the name.
    """
    place = ("task", "dataset", "variant", "split", "fold", "seed", "role", "metric")
    wanted = tuple(getattr(score, name) for name in place)
    found = {
        other.model: other
        for other in stored.scores
        if tuple(getattr(other, name) for name in place) == wanted
    }
    if score.model in found:
        return found[score.model]
    models = sorted({other.model for other in stored.scores if other.role == score.role})
    if score.model in models:
        return None
    if len(models) > 1:
        raise ResultsError(
            f"the stored run has no model {score.model} but several others ({', '.join(models)}): "
            "compare with a file that holds one model, or give the model the name it has there"
        )
    return next(iter(found.values()), None)


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


def _mapping_differences(
    current: Mapping[str, str], stored: Mapping[str, str], said: Callable[[str, str | None, str | None], str]
) -> list[str]:
    """Return what is `said` of each name whose values differ: here and there, None where one has none."""
    names = sorted(current.keys() | stored.keys())
    values = ((name, current.get(name), stored.get(name)) for name in names)
    return [said(name, here, before) for name, here, before in values if here != before]


def _fold_differences(current: LockRecord, stored: LockRecord) -> list[str]:
    kinds = (
        ("training slides", current.train, stored.train),
        ("test slides", current.test, stored.test),
        ("genes", current.genes, stored.genes),
    )
    return [
        f"{kind}: {_set_difference(here, before)}" for kind, here, before in kinds if set(here) != set(before)
    ]


def _set_difference(current: Sequence[str], stored: Sequence[str]) -> str:
    parts = []
    for label, names in (
        ("only here", sorted(set(current) - set(stored))),
        (f"only {THERE}", sorted(set(stored) - set(current))),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            parts.append(f"{label} {', '.join(names[:5])}{more}")
    return ", ".join(parts)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
