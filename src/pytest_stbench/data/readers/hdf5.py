"""The parts of AnnData's HDF5 format that slides are read from.

Single columns and arrays are read, never a whole file: what is not asked for costs nothing. The
encodings of anndata 0.7 and later are read, those of 0.6 that differ only in where things stand,
and those of SeuratDisk, which writes the names of a factor beside its codes without a reference.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from pytest_stbench.data.labels import class_name, text as text_of
from pytest_stbench.data.readers.hdf5_bounds import check_bounds, length_of
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Rows = NDArray[np.intp] | slice

CATEGORIES = "__categories"
"""Group beside the columns of a frame with the names of factors, by column."""

READ_ERRORS = (
    OSError, RuntimeError, KeyError, ValueError, TypeError, IndexError, UnicodeDecodeError, AttributeError,
    OverflowError, MemoryError, AssertionError,
)  # fmt: skip
"""What h5py, numpy and scipy raise of parts that are not what they should be."""


@contextmanager
def opened(path: Path, required: tuple[str, ...] = ("obs", "var"), what: str = "h5ad") -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; what goes wrong inside is a ``DataError`` naming the file."""
    with named(path, what), file_of(path, required, what) as file:
        yield file


def file_of(path: Path, required: tuple[str, ...], what: str) -> h5py.File:
    """Return an HDF5 file that is open for reading, to be closed; raises what h5py does, or ``DataError``."""
    if path.is_dir():
        raise DataError(f"{path}: a folder, not an {what} file; `path` must name files")
    file = h5py.File(path, "r", locking="best-effort")
    try:
        check_bounds(file, path)
        if any(name not in file for name in required):
            message = f"{path}: an HDF5 file without {' and '.join(required)}, not a file of {what}"
            raise DataError(message)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def named(path: Path, what: str) -> Iterator[None]:
    """Turn what goes wrong with an HDF5 file into a ``DataError`` that names it."""
    try:
        yield
    except READ_ERRORS as error:
        message = f"{path}: cannot be read as {what} (truncated, damaged or another format): {error}"
        raise DataError(message) from error


def columns(frame: h5py.Group | h5py.Dataset) -> tuple[str, ...]:
    """Return the column names of ``obs`` or ``var``, without the index."""
    index = _index_name(frame)
    names = frame.dtype.names if isinstance(frame, h5py.Dataset) else frame.keys()
    return tuple(name for name in names if name not in (index, CATEGORIES))


def index_of(frame: h5py.Group | h5py.Dataset) -> NDArray[np.str_]:
    """Return the index of ``obs`` or ``var`` as (n,) str."""
    return np.asarray(strings(_field(frame, _index_name(frame))), dtype=np.str_)


def column(frame: h5py.Group | h5py.Dataset, name: str) -> NDArray[np.object_]:
    """Return one column as (n,) objects: str, or None where there is no value.

    Names are those of :func:`~pytest_stbench.data.labels.class_name`.
    """
    values, codes = categories(frame, name)
    lookup = np.array([*values, None], dtype=object)
    taken: NDArray[np.object_] = lookup[codes]
    return taken


def categories(frame: h5py.Group | h5py.Dataset, name: str) -> tuple[list[str], NDArray[np.intp]]:
    """Return the distinct values of a column and the (n,) index of each row's, -1 for none.

    A code without a name, in a column whose names are kept apart, is no value: see :func:`nameless`.
    """
    levels, codes = _levels(frame, name)
    _refuse_length(frame, name, len(codes))
    return _named(levels, codes)


def numbers(frame: h5py.Group | h5py.Dataset, name: str) -> NDArray[np.float64]:
    """Return a column of numbers, (n,), nan where there is none. Raises ``ValueError`` for text."""
    raw = _field(frame, name)
    plain = not isinstance(raw, h5py.Group) and raw.dtype.kind in "biuf"
    if plain and _names_of_codes(frame, name, raw) is None:
        values = np.asarray(raw[()] if isinstance(raw, h5py.Dataset) else raw, dtype=np.float64)
        _refuse_length(frame, name, len(values))
        return values
    levels, codes = categories(frame, name)
    found: NDArray[np.float64] = np.array([*map(float, levels), np.nan])[codes]
    return found


