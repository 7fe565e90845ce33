"""What stands over all folds of a results file, read without the rest: most records are of single folds."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.results.consistent import KINDS
from pytest_stbench.results.details import KeptRecord
from pytest_stbench.results.provenance import RunRecord
from pytest_stbench.results.schema import SCHEMA, Results, bytes_of, load
from pytest_stbench.results.unchanged import is_unchanged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

READ = ("models", "tasks", "datasets", "scores", "lock", "contamination")
"""Kinds of records that are read."""
TELLING = ("fold", "seed", "variant", "role", "task", "metric")
"""Fields that tell whether a score is read."""


def load_pooled(path: str | Path) -> Results:
    """Read pooled scores of a results file, and what tells whether they may be compared.

    Scores of single folds, checks, verdicts and what was left out are passed over. A file that is as it was
    written is not judged anew; any other one is read as :func:`~pytest_stbench.results.schema.load` does.

    Raises
    ------
    ResultsError
        As :func:`~pytest_stbench.results.schema.load`.
    """
    path = Path(path)
    return pooled_of(path, bytes_of(path))


def pooled_of(path: Path, content: bytes) -> Results:
    """Return what :func:`load_pooled` does, of a file whose bytes are `content`."""
    return placed_of(path, content)[0]


def placed_of(path: Path, content: bytes, *, primary: bool = False) -> tuple[Results, tuple[int, ...]]:
    """Return what :func:`pooled_of` does, and where each of its scores stands in the file.

    With `primary`, only scores of models under test in the main setting, on the primary metric of their task.
    """
    found = _fast(content, primary=primary) if is_unchanged(content) else None
    if found is not None:
        return found
    results = load(path)
    metrics = {task.name: task.primary for task in results.tasks} if primary else None
    places = _places(map(attrgetter(*TELLING), results.scores), metrics)
    pooled = replace(
        results,
        scores=tuple(results.scores[place] for place in places),
        checks=(), checklist=(), verdicts=(), left_out=(),
    )  # fmt: skip
    return pooled, places


def _places(scores: Iterable[tuple[Any, ...]], primary: Mapping[str, str] | None) -> tuple[int, ...]:
    """Return the places of pooled scores, of which the fields :data:`TELLING` are given."""
    return tuple(
        place
        for place, (fold, seed, variant, role, task, metric) in enumerate(scores)
        if fold is None
        and (
            primary is None
            or (role == "model" and seed is None and not variant and metric == primary.get(task))
        )
    )


def _fast(content: bytes, *, primary: bool) -> tuple[Results, tuple[int, ...]] | None:
    """Return the records without a look at their types; None where another version wrote other fields."""
    from pydantic_core import from_json

    data = from_json(content)
    if data["schema"] != SCHEMA:
        return None
    try:
        metrics = {task["name"]: task["primary"] for task in data["tasks"]} if primary else None
        places = _places(map(itemgetter(*TELLING), data["scores"]), metrics)
        data["scores"] = [data["scores"][place] for place in places]
        records: dict[str, Any] = {
            kind: tuple(KINDS[kind](**record) for record in data[kind]) for kind in READ
        }
        results = Results(
            **records,
            run=RunRecord(**data["run"]) if data["run"] else None,
            earlier_runs=tuple(RunRecord(**record) for record in data["earlier_runs"]),
            kept=KeptRecord.from_dict(data["kept"]) if data["kept"] else None,
            digests=_tuples(data["digests"]),
            sha256=data["sha256"],
        )
    except (TypeError, KeyError):
        return None
    return results, places


def _tuples(digests: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {kind: tuple(found) for kind, found in digests.items()}
