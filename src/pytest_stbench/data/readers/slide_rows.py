"""Which rows of an AnnData file are the units of a slide, and what tells several sections apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.column_names import NAMES
from pytest_stbench.data.readers import hdf5, tissue
from pytest_stbench.data.readers.libraries import libraries
from pytest_stbench.data.sections import MIXED, Sign, mixed_share, signs_of_sections, tells_apart
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

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
    """The rows of a slide under tissue, None for all rows of the file; and how many lie off it."""

    rows: NDArray[np.intp] | None
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
    rows = None if kept.all() else np.flatnonzero(kept)
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
    rows: NDArray[np.intp] | None,
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
        The rows of the slide; None for all.
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
        index = index if index is None or rows is None else index[rows]
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
    obs: Any, there: Sequence[str], rows: NDArray[np.intp] | None, *, usual: bool
) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield columns with few values, or only those with a usual name, and their codes on the rows."""
    for column in there:
        if (usual and _rank(column) == len(NAMES)) or not hdf5.is_discrete(obs, column):
            continue
        _, codes = hdf5.categories(obs, column)
        codes = codes if rows is None else codes[rows]
        if 2 <= len(np.unique(codes)) <= min(MAX_LEVELS, len(codes) // 2):
            yield column, codes


def _rank(column: str) -> int:
    return NAMES.index(column.casefold()) if column.casefold() in NAMES else len(NAMES)
