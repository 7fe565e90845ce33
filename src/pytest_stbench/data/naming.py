"""What tables call cells and classes: one name for one thing, and one rule for what has no name.

A name is missing where it is empty, ``nan``, ``NA``, ``None`` or ``null`` (``labels.MISSING``). Whole
numbers are written whole: a column of 1, 2 and a hole, which many tools store as 1.0 and 2.0, names 1
and 2. What is in no cell has the id -1, the largest value of an unsigned type, or one of the words of
:data:`NOWHERE`; the id 0 says so too, unless the table of cells has a cell 0 (some vendors count from
0). Numbers of CosMx are counted anew in every field of view and 0 is never a cell there:
:func:`cells_in_fields`.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.labels import MISSING, whole_number
from pytest_stbench.kernels.levels import factorized

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from numpy.typing import NDArray

    Coded = tuple[NDArray[np.intp], NDArray[np.object_]]

NOWHERE = frozenset(
    {"-1", "unassigned", "not assigned", "no cell", "background", "noise", "extracellular", "outside",
     str(np.iinfo(np.int32).min), str(np.iinfo(np.int64).min)}
)  # fmt: skip
"""What segmenters call the place of a transcript that is in no cell, in any case, with any separator.

10x and segger write UNASSIGNED, 10x before version 1.3 and Vizgen -1, Baysor an empty name or noise. The
smallest integers are what becomes of a missing number that is cast.
"""

AMBIGUOUS = frozenset({"0", str(2**32 - 1), str(2**64 - 1), str(2**64)})
"""Numbers that mean no cell where no cell has them: 0, and the largest unsigned ones, as proseg writes.

