"""A samples table that lies beside somebody's data already."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.column_names import SLIDE as SLIDE_COLUMNS
from pytest_stbench.data.delimited import separator_in
from pytest_stbench.data.labels import class_name
from pytest_stbench.data.propose import vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.data.propose.detect import Detected
    from pytest_stbench.data.propose.proposal import Proposal

NAME = "samples.csv"
SLIDE = (*SLIDE_COLUMNS, "file", "name")


def use_sheet(proposal: Proposal, found: Detected, root: Path, keys: dict[str, Any]) -> bool:
    """Take patients from a ``samples.csv`` beside the files, or in the folder above; tell if it was.

    It is taken where one of its columns names all slides and another the patient of each. `keys`
    becomes what the data set has to say of these columns.
    """
    homes = dict.fromkeys(home for path in found.paths for home in (path.parent, path.parent.parent))
    for home in homes:
        path = home / NAME
        if not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
            continue
        rows = _rows(path)
        slides = {row.slide for row in proposal.rows}
        header = tuple(rows[0]) if rows else ()
        column = next((n for n in SLIDE if n in header and slides <= {row[n] for row in rows}), None)
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


def _rows(path: Path) -> list[dict[str, str]]:
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
