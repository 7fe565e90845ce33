"""The run given with ``--stbench-compare``: what of it a new score may be compared with."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import ResultsError
from pytest_stbench.results.comparable import Counterparts, why_not_comparable
from pytest_stbench.results.earlier import load_earlier
from pytest_stbench.results.run_changes import changes

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.results.record import ScoreRecord
    from pytest_stbench.run.cells import Pool
    from pytest_stbench.run.provenance.task_records import TaskRecords


class StoredRun:
    """An earlier run or an approved reference. Raises ``ResultsError`` when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        earlier = load_earlier(path)
        self.name = earlier.name
        self._reason = earlier.reason
        self._results = earlier.results
        self._counterparts = Counterparts(earlier.results)
        self._refusals: dict[tuple[str, str], list[str]] = {}

    def comparison(self, facts: TaskRecords, score: ScoreRecord, pool: Pool, better: str) -> dict[str, Any]:
        """Return how `score` compares with the stored run, in builtin values.

        ``refused`` lists why it must not be compared (then nothing else is given); ``per_patient``
        are the stored values, ``changes`` what every patient and slide gained or lost; ``digests``
        tells whether the file has any, by which a change by accident would have been seen.
        """
        found: dict[str, Any] = {
            "name": self.name,
            "reason": self._reason,
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
            stored = self._counterparts.of(score)
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
            "changes": [asdict(change) for change in listed or ()],
        }

    def _why_not(self, facts: TaskRecords, pool: Pool) -> list[str]:
        key = (pool.dataset, pool.id)
        if key not in self._refusals:
            lock = [facts.lock(cell) for cell in pool.cells]
            self._refusals[key] = why_not_comparable(
                facts.task(), [facts.dataset(pool.dataset)], self._results, lock
            )
        return self._refusals[key]
