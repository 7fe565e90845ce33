"""Tables of samples: alone, as data sets to be judged, or lying with somebody's data."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.column_names import SLIDE as SLIDE_COLUMNS
from pytest_stbench.data.delimited import separator_in
from pytest_stbench.data.labels import class_name
from pytest_stbench.data.propose import vocabulary
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.registry import nearest
from pytest_stbench.splits.table import Fold, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.propose.detect import Detected
    from pytest_stbench.data.propose.proposal import Proposal

SUFFIXES = (".csv", ".tsv")
COLUMNS = {
    "slide": (*SLIDE_COLUMNS, "id"),
    "patient": vocabulary.PATIENT,
    "site": vocabulary.SITE,
    "technology": ("technology", "st_technology", "platform", "assay"),
    "panel": ("panel", "panel_name", "panel_id"),
    "corpus": ("corpus", "collection", "study", "dataset_title"),
    "accession": ("accession", "geo"),
    "organ": ("organ", "tissue"),
    "disease": ("disease", "disease_state", "oncotree", "oncotree_code", *vocabulary.DISEASE),
    "preservation": ("preservation", "preservation_method"),
    "resolution": ("resolution",),
}
"""Columns in which sheets say what of a slide, first choice first."""

SPLIT = ("split", "phase", "subset")
PARTS = ("train", "val", "test")
_PART = {"training": "train", "valid": "val", "validation": "val", "dev": "val", "testing": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One data set of a sheet: its slides, each once, and the split that a column makes of them.

    ``parts`` are the slides of train, val and test. ``folds`` is test against all else, as the split
    ``fixed`` of a task file makes it, and empty without test slides. ``notes`` say what of the column
    was not used.
    """

    name: str
    samples: tuple[Sample, ...]
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folds: tuple[Fold, ...] = ()
    notes: tuple[str, ...] = ()


def read_sheet(
    path: Path,
    *,
    patient: str | None = None,
    slide: str | None = None,
    by: str | None = None,
    split: str | None = None,
) -> list[Sheet]:
    """Return the data sets of the csv or tsv at `path`.

    Columns are found by their usual names (:data:`COLUMNS`); `patient`, `slide` and `split` name
    others. With `by`, each value of that column is a data set of its own. A slide may have several
    rows (one for each part of a split).

    Raises
    ------
    DataMissing
        There is no such file.
    DataError
        It is no table, has no column for the slides, or lacks a column that was named.
    """
    rows = _rows(path)
    header = list(rows[0])
    asked = {"slide": slide, "patient": patient, "by": by, "split": split}
    for option, column in asked.items():
        if column is not None and column not in header:
            raise DataError(
                f"{path}: no column {column!r} (--{option}); "
                f"its columns are {listing(header)}{nearest(column, header)}"
            )
    lower = {column.casefold(): column for column in reversed(header)}
    columns = {
        name: next((lower[usual] for usual in names if usual in lower), None)
        for name, names in COLUMNS.items()
    }
    columns |= {name: asked[name] or columns[name] for name in ("slide", "patient")}
    if columns["slide"] is None:
        raise DataError(
            f"{path}: no column names the slide ({listing(COLUMNS['slide'])}); its columns are "
            f"{listing(header)}: name it by --slide"
        )
    used = {name: column for name, column in columns.items() if column is not None}
    split = split or next((lower[usual] for usual in SPLIT if usual in lower), None)
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row[by] if by else path.stem, []).append(row)
    return [_sheet(_name(name), group, used, split) for name, group in groups.items()]


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            separator = separator_in(path, stream.readline())
            stream.seek(0)
            reader = csv.reader(stream, delimiter=separator, strict=True)
            lines = [[cell.strip() for cell in row] for row in reader]
    except FileNotFoundError:
        raise DataMissing(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from None
    lines = [row for row in lines if any(row)]
    if len(lines) < 2:
        raise DataError(f"{path}: a header and one row per slide are needed")
    header = lines[0]
    for number, row in enumerate(lines[1:], start=2):
        if len(row) != len(header):
            raise DataError(f"{path}: row {number} has {len(row)} cells, the header has {len(header)}")
    return [dict(zip(header, row, strict=True)) for row in lines[1:]]


def _sheet(name: str, rows: Sequence[dict[str, str]], columns: dict[str, str], split: str | None) -> Sheet:
    samples: dict[str, Sample] = {}
    parts: dict[str, dict[str, None]] = {part: {} for part in PARTS}
    others: dict[str, int] = {}
    for row in rows:
        said = {
            name: value
            for name, column in columns.items()
            if not vocabulary.is_unknown(row[column]) and (value := class_name(row[column])) is not None
        }
        if "slide" not in said:
            continue
        extra = {column: value for column, value in row.items() if column not in columns.values()}
        samples.setdefault(said["slide"], Sample(**said, extra=extra))
        part = row[split].casefold() if split else ""
        part = _PART.get(part, part)
        if part in parts:
            parts[part][said["slide"]] = None
        elif split:
            others[row[split]] = others.get(row[split], 0) + 1
    seen = tuple(dict.fromkeys((*parts["train"], *parts["val"])))
    held = tuple(parts["test"])
    folds = (Fold(name="test", train=seen, test=held),) if seen and held else ()
    notes = []
    if split and not folds:
        notes.append(
            f"column {split!r} names no {'training' if held else 'test'} slide, so no split was judged by it"
        )
    elif others:
        words = listing([f"{word!r}" for word in others])
        notes.append(
            f"column {split!r} holds {words} in {sum(others.values()):,} rows: these slides are in no part "
            "of the split (train, val and test are)"
        )
    return Sheet(
        name=name,
        samples=tuple(samples.values()),
        parts={part: tuple(slides) for part, slides in parts.items()},
        folds=folds,
        notes=tuple(notes),
    )


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "_", text).strip("_.") or "unnamed"


SHEET_NAME = "samples.csv"
NAMES_OF_SLIDE = (*SLIDE_COLUMNS, "file", "name")


def use_sheet(proposal: Proposal, found: Detected, root: Path, keys: dict[str, Any]) -> bool:
    """Take patients from a ``samples.csv`` beside the files, or in the folder above; tell if it was.

    It is taken where one of its columns names all slides and another the patient of each. `keys`
    becomes what the data set has to say of these columns.
    """
    homes = dict.fromkeys(home for path in found.paths for home in (path.parent, path.parent.parent))
    for home in homes:
        path = home / SHEET_NAME
        if not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
            continue
        rows = _lenient_rows(path)
        slides = {row.slide for row in proposal.rows}
        header = tuple(rows[0]) if rows else ()
        column = next((n for n in NAMES_OF_SLIDE if n in header and slides <= {row[n] for row in rows}), None)
        patient = next((n for n in vocabulary.PATIENT if n in header), None)
        if column is None or patient is None:
            continue
        patients = {row[column]: row[patient] for row in rows}
        if any(vocabulary.is_unknown(patients[slide]) for slide in slides):
            continue
        for row in proposal.rows:
            row.patient = patients[row.slide]
        proposal.dataset["samples"] = path.relative_to(root).as_posix()
        keys |= {"patient": patient, "slide": column}
        if len(patients) > len(slides):
            proposal.dataset["slides"] = [row.slide for row in proposal.rows]
        proposal.notes.append(f"patients are those of {proposal.dataset['samples']}")
        return True
    return False


def _lenient_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table, none of what is no table."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            separator = separator_in(path, stream.readline())
            stream.seek(0)
            return [
                {key: class_name(cell) or "" for key, cell in row.items() if key}
                for row in csv.DictReader(stream, delimiter=separator)
            ]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