2^64 is the largest unsigned number of 64 bits after it was held as a float.
"""

EXACT = {4: 2.0**24, 8: 2.0**53}
"""By bytes of a float: whole numbers up to here have one of their own."""

_ROUND = (2.0**64, float(np.iinfo(np.int64).min))
"""Larger floats that still say what they stand for: the largest and the smallest of 64 bits."""

_AS_IT_IS = "^[A-Za-z0-9_-]+$"
"""What a name is like that :func:`_text` leaves as it is, but for words."""

_A_CELL = "^(?:[0-9]+|[A-Za-z]+[A-Za-z0-9]*[0-9][A-Za-z0-9]*(?:-[0-9]+)?|[a-z]{4,}-[0-9]+)$"
"""What a cell is called that is in no doubt, but for words: a number, letters and digits, an id of 10x."""

_SEPARATORS = re.compile(r"[\s_-]+")
_IN_FIELD = re.compile(r"c_(\d+)_(\d+)_(\d+)")


class KnownCells:
    """The names that a table of cells has, read when the first is looked up."""

    def __init__(self, read: Callable[[], Iterable[object]]) -> None:
        self._read = read

    def __contains__(self, name: object) -> bool:
        """Return whether the table has a cell of that name."""
        return name in self._names

    @cached_property
    def _names(self) -> frozenset[object]:
        return frozenset(self._read())


def coded(values: Any) -> Coded:
    """Return the names in a column, each once, and which is that of each row.

    Parameters
    ----------
    values
        A column of n ids or classes: numbers, text, bytes, categories, of numpy, pandas or Arrow types.

    Returns
    -------
    tuple
        Codes (n,), -1 where there is no name, and names (k,) of str, different ones, in the order in
        which they come (categories in theirs; those without a row stay).

    Raises
    ------
    ValueError
        Whole numbers that are held as floats which cannot tell them from their neighbours (beyond 2^53):
        they were rounded, and one name may stand for several things.
    """
    import pandas as pd

    column = values if isinstance(values, pd.Series | pd.Index) else pd.Series(values)
    if isinstance(column.dtype, pd.CategoricalDtype):
        held: Any = column.array
        codes, levels = np.asarray(held.codes, dtype=np.intp), held.categories
    else:
        codes, levels = factorized(column)
    names = _texts(levels)
    distinct = names
    if None in names or len(set(names)) < len(names):
        distinct = list(dict.fromkeys(name for name in names if name is not None))
        place: dict[str | None, int] = {name: at for at, name in enumerate(distinct)}
        moved = np.array([*(place.get(name, -1) for name in names), -1], dtype=np.intp)
        codes = moved[codes]
    return np.asarray(codes, dtype=np.intp), np.array(distinct, dtype=object)


def names_of(values: Any) -> NDArray[np.object_]:
    """Return the name in each row of a column, (n,): str, None where there is none; see :func:`coded`."""
    return spread(*coded(values))


def spread(
    codes: NDArray[np.intp], names: NDArray[np.object_], rest: str | None = None
) -> NDArray[np.object_]:
    """Return the name of each row, `rest` where its code is -1, (n,)."""
    lookup = np.empty(len(names) + 1, dtype=object)
    lookup[:-1], lookup[-1] = names, rest
    found: NDArray[np.object_] = lookup[codes]
    return found


def cells_of(values: Any, known: Container[object] = frozenset(), slides: set[str] | None = None) -> Coded:
    """Return codes and names as :func:`coded`, with -1 also for rows that are in no cell.

    Parameters
    ----------
    values
        The cell of each row, (n,).
    known
        Names of the table of cells: they decide on :data:`AMBIGUOUS` numbers.
    slides
        Slides that names of CosMx (``c_SLIDE_FIELD_NUMBER``) told so far; a new one is added. Such cells are
        called ``FIELD_NUMBER``, as those of :func:`cells_in_fields` are.

    Raises
    ------
    ValueError
        As :func:`coded`, and where names of CosMx are of two slides.
    """
    slides = set() if slides is None else slides
    codes, names = coded(values)
    doubtful = AMBIGUOUS | _largest(values)
    found = names.tolist()
    for place in _unusual(names, _A_CELL, NOWHERE | doubtful):
        name = found[place]
        nowhere = _nowhere(name) or (name in doubtful and name not in known)
        found[place] = None if nowhere else _in_field(name, slides)
    if found == names.tolist():
        return codes, names
    inner, names = coded(np.array(found, dtype=object))
    return np.append(inner, -1)[codes], names


def cells_in_fields(fields: Any, cells: Any, slides: set[str] | None = None) -> Coded:
    """Return the cells of CosMx as ``FIELD_NUMBER``, coded as by :func:`cells_of`.

    Parameters
    ----------
    fields
        Field of view of each row (``fov``), (n,).
    cells
        Number of the cell within its field (``cell_ID``), 0 for none, or ``c_SLIDE_FIELD_NUMBER``, (n,).
    slides
        As for :func:`cells_of`.
    """
    import pandas as pd

    field_codes, field_names = coded(fields)
    cell_codes, cell_names = cells_of(cells, slides=slides)
    width = max(1, len(cell_names))
    pair = np.where((field_codes >= 0) & (cell_codes >= 0), field_codes * width + cell_codes, -1)
    codes, pairs = pd.factorize(pair)
    found = [
        None if one < 0 else _with_field(cell_names[one % width], field_names[one // width])
        for one in pairs.tolist()
    ]
    inner, names = coded(np.array(found, dtype=object))
    return inner[codes], names


def _with_field(cell: str, field: str) -> str:
    """Return the name of a cell with its field of view; it stays where it has one already."""
    return cell if "_" in cell else f"{field}_{cell}"


def _in_field(name: str, slides: set[str]) -> str:
    """Return ``FIELD_NUMBER`` of a name of CosMx, any other as it is."""
    parts = _IN_FIELD.fullmatch(name)
    if parts is None:
        return name
    slides.add(parts[1])
    if len(slides) > 1:
        raise ValueError(
            f"cells of slides {' and '.join(sorted(slides))} of CosMx, such as {name!r}, in one table: their "
            "numbers and places repeat; keep one table a slide"
        )
    return f"{parts[2]}_{parts[3]}"


def _nowhere(name: str) -> bool:
    word = name.casefold()
    in_field = _IN_FIELD.fullmatch(word)
    return word in NOWHERE or _SEPARATORS.sub(" ", word) in NOWHERE or (
        in_field is not None and int(in_field[3]) == 0
    )  # fmt: skip


def _largest(values: Any) -> frozenset[str]:
    """Return the largest number of an unsigned type as text; nothing of other types."""
    held = getattr(values, "dtype", None)
    held = getattr(getattr(held, "categories", None), "dtype", held)
    held = getattr(held, "numpy_dtype", held)
    return frozenset({str(np.iinfo(held).max)} if getattr(held, "kind", "") == "u" else ())


def _texts(levels: Any) -> list[str | None]:
    """Return different values as names, None for what is none."""
    kind = getattr(getattr(levels, "dtype", None), "kind", "O")
    if kind in "iu":
        return list(map(str, np.asarray(levels).tolist()))
    if kind == "f":
        held = np.asarray(levels)
        limit = EXACT.get(held.dtype.itemsize, EXACT[8])
        return [_number(value, limit) for value in held.tolist()]
    found = levels.tolist() if hasattr(levels, "tolist") else list(levels)
    for place in _unusual(found, _AS_IT_IS, MISSING):
        found[place] = _text(found[place])
    return found


def _unusual(names: Any, usual: str, words: frozenset[str]) -> list[int]:
    """Return the places of names that are not as `usual`, a pattern, or are one of `words` in any case.

    They are few where names are many, so that nothing is done for each name; of what is no text, all.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        texts = pa.array(names)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        texts = None
    if texts is None or not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        return list(range(len(names)))
    known = pc.is_in(pc.ascii_lower(texts), pa.array(sorted(words), pa.string()))
    plain = pc.and_not(pc.match_substring_regex(texts, usual), known)
    found: list[int] = np.flatnonzero(~plain.to_numpy(zero_copy_only=False).astype(bool)).tolist()
    return found


def _number(value: float, limit: float) -> str | None:
    if not value.is_integer():
        return None if value != value else str(value)
    if abs(value) > limit and value not in _ROUND:
        raise ValueError(
            f"{value:.17g} is a whole number in a column of floats, which are exact up to {limit:.0f}: ids "
            "were rounded; write them as integers or text"
        )
    return str(int(value))


def _text(value: Any) -> str | None:
    if isinstance(value, float | np.floating):
        return _number(float(value), EXACT[8])
    text = (value.decode() if isinstance(value, bytes) else str(value)).strip()
    return None if text.casefold() in MISSING else whole_number(text)