def _refuse_length(frame: h5py.Group | h5py.Dataset, name: str, found: int) -> None:
    rows = length_of(frame)
    if rows is not None and found != rows:
        raise ValueError(f"column {name!r} has {found} values for {rows} rows")


def nameless(frame: h5py.Group | h5py.Dataset, name: str) -> int:
    """Return how many rows of a column have a code for which no name is there.

    Codes that stand for a missing value (negative ones, the largest of their type, nan) have none
    and need none. Small integers of a table of anndata 0.6 are the codes of a factor: without
    names all of them are counted, although :func:`categories` gives them as numbers.
    """
    if isinstance(frame, h5py.Dataset) and f"uns/{name}_categories" not in frame.file:
        raw = frame.fields(name)[()]
        return int((raw >= 0).sum()) if raw.dtype in (np.int8, np.int16) else 0
    levels, codes = _levels(frame, name)
    return int((codes >= len(levels)).sum())


def is_discrete(frame: h5py.Group | h5py.Dataset, name: str) -> bool:
    """Return whether a column is text, a factor, whole numbers or truth values: no measure."""
    raw = _field(frame, name)
    if isinstance(raw, h5py.Group):
        return "codes" in raw or ("mask" in raw and raw["values"].dtype.kind != "f")
    return bool(raw.dtype.kind in "OSUbiu")


def is_number(frame: h5py.Group | h5py.Dataset, name: str) -> bool:
    """Return whether a column is kept as numbers: no text, no factor."""
    raw = _field(frame, name)
    if isinstance(raw, h5py.Group):
        return "mask" in raw and raw["values"].dtype.kind in "iuf"
    return raw.dtype.kind in "iuf" and _names_of_codes(frame, name, raw) is None


