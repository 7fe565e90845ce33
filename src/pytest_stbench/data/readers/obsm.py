"""Entries of ``obsm``: arrays, data frames, and the tables that a data set names there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def entries_of(file: h5py.File) -> Mapping[str, Any]:
    """Return the entries of ``obsm`` by name; those of a table of anndata 0.6 are read."""
    node = file.get("obsm", {})
    if isinstance(node, h5py.Dataset):
        return {name: node.fields(name)[()] for name in node.dtype.names or ()}
    found: Mapping[str, Any] = node
    return found


def matrix(node: Any, names: Sequence[str] | None = None) -> NDArray[Any]:
    """Return an entry of ``obsm`` as a (n, d) array: an array, or the columns of a data frame.

    Of a data frame these are the columns `names`, by default all in the order of the frame.
    """
    if isinstance(node, (h5py.Dataset, np.ndarray)):
        return np.asarray(node[()])
    if "column-order" in node.attrs:
        return np.column_stack([_values(node[name]) for name in names or ordered(node)])
    from pytest_stbench.data.readers.counts import read_rows

    dense: NDArray[Any] = read_rows(node).toarray()
    return dense


def ordered(frame: h5py.Group) -> tuple[str, ...]:
    """Return the columns of a data frame in its own order."""
    return tuple(hdf5.strings(frame.attrs["column-order"]))


def embedding_of(
    file: h5py.File, path: Path, name: str | None, rows: NDArray[np.intp] | None, n_units: int
) -> NDArray[np.float32] | None:
    """Return the entry ``keys.embedding``, (n, d); None where none is named.

    Raises ``DataError`` where it is not there, or no table of numbers.
    """
    if name is None:
        return None
    obsm = entries_of(file)
    if name not in obsm:
        raise DataError(
            f"{path}: obsm has no {name!r} (keys.embedding); obsm has {listing(obsm)}{nearest(name, obsm)}"
        )
    values = matrix(obsm[name])
    if values.ndim != 2 or len(values) != n_units or values.dtype.kind not in "iuf":
        raise DataError(
            f"{path}: obsm[{name!r}] (keys.embedding) must be a table of numbers with {n_units} rows; "
            f"found {values.dtype} of shape {values.shape}"
        )
    return (values if rows is None else values[rows]).astype(np.float32)


def proportions_of(
    file: h5py.File, path: Path, name: str | None, rows: NDArray[np.intp] | None
) -> dict[str, NDArray[np.float64]]:
    """Return the columns of the table of cell types ``keys.proportions`` as ``type:NAME``, (n,) each.

    Raises ``DataError`` where it is not there, or has no column names.
    """
    if name is None:
        return {}
    obsm = entries_of(file)
    table: Any = obsm.get(name)
    if not hasattr(table, "keys"):
        problem = "is a matrix without column names" if table is not None else "is not there"
        raise DataError(
            f"{path}: obsm[{name!r}] (keys.proportions) {problem}; give a data frame with one column for "
            f"each cell type; obsm has {listing(obsm)}{nearest(name, obsm)}"
        )
    found = {column: np.asarray(hdf5.column(table, column), np.float64) for column in hdf5.columns(table)}
    return {f"type:{column}": values if rows is None else values[rows] for column, values in found.items()}


def _values(node: Any) -> NDArray[Any]:
    """Return a column; missing values of a nullable column of numbers are nan, those of categories None."""
    if isinstance(node, h5py.Group) and "codes" in node:
        levels: NDArray[Any] = np.array([*hdf5.flat(node["categories"]).tolist(), None], dtype=object)
        return np.asarray(levels[node["codes"][()]])
    if isinstance(node, h5py.Group) and "mask" in node and node["values"].dtype.kind in "iuf":
        return np.where(node["mask"][()], np.nan, node["values"][()])
    return hdf5.flat(node)
