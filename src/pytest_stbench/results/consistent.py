"""Whether the records of a results file follow from each other, and are those that were written."""

from __future__ import annotations

import hashlib
import json
import math
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from pytest_stbench.results.check_record import CheckRecord, LeftOutRecord
from pytest_stbench.results.checklist import ChecklistRecord
from pytest_stbench.results.provenance import DatasetRecord, LockRecord, ModelRecord, TaskRecord
from pytest_stbench.results.record import ContaminationRecord, ScoreRecord, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_stbench.results.record import GateRecord
    from pytest_stbench.results.schema import Results
    from pytest_stbench.results.stored import Stored

RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""How far a mean may be off: other tools write floats with 15 digits, and sum in another order."""
KINDS: Mapping[str, type[Stored]] = {
    "models": ModelRecord,
    "tasks": TaskRecord,
    "datasets": DatasetRecord,
    "checks": CheckRecord,
    "checklist": ChecklistRecord,
    "scores": ScoreRecord,
    "verdicts": VerdictRecord,
    "lock": LockRecord,
    "contamination": ContaminationRecord,
    "left_out": LeftOutRecord,
}
"""The records of a results file that have a digest, by the name of their field."""
DIGITS = 16
"""Hexadecimal digits kept of a digest: they find accidents, and stop nobody who means to deceive."""

LATER = frozenset({"own_name", "pack", "licence", "commercial", "gated"})
"""Fields that were added after digests were: a file without them is as it was written."""


def digests_of(results: Results) -> dict[str, tuple[str, ...]]:
    """Return a digest of every record, by kind and in their order."""
    return {kind: tuple(map(_digest, getattr(results, kind))) for kind in KINDS}


def mistakes(results: Results) -> Iterator[str]:
    """Yield what is wrong with a file, one line a record: changed since it was written, or inconsistent.

    Files of older versions have no digests: their headlines alone are held to the values of patients.
    """
    for kind, written in results.digests.items():
        records = getattr(results, kind) if kind in KINDS else ()
        if len(records) != len(written):
            yield f"{kind}: {len(records)} records where {len(written)} were written"
            continue
        for place, (record, digest) in enumerate(zip(records, written, strict=True)):
            if _digest(record) != digest:
                yield f"{_name(kind, place, record)}: changed after it was written"
    patients: dict[tuple[str, str], Mapping[str, str]] = {}
    for dataset in results.datasets:
        patients.setdefault((dataset.task, dataset.name.partition("+")[0]), dataset.patients)
    for place, score in enumerate(results.scores):
        for what in _of_score(score, patients.get((score.task, score.dataset), {})):
            yield f"{_name('scores', place, score)}: {what}"
    for place, verdict in enumerate(results.verdicts):
        for what in _of_verdict(verdict):
            yield f"{_name('verdicts', place, verdict)}: {what}"


def _of_score(score: ScoreRecord, patient_of: Mapping[str, str]) -> Iterator[str]:
    """Yield where a score does not follow from its patients, and these not from their slides."""
    values = [value for value in score.per_patient.values() if value is not None]
    if score.n_patients != len(values):
        yield f"n_patients is {score.n_patients}, but {len(values)} patients have a value"
    for name, follows in (("value", fmean), ("median", median), ("min", min), ("max", max)):
        stands = getattr(score, name)
        expected = follows(values) if values else None
        if not _agree(stands, expected) and (name == "value" or stands is not None):
            yield f"{name} is {_shown(stands)}, but per_patient gives {_shown(expected)}"
    low, high = score.ci_low, score.ci_high
    if score.value is not None and low is not None and high is not None:
        slack = RELATIVE * max(abs(low), abs(high)) + ABSOLUTE
        if not low - slack <= score.value <= high + slack:
            yield f"value {_shown(score.value)} lies outside its interval [{_shown(low)}, {_shown(high)}]"
    if None not in (score.skill, score.value, score.baseline, score.ceiling):
        room = score.ceiling - score.baseline  # type: ignore[operator]  # none of them is None here
        gone = score.value - score.baseline  # type: ignore[operator]  # as above
        if not _agree(score.skill * room, gone):  # type: ignore[operator]  # as above
            yield f"skill is {_shown(score.skill)}, but value, baseline and ceiling give {gone / room:.6g}"
    if score.per_slide and all(slide in patient_of for slide in score.per_slide):
        yield from _of_slides(score, score.per_slide, patient_of)


def _of_slides(
    score: ScoreRecord, per_slide: Mapping[str, float | None], patient_of: Mapping[str, str]
) -> Iterator[str]:
    by_patient: dict[str, list[float]] = {}
    for slide, value in per_slide.items():
        by_patient.setdefault(patient_of[slide], []).extend([] if value is None else [value])
    if set(by_patient) != set(score.per_patient):
        yield "per_patient and per_slide are not of the same patients"
        return
    for patient, slides in by_patient.items():
        stands, expected = score.per_patient[patient], fmean(slides) if slides else None
        if not _agree(stands, expected):
            yield f"per_patient[{patient!r}] is {_shown(stands)}, but its slides give {_shown(expected)}"


def _of_verdict(verdict: VerdictRecord) -> Iterator[str]:
    for gate in verdict.gates:
        met = _met(gate)
        if met is not None and gate.outcome in ("pass", "fail") and met != (gate.outcome == "pass"):
            yield (
                f"the rule {gate.kind} says {gate.outcome}, but {_shown(gate.estimate)} was held against "
                f"{_shown(gate.threshold)}"
            )
    open_rules = [gate.kind for gate in verdict.gates if gate.declared and gate.outcome != "pass"]
    if verdict.verdict == "pass" and open_rules:
        yield f"the verdict is pass, but the rule {open_rules[0]} was not passed"


def _met(gate: GateRecord) -> bool | None:
    """Tell whether a rule on the score alone is met; None where it cannot be told, or only just."""
    if gate.kind not in ("min", "min_patient", "max") or gate.estimate is None or gate.threshold is None:
        return None
    above = gate.estimate - gate.threshold
    if _agree(gate.estimate, gate.threshold):
        return None
    return above < 0 if gate.kind == "max" else above > 0


def _agree(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _shown(value: float | None) -> str:
    return "null" if value is None else f"{value:.6g}"


def _name(kind: str, place: int, record: Stored) -> str:
    parts = [str(part) for part in record.key if part not in (None, "")]
    return f"{kind}[{place}] ({' '.join(parts)})"


def _digest(record: Stored) -> str:
    told = {name: held for name, held in record.to_dict().items() if held is not None or name not in LATER}
    text = json.dumps(canonical(told), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def canonical(value: Any) -> Any:
    """Return `value` with one form for each number: tools write 1.0 as 1, and 1e-05 as 0.00001."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return value


def first_of(found: Sequence[str], most: int = 3) -> str:
    """Return the first few lines, and how many more there are."""
    more = f"; and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + more
