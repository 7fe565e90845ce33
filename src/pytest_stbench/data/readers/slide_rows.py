"""What the columns of ``obs`` say of the units of a slide: rows, sections, fields of view, codes.

Fields of view may lie on each other: CosMx, and files of many images, give places within a field beside those
on the slide. Units that are read by the former have neighbours of other fields that are nowhere near. Codes
that stand where names are missing mean another class, or person, in each file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.column_names import NAMES
from pytest_stbench.data.readers import hdf5, tissue
from pytest_stbench.data.readers.annotations import entries_of, libraries
from pytest_stbench.data.readers.geometry import axes_of
from pytest_stbench.data.sections import MIXED, Sign, mixed_share, signs_of_sections, tells_apart
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.hdf5 import Rows

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

ARRAY = ("array_row", "array_col")
"""Columns of ``obs`` with the position of a unit on the array, as Space Ranger and its readers name them."""

APART = "told_apart_by:"
"""Before the column that tells several sections of a slide apart, in its notes."""

SIGN = "several_sections:"
"""Before a sign that a slide holds several sections, in its notes; the number is that of units."""

LIBRARIES = "libraries"
"""The number of libraries of ``uns["spatial"]`` where one slide has several, in its notes."""

MAX_LEVELS = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlideRows:
    """The rows of a slide under tissue (all of the file as a slice); and how many lie off it."""

    rows: Rows
    off_tissue: int


def rows_of(file: h5py.File, path: Path, column: str | None, slide: str) -> SlideRows:
    """Return the rows of a slide: those of its name in `column`, all where that is None.

    Units that ``obs["in_tissue"]`` puts off tissue are left out and counted. Raises ``DataError``
    where that column holds neither yes nor no.
    """
    obs = file["obs"]
    inside = on_tissue(file, path)
    if column is None:
        own = np.ones(len(hdf5.index_of(obs)) if inside is None else len(inside), dtype=bool)
    else:
        names, codes = hdf5.categories(obs, column)
        own = codes == names.index(slide)
    kept = own if inside is None else own & inside
    rows = slice(None) if kept.all() else np.flatnonzero(kept)
    return SlideRows(rows=rows, off_tissue=int(own.sum() - kept.sum()))


def on_tissue(file: h5py.File, path: Path) -> NDArray[np.bool_] | None:
    """Return which units lie under tissue, (n,); None where the file does not say it."""
    obs = file["obs"]
    if tissue.COLUMN not in hdf5.columns(obs):
        return None
    names, codes = hdf5.categories(obs, tissue.COLUMN)
    return tissue.under_tissue(names, codes, f"{path}: obs[{tissue.COLUMN!r}]")


def slides_in(file: h5py.File, path: Path, column: str) -> list[str]:
    """Return the slides that `column` names, in the order of its values.

    Raises ``DataError`` where a unit has none.
    """
    names, codes = hdf5.categories(file["obs"], column)
    if (codes < 0).any():
        message = f"{path}: {int((codes < 0).sum())} units have no value of obs[{column!r}] (keys.slide)"
        raise DataError(message)
    # Categories without a unit are left over from a larger file and name no slide of this one.
    return [names[code] for code in sorted(set(codes.tolist()))]


def signs_in(
    file: h5py.File,
    xy: NDArray[np.float64] | None,
    rows: Rows,
    names: NDArray[np.str_],
) -> tuple[tuple[Sign, ...], tuple[str, ...]]:
    """Return the signs that rows of a file are of several sections, and the columns that tell them apart.

    Parameters
    ----------
    file
        The file; array positions stand in its columns :data:`ARRAY`.
    xy
        (n, 2) places of the rows.
    rows
        The rows of the slide.
    names
        (n,) their names.

    Columns come in the order: those with a usual name, those with fewest values, by name.
    """
    obs = file["obs"]
    there = hdf5.columns(obs)
    index = None
    if set(ARRAY) <= set(there):
        try:
            index = np.column_stack([hdf5.numbers(obs, column) for column in ARRAY])
        except ValueError:
            index = None  # text is no position
        index = None if index is None else index[rows]
    signs = signs_of_sections(names, index, xy)
    candidates = dict(_candidates(obs, there, rows, usual=not signs))
    if signs:
        apart = [column for column, codes in candidates.items() if all(tells_apart(codes, s) for s in signs)]
    else:
        mixed = {} if xy is None else {name: mixed_share(codes, xy) for name, codes in candidates.items()}
        apart = [column for column, share in mixed.items() if share > MIXED]
        signs = tuple(
            Sign(
                f"of the units lie next to one of another obs[{column!r}]", mixed[column], candidates[column]
            )
            for column in apart
        )
    levels = {column: len(np.unique(candidates[column])) for column in apart}
    return signs, tuple(sorted(apart, key=lambda column: (_rank(column), levels[column], column)))


def notes_of_sections(
    file: h5py.File, signs: Sequence[Sign], apart: Sequence[str], n_units: int
) -> dict[str, int]:
    """Return signs, columns that tell sections apart, and the number of libraries, as notes of a slide."""
    notes = {f"{SIGN}{sign.text}": round(sign.share * n_units) for sign in signs}
    notes |= {f"{APART}{column}": n_units for column in apart}
    n_libraries = len(libraries(file))
    return notes | ({LIBRARIES: n_libraries} if n_libraries > 1 else {})


def _candidates(
    obs: Any, there: Sequence[str], rows: Rows, *, usual: bool
) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield columns with few values, or only those with a usual name, and their codes on the rows."""
    for column in there:
        if (usual and _rank(column) == len(NAMES)) or not hdf5.is_discrete(obs, column):
            continue
        codes = hdf5.categories(obs, column)[1][rows]
        if 2 <= len(np.unique(codes)) <= min(MAX_LEVELS, len(codes) // 2):
            yield column, codes


def _rank(column: str) -> int:
    return NAMES.index(column.casefold()) if column.casefold() in NAMES else len(NAMES)


OVERLAP = "fields_overlap:"
"""Before the name of the column, in the notes: units that lie within another field of view."""

WHOLE = "fields_apart:"
"""Before the keys of places by which the same fields lie beside each other."""

FIELD_COLUMN = re.compile(r"fov(_?(id|name|number))?|field_?of_?view", re.IGNORECASE)
MIN_UNITS = 10
INNER = (0.05, 0.95)
AT_MOST = 20_000
"""Units that are asked in whose field they lie; of more, every k-th."""

MOST_WITHIN = 0.05
"""Share of units within another field up to which fields lie beside each other."""


def notes_of_fields(file: h5py.File, xy: Floats, rows: Rows) -> dict[str, int]:
    """Return what there is to say of the fields of view of a slide; nothing where they lie apart.

    Parameters
    ----------
    file
        An h5ad file.
    xy
        (n, 2) places of the units that are read.
    rows
        The rows of the file that these are.
    """
    obs = file["obs"]
    for column in hdf5.columns(obs):
        if FIELD_COLUMN.fullmatch(column) is None:
            continue
        codes = hdf5.categories(obs, column)[1][rows]
        share = within_others(codes, xy)
        if share < MIXED or mixed_share(codes, xy) < MIXED:
            continue
        apart = [keys for keys, other in _others(file, rows) if within_others(codes, other) <= MOST_WITHIN]
        return {f"{OVERLAP}{column}": round(share * len(xy)), **{f"{WHOLE}{keys}": 1 for keys in apart[:1]}}
    return {}


def within_others(codes: Codes, xy: Floats) -> float:
    """Return the share of units in the middle of another field: between the 5 and 95 % of its x and y.

    Fields of fewer than ten units, and units without field or place, are not asked; 0 for one field.
    """
    known = np.flatnonzero((codes >= 0) & np.isfinite(xy).all(axis=1))
    fields = np.flatnonzero(np.bincount(codes[known]) >= MIN_UNITS) if len(known) else known
    if len(fields) < 2:
        return 0.0
    some = known[:: -(-len(known) // AT_MOST)]
    inside = np.zeros(len(some), dtype=bool)
    order = known[np.argsort(codes[known], kind="stable")]
    ends = np.searchsorted(codes[order], fields, side="right")
    starts = np.searchsorted(codes[order], fields, side="left")
    for field, start, end in zip(fields.tolist(), starts.tolist(), ends.tolist(), strict=True):
        low, high = np.quantile(xy[order[start:end]], INNER, axis=0)
        inside |= ((xy[some] > low) & (xy[some] < high)).all(axis=1) & (codes[some] != field)
    return float(inside.mean())


def _others(file: h5py.File, rows: Rows) -> Iterator[tuple[str, Floats]]:
    """Yield the places that a file has beside, with the keys that would name them."""
    n_units = len(hdf5.index_of(file["obs"]))
    for name, node in entries_of(file).items():
        array: Any = node
        if getattr(array, "shape", None) == (n_units, 2) and array.dtype.kind in "iuf":
            values = np.asarray(array[()], dtype=np.float64)
            yield f"spatial: {name}", values[rows]
    columns = [name for name in hdf5.columns(file["obs"]) if "local" not in name.casefold()]
    named = axes_of(columns)
    if named is not None:
        try:
            places = np.column_stack([hdf5.numbers(file["obs"], name) for name in named])
        except ValueError:
            return
        yield f"x: {named[0]}, y: {named[1]}", places[rows]


UNNAMED_CODES = "codes_without_name:"
"""Before the label whose classes are codes without names, in the notes of a slide."""

MAX_CODES = 200


def codes_without_name(frame: Any, column: str, *, several: bool) -> int:
    """Return how many rows of a column hold a code whose name is missing; 0 for other columns.

    A factor may lack names of its codes. A column of the whole numbers 0, 1 ... is codes too where
    the frame keeps the names of other factors apart, or where `several` files number their own:
    0 of one file need not be 0 of the next.
    """
    missing = hdf5.nameless(frame, column)
    if missing:
        return missing
    apart = hasattr(frame, "keys") and hdf5.CATEGORIES in frame
    if not (apart or several) or not hdf5.is_number(frame, column):
        return 0
    names, codes = hdf5.categories(frame, column)
    counted = len(names) <= MAX_CODES and sorted(names) == sorted(map(str, range(len(names))))
    return int((codes >= 0).sum()) if counted else 0


def notes_of_codes(frame: Any, columns: dict[str, str], *, several: bool) -> dict[str, int]:
    """Return the notes on labels (``niche`` ... by column) whose classes are codes without names."""
    found = {label: codes_without_name(frame, column, several=several) for label, column in columns.items()}
    return {f"{UNNAMED_CODES}{label}": number for label, number in found.items() if number}
