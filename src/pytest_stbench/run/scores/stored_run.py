"""The run given with ``--stbench-compare``: what of it a new score may be compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import ResultsError
from pytest_stbench.results.comparable import changes, counterpart, why_not_comparable
from pytest_stbench.results.schema import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_stbench.results.record import ScoreRecord
    from pytest_stbench.run.cells import Pool
    from pytest_stbench.run.provenance.task_records import TaskRecords


class StoredRun:
    """Results of an earlier run. Raises ``ResultsError`` when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._results = load(path)
        self._refusals: dict[tuple[str, str], list[str]] = {}

    def comparison(self, facts: TaskRecords, score: ScoreRecord, pool: Pool, better: str) -> dict[str, Any]:
        """Return how `score` compares with the stored run, in builtin values.

        ``refused`` lists why it must not be compared (then nothing else is given); ``per_patient``
        are the stored values, ``changes`` what every patient and slide gained or lost; ``digests``
        tells whether the file has any, by which a change by accident would have been seen.
        """
        found: dict[str, Any] = {
            "name": self.name,
            "metric": score.metric,
            "pool": pool.id,
            "digests": bool(self._results.digests),
            "refused": self._why_not(facts, pool),
            "per_patient": {},
            "changes": [],
        }
        if found["refused"]:
            return found
        try:
            stored = counterpart(score, self._results)
        except ResultsError as error:
            return {**found, "refused": [str(error)]}
        if stored is None:
            return found
        patients = facts.patients(pool.dataset)
        listed = better in ("up", "down") and changes(score, stored, better=better, patient_of=patients)
        return {
            **found,
            "model": stored.model,
            "value": stored.value,
            "per_patient": dict(stored.per_patient),
            "changes": [_plain(change) for change in listed or ()],
        }

    def _why_not(self, facts: TaskRecords, pool: Pool) -> list[str]:
        key = (pool.dataset, pool.id)
        if key not in self._refusals:
            lock = [facts.lock(cell) for cell in pool.cells]
            self._refusals[key] = why_not_comparable(
                facts.task(), [facts.dataset(pool.dataset)], self._results, lock
            )
        return self._refusals[key]


def _plain(change: Any) -> Mapping[str, Any]:
    return {
        "patient": change.patient,
        "difference": change.difference,
        "slides": [{"slide": slide.slide, "difference": slide.difference} for slide in change.slides],
    }
