"""What stands over all folds of a results file, read without the rest: most records are of single folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.results.consistent import KINDS
from pytest_stbench.results.details import KeptRecord
from pytest_stbench.results.provenance import RunRecord
from pytest_stbench.results.schema import SCHEMA, Results, bytes_of, load
from pytest_stbench.results.unchanged import is_unchanged

if TYPE_CHECKING:
    from collections.abc import Mapping

READ = ("models", "tasks", "datasets", "scores", "lock", "contamination")
"""Kinds of records that are read."""


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
    found = _fast(content) if is_unchanged(content) else None
    if found is not None:
        return found
    results = load(path)
    return replace(
        results,
        scores=tuple(score for score in results.scores if score.fold is None),
        checks=(), checklist=(), verdicts=(), left_out=(),
    )  # fmt: skip


def _fast(content: bytes) -> Results | None:
    """Return the records without a look at their types; None where another version wrote other fields."""
    from pydantic_core import from_json

    data = from_json(content)
    if data["schema"] != SCHEMA:
        return None
    data["scores"] = [score for score in data["scores"] if score["fold"] is None]
    try:
        records: dict[str, Any] = {
            kind: tuple(KINDS[kind](**record) for record in data[kind]) for kind in READ
        }
        return Results(
            **records,
            run=RunRecord(**data["run"]) if data["run"] else None,
            earlier_runs=tuple(RunRecord(**record) for record in data["earlier_runs"]),
            kept=KeptRecord.from_dict(data["kept"]) if data["kept"] else None,
            digests=_tuples(data["digests"]),
            sha256=data["sha256"],
        )
    except (TypeError, KeyError):
        return None


def _tuples(digests: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {kind: tuple(found) for kind, found in digests.items()}