def _levels(frame: h5py.Group | h5py.Dataset, name: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return names and codes; a missing value has the code -1."""
    raw = _field(frame, name)
    kind = raw.attrs.get("encoding-type", "") if hasattr(raw, "attrs") else ""
    if isinstance(raw, h5py.Group) and "codes" in raw:
        levels = flat(raw["categories"]) if "categories" in raw else np.empty(0, dtype=object)
        return levels, _codes(raw["codes"][()], len(levels))
    if isinstance(raw, h5py.Group) and "mask" in raw:
        levels, codes = np.unique(flat(raw["values"]), return_inverse=True)
        return levels, np.where(raw["mask"][()], -1, codes)
    if isinstance(raw, h5py.Group):
        raise ValueError(f"column of encoding {kind!r} is not a plain column")
    names = _names_of_codes(frame, name, raw)
    if names is not None:
        return names, _codes(np.asarray(raw[()] if isinstance(raw, h5py.Dataset) else raw), len(names))
    levels, codes = np.unique(flat(raw), return_inverse=True)
    return levels, np.asarray(codes, dtype=np.intp)


def number(file: h5py.File, key: str) -> float:
    """Return the number at the dotted `key` of ``uns``.

    Raises ``KeyError`` where it is missing (its text lists what is there) and ``ValueError`` when
    it is not one number.
    """
    node: Any = file.get("uns", {})
    steps = [key] if key in node else key.split(".")
    for step in steps:
        if not isinstance(node, (h5py.Group, dict)) or step not in node:
            raise MissingKey(step, tuple(node) if isinstance(node, (h5py.Group, dict)) else ())
        node = node[step]
    values = np.asarray(node[()]) if isinstance(node, h5py.Dataset) else np.empty(0)
    if values.size != 1 or values.dtype.kind not in "iuf":
        raise ValueError("not one number")
    return float(values.reshape(-1)[0])


def text(node: Any, key: str) -> str | None:
    """Return the text at `key` of a group; None where there is none, or something else."""
    found: Any = node.get(key) if hasattr(node, "get") else None
    if not hasattr(found, "shape") or found.size != 1 or found.dtype.kind not in "OSU":
        return None
    return strings(np.ravel(found[()]))[0]


class MissingKey(Exception):  # internal signal, turned into a DataError by the reader
    """A key that is not there; ``known`` are its neighbours."""

    def __init__(self, key: str, known: tuple[str, ...]) -> None:
        self.key = key
        self.known = known
        super().__init__(key)


def _index_name(frame: h5py.Group | h5py.Dataset) -> str:
    if isinstance(frame, h5py.Dataset):
        names = frame.dtype.names
        if names is None:
            raise ValueError("obs or var is not a table")
        return "index" if "index" in names else str(names[0])
    name = frame.attrs.get("_index", "_index")
    return name.decode() if isinstance(name, bytes) else str(name)


def _field(frame: h5py.Group | h5py.Dataset, name: str) -> Any:
    if isinstance(frame, h5py.Dataset):
        return frame.fields(name)[()]
    node = frame[name]
    if isinstance(node, h5py.Dataset) and node.ndim != 1:
        raise ValueError(f"column {name!r} has {node.ndim} axes, a column has one")
    return node


def flat(node: Any) -> NDArray[Any]:
    """Return a column without its missing values told apart: text as str, numbers as they are."""
    if isinstance(node, h5py.Group):
        values = node["values"][()]
        mask = node["mask"][()] if "mask" in node else np.zeros(len(values), dtype=bool)
        texts = np.asarray(strings(values), dtype=object)
        texts[mask] = ""
        return texts
    values = node[()] if isinstance(node, h5py.Dataset) else node
    return np.asarray(strings(values), dtype=object) if values.dtype.kind in "OSU" else np.asarray(values)


def strings(node: Any) -> list[str]:
    """Return a column, or an array, as str."""
    if isinstance(node, h5py.Group):
        return [str(value) for value in flat(node)]
    values = node[()] if isinstance(node, h5py.Dataset) else node
    return text_of(values.tolist())


def _names_of_codes(frame: h5py.Group | h5py.Dataset, name: str, raw: Any) -> NDArray[Any] | None:
    """Return the names that are kept apart from the codes `raw` of a factor; None for other columns.

    They are referred to by an attribute (anndata 0.7.0), stand in the group beside the columns (the
    same, and SeuratDisk without reference) or in ``uns`` (anndata 0.6). Text beside names was written
    over the factor later: it is a column of its own.
    """
    if raw.dtype.kind not in "biuf":
        return None
    if isinstance(frame, h5py.Dataset):
        beside = frame.file.get(f"uns/{name}_categories") if raw.dtype.kind in "iu" else None
    else:
        beside = frame[CATEGORIES].get(name) if CATEGORIES in frame else None
    if beside is not None:
        codes = np.asarray(raw[()] if isinstance(raw, h5py.Dataset) else raw)
        codes = codes[~np.isnan(codes)] if codes.dtype.kind == "f" else codes
        return None if (codes != np.rint(codes)).any() else flat(beside)
    if not isinstance(raw, h5py.Dataset) or "categories" not in raw.attrs:
        return None
    reference = raw.attrs["categories"]
    # A file that was copied object by object has references to nothing.
    return flat(frame.file[reference]) if reference else np.empty(0, dtype=object)


def _codes(codes: NDArray[Any], n_names: int) -> NDArray[np.intp]:
    """Return codes as integers, -1 for what stands for a missing value.

    That are negative codes, nan, and the largest value of an integer type where it has no name.
    """
    if codes.dtype.kind == "f":
        return np.where(np.isnan(codes), -1, codes).astype(np.intp)
    missing = codes < 0
    if codes.dtype.kind in "iu" and np.iinfo(codes.dtype).max >= n_names:
        missing |= codes == np.iinfo(codes.dtype).max
    return np.where(missing, -1, codes.astype(np.intp))


def _named(levels: NDArray[Any], codes: NDArray[np.intp]) -> tuple[list[str], NDArray[np.intp]]:
    names = [class_name(level) for level in levels]
    distinct = list(dict.fromkeys(name for name in names if name is not None))
    place = {name: i for i, name in enumerate(distinct)}
    remap = np.array([*(-1 if name is None else place[name] for name in names), -1], dtype=np.intp)
    codes = np.where((codes < 0) | (codes >= len(names)), len(names), codes)
    return distinct, remap[codes]
