"""The symbols of the genes of an AnnData file: the index of ``var``, or one of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.features import kinds_of, said_in
from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest
from pytest_stbench.resources import gene_symbols

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

SAMPLED = 2_000
MIN_KNOWN, MIN_GAIN = 0.3, 0.2
"""A column names genes where so many of its values are symbols, and so many more than of the index."""


def symbols_of(file: h5py.File, var: Any, column: str | None) -> NDArray[np.str_]:
    """Return the symbols of the rows of `var`, (g,): its index, or `column` where that is given.

    A gene without a value there keeps its name of the index. The table of ``raw`` may lack the
    column: then it is that of ``var``, by the name of the index. Raises ``DataError`` where
    neither has it.
    """
    names = hdf5.index_of(var)
    if column is None:
        return names
    if column in hdf5.columns(var):
        values = hdf5.column(var, column)
    elif column in hdf5.columns(file["var"]):
        index, known = hdf5.index_of(file["var"]), hdf5.column(file["var"], column)
        by_name = dict(zip(index.tolist(), known.tolist(), strict=True))
        values = np.array([by_name.get(name) for name in names.tolist()], dtype=object)
    else:
        there = hdf5.columns(var)
        raise DataError(
            f"{file.filename}: var has no column {column!r} (keys.gene); its columns are {listing(there)}"
            f"{nearest(column, there)}"
        )
    missing = np.array([value is None for value in values], dtype=bool)
    return np.asarray(np.where(missing, names, values), dtype=np.str_)


def features_of(file: h5py.File, var: Any, column: str | None) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Return the names of the features of `var`, see :func:`symbols_of`, and what each is, both (f,)."""
    names = symbols_of(file, var, column)
    said = said_in(hdf5.columns(var), lambda known: hdf5.column(var, known))
    return names, kinds_of(names, said, hdf5.index_of(var))


def symbol_column(file: h5py.File, var: Any) -> str | None:
    """Return the column of a table of genes that holds symbols where its index does not; else None.

    Ensembl ids and numbers are no symbols. Of the columns of text the one with most known symbols
    is taken, the first of equal ones; upper and lower case do not matter.
    """
    indexed = _known(hdf5.index_of(var))
    if indexed > 1 - MIN_GAIN:
        return None
    shares = {}
    for frame in (file["var"], var):
        for column in hdf5.columns(frame):
            if hdf5.is_discrete(frame, column) and not hdf5.is_number(frame, column):
                shares[column] = _known(hdf5.column(frame, column))
    best = max(shares, key=lambda column: (shares[column], column in hdf5.columns(var)), default=None)
    if best is None or shares[best] < max(MIN_KNOWN, indexed + MIN_GAIN):
        return None
    return best


def _known(values: NDArray[Any]) -> float:
    symbols = gene_symbols()
    some = _some(np.array([value for value in values if value is not None], dtype=object))
    return float(np.mean([str(value).upper() in symbols for value in some])) if len(some) else 0.0


def _some(values: NDArray[Any]) -> list[Any]:
    """Return evenly spread values."""
    chosen = np.linspace(0, len(values) - 1, min(len(values), SAMPLED)).astype(np.intp)
    return list(values[chosen].tolist())
