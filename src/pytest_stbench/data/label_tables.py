"""Labels of units from tables beside the data: what pathologists and viewers export."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.delimited import before_header
from pytest_stbench.data.labels import class_name, label_columns, labels_of, whole_number
from pytest_stbench.data.roots import resolve, resolve_one
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import RawSlide, SlideSource
    from pytest_stbench.spec.model import DatasetSpec, LabelsSpec

RULES = "labels/3"
SLIDE = "{slide}"


def find_tables(config: DatasetSpec, roots: Sequence[Path], what: str) -> dict[str, Path]:
    """Return the table of each slide that has one, by slide.

    A path with ``{slide}`` names one table a slide; any other names a single table with the
    column ``keys.slide``. Raises ``DataMissing`` where there is none, ``DataError`` where two
    tables are of one slide or the single one cannot be read.
    """
    labels = config.labels
    assert labels is not None  # asked of data sets that have them
    if SLIDE not in labels.path:
        path = resolve_one(labels.path, roots, get=config.get, what=what)
        column = config.keys.slide
        slides = _cells(
            _read(path), path, column, f"write `{SLIDE}` in the path where tables are one a slide"
        )
        return dict.fromkeys(sorted({slide for slide in labels_of(slides) if slide}), path)
    before, after = (re.escape(part) for part in labels.path.split("/")[-1].split(SLIDE, 1))
    found: dict[str, Path] = {}
    for path in resolve(labels.path.replace(SLIDE, "*"), roots, get=config.get, what=what):
        match = re.fullmatch(f"{before}(.+){after}", path.name)
        if match is None:
            continue
        if match[1] in found:
            raise DataError(
                f"{what}: two tables of slide {match[1]}, {found[match[1]]} and {path}; keep one of them"
            )
        found[match[1]] = path
    return found


class LabelledSource:
    """A source whose slides have the labels of tables; a slide without a table has none."""

    def __init__(self, source: SlideSource, config: DatasetSpec, tables: Mapping[str, Path]) -> None:
        assert config.labels is not None  # made for data sets that have them
        self._source = source
        self._labels: LabelsSpec = config.labels
        self._slide_column = None if SLIDE in config.labels.path else config.keys.slide
        self._tables = tables

    def read(self, slide_id: str) -> RawSlide:
        """Read a slide; its notes count the rows of its table, and those whose unit it does not have.

        Raises ``DataError`` where the table cannot be read, lacks a column or names a unit twice.
        """
        raw = self._source.read(slide_id)
        wanted = label_columns(self._labels)
        path = self._tables.get(slide_id)
        if path is None:
            none = {label: np.full(len(raw.unit_names), None, dtype=object) for label in wanted}
            return replace(raw, labels={**raw.labels, **none})
        table = _read(path)
        units = self._units(table, path)
        rows = np.arange(len(table))
        if self._slide_column is not None:
            rows = rows[labels_of(_cells(table, path, self._slide_column)) == class_name(slide_id)]
        place = _places(units[rows], rows, table.index[rows], path)
        at = np.array([place.get(name, -1) for name in raw.unit_names.tolist()], dtype=np.intp)
        labels = {
            label: _taken(_cells(table, path, column, f"change `labels.{label}`"), at)
            for label, column in wanted.items()
        }
        without = len(place) - int((at >= 0).sum())
        notes = {"label_rows": len(place), "label_rows_without_unit": without}
        return replace(raw, labels={**raw.labels, **labels}, notes={**raw.notes, **notes})

    def _units(self, table: pd.DataFrame, path: Path) -> NDArray[np.object_]:
        column = str(table.columns[0]) if self._labels.unit is None else self._labels.unit
        cells = _cells(table, path, column, "change `labels.unit`")
        return np.array([whole_number(cell) for cell in cells], dtype=object)

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols of a slide."""
        return self._source.genes(slide_id)

    def offers(self) -> frozenset[str]:
        """Return what the source offers."""
        return self._source.offers()

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return the files of the slide, its table of labels last."""
        table = self._tables.get(slide_id)
        return self._source.files(slide_id) + (() if table is None else (table,))

    def fingerprint(self) -> str:
        """Return that of the source, with the rules by which labels are joined."""
        return f"{self._source.fingerprint()}\n{RULES}"


def _read(path: Path) -> pd.DataFrame:
    """Return a table of text, as it stands in the file."""
    import pandas as pd

    try:
        above, separator = before_header(path)
        table = pd.read_csv(
            path,
            sep=separator,
            skiprows=above,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            skipinitialspace=True,
        )
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(
            f"{path}: cannot be read as a table of labels, csv or tsv with a header, in UTF-8 "
            f"({str(error).strip()})"
        ) from error
    # The line of each row, where no line is blank; a spreadsheet leaves rows of empty cells behind.
    table.index += above + 2
    table = table[(table != "").any(axis=1)]
    if not len(table):
        raise DataError(f"{path}: no row below the header; a table of labels names one unit a row")
    return table


def _cells(table: pd.DataFrame, path: Path, column: str, fix: str = "") -> NDArray[np.object_]:
    names = [str(name) for name in table.columns]
    if column not in names:
        message = f"{path}: no column {column!r}; its columns are {listing(names)}{nearest(column, names)}"
        raise DataError(f"{message}; {fix}" if fix else message)
    cells: NDArray[np.object_] = table.iloc[:, names.index(column)].str.strip().to_numpy(dtype=object)
    return cells


def _places(
    units: NDArray[np.object_], rows: NDArray[np.intp], lines: pd.Index, path: Path
) -> dict[str, int]:
    """Return the row of each unit. Raises ``DataError`` for a unit without name or with two rows."""
    place: dict[str, int] = {}
    first: dict[str, int] = {}
    for name, row, line in zip(units.tolist(), rows.tolist(), lines.tolist(), strict=True):
        if not name:
            message = f"{path}:{line}: a row without the name of its unit; name it or leave the row out"
            raise DataError(message)
        if name in place:
            raise DataError(
                f"{path}:{line}: unit {name!r} stands on line {first[name]} too; a unit has one label: "
                "keep one row, or name the slide in a column of its own"
            )
        place[name], first[name] = row, line
    return place


def _taken(cells: NDArray[np.object_], at: NDArray[np.intp]) -> NDArray[np.object_]:
    """Return the labels of units by the row `at` which they stand; None without a row or a word."""
    return np.append(labels_of(cells), np.array([None], dtype=object))[at]
