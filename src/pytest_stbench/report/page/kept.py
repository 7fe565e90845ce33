"""What a run kept beside its results file, if it is there and is what that run wrote."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_stbench.results.kept_scores import MARKER, NICHE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from pytest_stbench.report.page.sources import Source
    from pytest_stbench.results.kept import KeptMapRecord, KeptRecord, KeptScoresRecord

COLUMNS = (
    "task", "dataset", "split", "role", "model", "slide", "patient", "metric", "level", "name", "value",
    "reason",
)  # fmt: skip
SAID = 5
"""How many slides that were not kept are named."""
WHOLE = ("slide", "patient")
"""Levels that have no names: the results file has them."""


@dataclass(frozen=True, slots=True)
class KeptMap:
    """The map of one slide: what the results file says of it, and where it lies."""

    task: str
    dataset: str
    slide: str
    path: Path


@dataclass(slots=True)
class Kept:
    """Single scores and maps that can be shown, a sentence for each part that cannot, what was not kept."""

    scores: Path | None = None
    maps: list[KeptMap] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def kept_of(source: Source) -> Kept:
    """Return what the run of a results file kept; nothing where it says nothing of it."""
    record = source.results.kept
    return Kept() if record is None else open_kept(source.path, record)


def open_kept(results: Path, record: KeptRecord) -> Kept:
    """Return what lies in the folder beside `results` that `record` names.

    Every file is held to its digest: what is missing, or of another run, is said and not shown.
    """
    found = Kept()
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
            found.maps.append(KeptMap(item.task, item.dataset, item.slide, path))
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
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            why = "" if digest == item.sha256 else "is not the file that the run wrote (its sha256 differs)"
    except FileNotFoundError:
        why = "is missing"
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
