"""The results files that a report is made of, and what was kept beside them."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import ResultsError
from pytest_stbench.report.page.render import Number
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.results.comparable import dataset_differences, task_differences
from pytest_stbench.results.details import digest_of_file
from pytest_stbench.results.schema import load
from pytest_stbench.results.single_scores import MARKER, NICHE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from pytest_stbench.results.details import KeptMapRecord, KeptRecord, KeptScoresRecord
    from pytest_stbench.results.provenance import DatasetRecord, TaskRecord
    from pytest_stbench.results.record import ScoreRecord
    from pytest_stbench.results.schema import Results

SHOWN = 3
"""Differences of two files that are said."""


@dataclass(slots=True, eq=False)
class Source:
    """One results file: its number on the page, its name, what it holds, and the digest of its bytes."""

    number: int
    path: Path
    name: str
    results: Results
    digest: str
    tasks: dict[str, TaskRecord] = field(init=False)
    datasets: dict[tuple[str, str], DatasetRecord] = field(init=False)

    def __post_init__(self) -> None:
        self.tasks = {task.name: task for task in self.results.tasks}
        self.datasets = {(d.task, d.name): d for d in self.results.datasets}

    @property
    def seconds(self) -> Number:
        """How long the last run took."""
        run = self.results.run
        return Number(run.seconds if run else None, f"{self.number}:run.seconds", 1)

    def at(self, kind: str, place: int, name: str) -> str:
        """Return where a value of a record stands."""
        return f"{self.number}:{kind}.{place}.{name}"

    def dataset(self, score: ScoreRecord) -> DatasetRecord | None:
        """Return the data set of a score: that of its variant's units where it has one of its own."""
        views = (f"{score.dataset}+{score.variant}", score.dataset)
        return next((found for view in views if (found := self.datasets.get((score.task, view)))), None)


def read_sources(paths: Sequence[Path]) -> list[Source]:
    """Read results files, in the order given.

    Raises
    ------
    ResultsError
        Where one cannot be used, stands there twice, or none of them holds a score or a check.
    """
    sources = read_by(load, paths)
    if not any(source.results.scores or source.results.checks for source in sources):
        named = ", ".join(map(str, paths)) or "no file"
        raise ResultsError(
            f"{named}: no score and no check stands there, so there is nothing to report: run pytest with "
            "--stbench-model and --stbench-save, or `stbench check --format json`"
        )
    return sources


