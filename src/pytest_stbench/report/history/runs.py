"""The runs of folders and files, by date; of each only what a curve over runs shows."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from pytest_stbench.checks.wording import some
from pytest_stbench.errors import ResultsError
from pytest_stbench.results.pooled import placed_of
from pytest_stbench.results.reference import is_reference
from pytest_stbench.results.schema import SCHEMA, bytes_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from pathlib import Path

    from pytest_stbench.results.schema import Results

T = TypeVar("T")
AS_SCHEMA = f'"{SCHEMA}"'.encode()


@dataclass(frozen=True, slots=True, eq=False)
class Dated:
    """One run: when it was, what tells whether it may be compared, and its primary scores with their places.

    ``results`` holds pooled scores of models under test on the primary metric of each task alone.
    """

    path: Path
    name: str
    date: datetime
    sha256: str
    results: Results
    places: tuple[int, ...]
    day: str = ""
    """Its date as text, with the time where several runs are of one day."""

    @property
    def models(self) -> set[str]:
        """Models under test that it scored."""
        return {score.model for score in self.results.scores}

    def revision(self, model: str) -> str:
        """Return the revision that a model declares; empty without one."""
        found = next((record for record in self.results.models if record.name == model), None)
        return (found.revision or "") if found else ""


@dataclass(slots=True)
class Runs:
    """Runs by date, the newest last, and a sentence for whatever of the folders is none of them."""

    found: list[Dated] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def files_of(folder: Path) -> list[Path]:
    """Return the JSON files that lie in a folder, by name. Raises ``ResultsError``."""
    try:
        found = [path for path in folder.iterdir() if path.suffix == ".json" and path.is_file()]
    except OSError as error:
        raise ResultsError(f"{folder}: the folder cannot be read: {error.strerror or error}") from None
    return sorted(path for path in found if not path.name.startswith("."))


def runs_of(paths: Sequence[Path]) -> Runs:
    """Read the runs of folders, and files beside them, each once.

    A file that a folder holds and that is no run, or a damaged one, is left out and said; references are
    passed over.

    Raises
    ------
    ResultsError
        Where a file that is named cannot be used, or no run has a date and a score.
    """
    named = [path for path in paths if not path.is_dir()]
    folders = [path for path in paths if path.is_dir()]
    seen = {path.resolve() for path in named}
    inside = []
    for folder in folders:
        for path in files_of(folder):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                inside.append(path)
    runs = Runs()
    found = sorted(_read(named, inside, runs.notices), key=lambda run: (run.date, run.name))
    several = len({f"{run.date:%Y-%m-%d}" for run in found}) < len(found)
    runs.found = [
        replace(run, day=f"{run.date:%Y-%m-%d %H:%M}" if several else f"{run.date:%Y-%m-%d}") for run in found
    ]
    if not runs.found:
        where = ", ".join(map(str, folders))
        why = f": {'; '.join(runs.notices)}" if runs.notices else ""
        raise ResultsError(
            f"{where}: no run with a date and a score of a model lies there{why}. Write runs into it with "
            "--stbench-save=FILE.json"
        )
    return runs


def _read(named: Sequence[Path], inside: Sequence[Path], notices: list[str]) -> Iterator[Dated]:
    stems = Counter(path.name for path in (*named, *inside))
    digests: dict[str, Path] = {}
    left_out: dict[str, list[str]] = {}
    thin = Thin()
    for path in (*named, *inside):
        name = path.name if stems[path.name] == 1 else str(path)
        try:
            content = bytes_of(path)
            if is_reference(content):
                left_out.setdefault("references", []).append(name)
                continue
            if path not in named and AS_SCHEMA not in content:
                left_out.setdefault("no results files", []).append(name)
                continue
            digest = hashlib.sha256(content).hexdigest()
            if digest in digests:
                notices.append(f"{name} is a copy of {digests[digest].name}: it counts once")
                continue
            results, places = placed_of(path, content, primary=True)
        except ResultsError as error:
            if path in named:
                raise
            notices.append(f"{error}; the run is left out of the history")
            continue
        del content
        digests[digest] = path
        date = _date(results)
        if date is None:
            left_out.setdefault("no date of the run", []).append(name)
            continue
        if not places:
            left_out.setdefault("no primary score of a model under test", []).append(name)
            continue
        yield Dated(path, name, date, digest, thin.of(results), places)
    notices += [f"left out of the history ({why}): {some(names)}" for why, names in left_out.items()]


def _date(results: Results) -> datetime | None:
    """Return when the last run of a file started; None where it does not say so."""
    try:
        found = datetime.fromisoformat(results.run.started) if results.run else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


class Thin:
    """Leaves of results what curves show; what runs have in common is kept once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, object] = {}

    def of(self, results: Results) -> Results:
        """Return results without what no curve shows."""
        return replace(
            results,
            tasks=tuple(self._once(("task", task.key), task) for task in results.tasks),
            datasets=tuple(
                self._once(("data", data.key), replace(data, depth={}, libsize_maps={}, genes_renamed={}))
                for data in results.datasets
            ),
            lock=tuple(self._once(("fold", fold.key), fold) for fold in results.lock),
            scores=tuple(replace(score, per_slide=None) for score in results.scores),
            contamination=(), digests={}, kept=None,
        )  # fmt: skip

    def _once(self, key: Hashable, record: T) -> T:
        """Return the record of this key that came last where it is the same."""
        last = self._known.get(key)
        if last != record:
            self._known[key] = last = record
        return last
