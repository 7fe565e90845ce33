"""The parts of AnnData's HDF5 format that slides are read from.

Single columns and arrays are read, never a whole file: what is not asked for costs nothing. The
encodings of anndata 0.7 and later are read, and those of 0.6 that differ only in where things
stand.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_READ_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, IndexError, UnicodeDecodeError)


@contextmanager
def opened(path: Path, required: tuple[str, ...] = ("obs", "var"), what: str = "h5ad") -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; what goes wrong inside is a ``DataError`` naming the file."""
    if path.is_dir():
        message = f"{path}: a folder, not an {what} file; `path` must name files"
        raise DataError(message)
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            if any(name not in file for name in required):
                message = f"{path}: an HDF5 file without {' and '.join(required)}, not a file of {what}"
                raise DataError(message)
            yield file
    except _READ_ERRORS as error:
        message = f"{path}: cannot be read as {what} (truncated, damaged or another format): {error}"
        raise DataError(message) from error


def columns(frame: h5py.Group | h5py.Dataset) -> tuple[str, ...]:
    """Return the column names of ``obs`` or ``var``, without the index."""
    index = _index_name(frame)
    names = frame.dtype.names if isinstance(frame, h5py.Dataset) else frame.keys()
    return tuple(name for name in names if name not in (index, "__categories"))


def index_of(frame: h5py.Group | h5py.Dataset) -> NDArray[np.str_]:
    """Return the index of ``obs`` or ``var`` as (n,) str."""
    return np.asarray(_strings(_field(frame, _index_name(frame))), dtype=np.str_)


def column(frame: h5py.Group | h5py.Dataset, name: str) -> NDArray[np.object_]:
    """Return one column as (n,) objects: str, or None where there is no value.

    Numbers are written as they are, whole ones without a decimal point. Empty strings and ``nan``
    are no value.
    """
    values, codes = categories(frame, name)
    lookup = np.array([*values, None], dtype=object)
    taken: NDArray[np.object_] = lookup[codes]
    return taken


def categories(frame: h5py.Group | h5py.Dataset, name: str) -> tuple[list[str], NDArray[np.intp]]:
    """Return the distinct values of a column and the (n,) index of each row's, -1 for none."""
    raw = _field(frame, name)
    kind = raw.attrs.get("encoding-type", "") if hasattr(raw, "attrs") else ""
    if isinstance(raw, h5py.Group) and "codes" in raw:
        levels, codes = _flat(raw["categories"]), raw["codes"][()]
    elif isinstance(raw, h5py.Group) and "mask" in raw:
        levels, codes = np.unique(_flat(raw["values"]), return_inverse=True)
        codes = np.where(raw["mask"][()], -1, codes)
    elif isinstance(raw, h5py.Group):
        message = f"column of encoding {kind!r} is not a plain column"
        raise ValueError(message)
    elif (legacy := _legacy_categories(frame, name, raw)) is not None:
        levels, codes = legacy, raw[()] if isinstance(raw, h5py.Dataset) else raw
    else:
        levels, codes = np.unique(_flat(raw), return_inverse=True)
    return _named(levels, np.asarray(codes, dtype=np.intp))


def matrix(node: h5py.Group | h5py.Dataset) -> NDArray[Any]:
    """Return an entry of ``obsm`` as a (n, d) array: an array, or the columns of a data frame."""
    if isinstance(node, h5py.Dataset):
        return np.asarray(node[()])
    if "column-order" in node.attrs:
        names = [
            name.decode() if isinstance(name, bytes) else str(name) for name in node.attrs["column-order"]
        ]
        return np.column_stack([np.asarray(node[name][()]) for name in names])
    from pytest_stbench.data.readers.counts import read_rows

    dense: NDArray[Any] = read_rows(node).toarray()
    return dense


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
        message = "not one number"
        raise ValueError(message)
    return float(values.reshape(-1)[0])


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
            message = "obs or var is not a table"
            raise ValueError(message)
        return "index" if "index" in names else str(names[0])
    name = frame.attrs.get("_index", "_index")
    return name.decode() if isinstance(name, bytes) else str(name)


def _field(frame: h5py.Group | h5py.Dataset, name: str) -> Any:
    return frame.fields(name)[()] if isinstance(frame, h5py.Dataset) else frame[name]


def _flat(node: Any) -> NDArray[Any]:
    if isinstance(node, h5py.Group):
        values = node["values"][()]
        mask = node["mask"][()] if "mask" in node else np.zeros(len(values), dtype=bool)
        texts = np.asarray(_strings(values), dtype=object)
        texts[mask] = ""
        return texts
    values = node[()] if isinstance(node, h5py.Dataset) else node
    return np.asarray(_strings(values), dtype=object) if values.dtype.kind in "OSU" else np.asarray(values)


def _strings(node: Any) -> list[str]:
    if isinstance(node, h5py.Group):
        return [str(value) for value in _flat(node)]
    values = node[()] if isinstance(node, h5py.Dataset) else node
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]


def _legacy_categories(frame: h5py.Group | h5py.Dataset, name: str, raw: Any) -> NDArray[Any] | None:
    if isinstance(raw, h5py.Dataset) and "categories" in raw.attrs:
        return _flat(frame.file[raw.attrs["categories"]])
    stored = f"uns/{name}_categories"
    if isinstance(frame, h5py.Dataset) and stored in frame.file and raw.dtype.kind in "iu":
        return _flat(frame.file[stored])
    return None


def _named(levels: NDArray[Any], codes: NDArray[np.intp]) -> tuple[list[str], NDArray[np.intp]]:
    names = [_text(level) for level in levels.tolist()]
    distinct = list(dict.fromkeys(name for name in names if name is not None))
    place = {name: i for i, name in enumerate(distinct)}
    remap = np.array([*(-1 if name is None else place[name] for name in names), -1], dtype=np.intp)
    codes = np.where((codes < 0) | (codes >= len(names)), len(names), codes)
    return distinct, remap[codes]


def _text(value: object) -> str | None:
    if isinstance(value, float):
        if np.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    text = value.decode() if isinstance(value, bytes) else str(value)
    return None if text in ("", "nan", "NaN") else text