def read_by(read: Callable[[Path], Results], paths: Sequence[Path]) -> list[Source]:
    """Read results files by `read`, each once. Raises ``ResultsError``."""
    real = Counter(path.resolve() for path in paths)
    twice = next((path for path, n in real.items() if n > 1), None)
    if twice is not None:
        raise ResultsError(f"{twice}: the file is given twice: name each results file once")
    stems = Counter(path.stem for path in paths)
    sources = []
    for number, path in enumerate(paths):
        results = read(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = path.stem if stems[path.stem] == 1 else str(path)
        sources.append(Source(number, path, name, results, digest))
    return sources


def source_of(results: Results) -> Source:
    """Return results that are saved nowhere, such as those of the run at hand."""
    whole = replace(results, checklist=checklist_of(results))
    return Source(0, Path("this run"), "this run", whole, "")


def apart(sources: Iterable[Source]) -> list[str]:
    """Return a sentence for each task or data set that stands in two forms in the files, and so apart."""
    tasks: dict[str, Source] = {}
    datasets: dict[tuple[str, str], Source] = {}
    lines = []
    for source in sources:
        for name, task in source.tasks.items():
            known = tasks.setdefault(name, source)
            found = task_differences(task, known.tasks[name], there=f"in {known.name}")
            if known is not source and found:
                lines.append(_apart(f"The task {name} is not the same", known, source, found))
        for key, data in source.datasets.items():
            known = datasets.setdefault(key, source)
            found = dataset_differences(data, known.datasets[key], there=f"in {known.name}")
            if known is not source and found:
                what = f"The data set {data.name} of {data.task} is not the same"
                lines.append(_apart(what, known, source, found))
    return lines


def unscored(sources: Iterable[Source]) -> list[str]:
    """Return a sentence for each file with scores or models in which a task has no score."""
    lines = []
    for source in sources:
        scored = {score.task for score in source.results.scores}
        without = [name for name in source.tasks if name not in scored]
        if without and source.results.models:
            names = ", ".join(without)
            lines.append(
                f"{source.name} has no score on {names}: its model could not run there, or its items were "
                "not selected; the output of that run says which. Checks of the data stand below."
            )
    return lines


def _apart(what: str, known: Source, source: Source, found: Sequence[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    why = "; ".join(found[:SHOWN]) + more
    return (
        f"{what} in {known.name} and {source.name} ({why}): scores on it are listed "
        "apart and never ranked together."
    )


COLUMNS = (
    "task", "dataset", "split", "role", "model", "slide", "patient", "metric", "level", "name", "value",
    "reason",
)  # fmt: skip
SAID = 5
"""How many slides that were not kept are named."""
WHOLE = ("slide", "patient")
"""Levels that have no names: the results file has them."""


@dataclass(frozen=True, slots=True)
class SlideMap:
    """The map of one slide: what the results file says of it, and where it lies."""

    task: str
    dataset: str
    slide: str
    path: Path


@dataclass(slots=True)
class Details:
    """Single scores and maps that can be shown, a sentence for each part that cannot, what was not kept."""

    scores: Path | None = None
    maps: list[SlideMap] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def details_of(source: Source) -> Details:
    """Return what the run of a results file kept; nothing where it says nothing of it."""
    record = source.results.kept
    return Details() if record is None else open_details(source.path, record)


def open_details(results: Path, record: KeptRecord) -> Details:
    """Return what lies in the folder beside `results` that `record` names.

    Every file is held to its digest: what is missing, or of another run, is said and not shown.
    """
    found = Details()
    name = record.folder
    folder = results.resolve().parent / name
    if not _plain(name) or not folder.is_dir():
        found.notices.append(
            f"{results.name} names the folder {name}, which does not lie beside it: single scores and maps "
            "are not shown. Put it there, or run again with --stbench-save."
        )
        return found
    if record.scores is not None:
        found.scores = _checked(folder, record.scores, found.notices)
    for item in record.maps:
        path = _checked(folder, item, found.notices)
        if path is not None:
            found.maps.append(SlideMap(item.task, item.dataset, item.slide, path))
    slides: dict[tuple[str, str], list[str]] = {}
    for gone in record.left_out:
        slides.setdefault((gone.task, gone.why), []).append(gone.slide)
    for (task, why), names in slides.items():
        shown = ", ".join(name for name in names[:SAID] if name)
        more = f" and {len(names) - SAID} more slides" if len(names) > SAID else ""
        place = ", ".join(part for part in (task, shown + more) if part) or "all tasks"
        found.left_out.append(f"{place}: {why}")
    return found


def read_named(path: Path, metrics: Sequence[str], notices: list[str]) -> pd.DataFrame | None:
    """Return the scores that have a name (of a gene, niche, pair ...) in the main setting of each task.

    None, with a sentence in `notices`, where the table cannot be read.
    """
    wanted = [("variant", "=", ""), ("level", "not in", list(WHOLE)), ("metric", "in", list(metrics))]
    return _read(path, COLUMNS, wanted, notices)


def read_markers(path: Path) -> pd.DataFrame | None:
    """Return the places of genes in lists of markers in the main setting; None where there are none."""
    wanted = [("variant", "=", ""), ("level", "=", MARKER)]
    found = _read(path, (*COLUMNS, "fold", "seed", NICHE), wanted, [])
    return found if found is not None and len(found) else None


def _read(path: Path, columns: Sequence[str], wanted: Any, notices: list[str]) -> pd.DataFrame | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(columns), filters=wanted)
        if set(table.column_names) != set(columns):
            raise ValueError(f"columns {', '.join(table.column_names)}")
        found: pd.DataFrame = table.to_pandas()
    except (OSError, ValueError, pa.ArrowException) as error:
        notices.append(
            f"{path.name} cannot be read as a table of single scores ({str(error).splitlines()[0]}): "
            "they are not shown. Run again with --stbench-save."
        )
        return None
    return found


def _checked(folder: Path, item: KeptScoresRecord | KeptMapRecord, notices: list[str]) -> Path | None:
    """Return the file of a record; None, with a sentence, where it is not the one that the run wrote."""
    name = item.file
    path = folder / name
    why = ""
    try:
        if not _plain(*PurePosixPath(name).parts):
            why = "does not lie in the folder"
        else:
            digest = digest_of_file(path)
            if digest != item.sha256:
                why = "is not the file that the run wrote (its sha256 differs)" if digest else "is missing"
    except OSError as error:
        why = f"cannot be read ({error.strerror or error})"
    if why:
        notices.append(
            f"{folder.name}/{name} {why}: what it holds is not shown. Run again with --stbench-save."
        )
        return None
    return path


def _plain(*parts: str) -> bool:
    """Return whether parts of a path are names, so that no record leads elsewhere."""
    return bool(parts) and all(part not in ("", ".", "..") and Path(part).name == part for part in parts)
