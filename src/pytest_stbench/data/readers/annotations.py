"""What AnnData files hold beside counts and columns: entries of ``obsm`` and of ``uns``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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

    from pytest_stbench.data.readers.hdf5 import Rows


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
    file: h5py.File, path: Path, name: str | None, rows: Rows, n_units: int
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
    return values[rows].astype(np.float32)


def proportions_of(
    file: h5py.File, path: Path, name: str | None, rows: Rows
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
    return {f"type:{column}": values[rows] for column, values in found.items()}


def _values(node: Any) -> NDArray[Any]:
    """Return a column; missing values of a nullable column of numbers are nan, those of categories None."""
    if isinstance(node, h5py.Group) and "codes" in node:
        levels: NDArray[Any] = np.array([*hdf5.flat(node["categories"]).tolist(), None], dtype=object)
        return np.asarray(levels[node["codes"][()]])
    if isinstance(node, h5py.Group) and "mask" in node and node["values"].dtype.kind in "iuf":
        return np.where(node["mask"][()], np.nan, node["values"][()])
    return hdf5.flat(node)


EXACT = 0.05
"""Relative difference above which two exact numbers contradict each other."""


def libraries(file: h5py.File) -> dict[str, dict[str, float]]:
    """Return the libraries of ``uns["spatial"]`` with the positive numbers of their scale factors."""
    spatial: Any = file.get("uns", {}).get("spatial")
    if not hasattr(spatial, "keys"):
        return {}
    found = {}
    for name in spatial:
        factors: Any = spatial[name].get("scalefactors") if hasattr(spatial[name], "keys") else None
        if hasattr(factors, "keys"):
            numbers = {key: positive(factors, key) for key in factors}
            found[name] = {key: value for key, value in numbers.items() if value is not None}
    return found


def factors_of(file: h5py.File, slide: str, rows: Rows) -> dict[str, float]:
    """Return the scale factors of a slide.

    Those of the only library, of the one that is called like the slide or named by a column of
    ``obs`` on all its rows, else what all libraries have in common.
    """
    found = libraries(file)
    if len(found) <= 1:
        return next(iter(found.values()), {})
    if slide in found:
        return found[slide]
    obs = file["obs"]
    for column in hdf5.columns(obs):
        if "library" not in column.casefold():
            continue
        names, codes = hdf5.categories(obs, column)
        there = np.unique(codes[rows])
        if len(there) == 1 and there[0] >= 0 and names[there[0]] in found:
            return found[names[there[0]]]
    first, *others = found.values()
    return {
        key: value
        for key, value in first.items()
        if all(abs(other.get(key, math.inf) / value - 1) <= EXACT for other in others)
    }


def positive(node: Any, key: str) -> float | None:
    """Return a positive number of a group, None for anything else."""
    value: Any = node.get(key) if hasattr(node, "get") else None
    return positive_number(value[()]) if getattr(value, "size", 0) == 1 else None


def positive_number(value: Any) -> float | None:
    """Return one positive number; None for anything else."""
    found = np.ravel(value)
    if found.size != 1 or found.dtype.kind not in "iuf" or not 0 < found[0] < math.inf:
        return None
    return float(found[0])


BIN = "bin"
PITCH = "pitch_um"
MEASURES = ("area_um2", "cells", "control_counts", "tissue_share", "transcripts")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Formed:
    """Pitch of the lattice and measures of the units, (n,) each; nothing where units were not formed."""

    pitch_um: float | None = None
    measures: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def formed_units(file: h5py.File, path: Path) -> Formed:
    """Return what the file says of its units. Raises ``DataError`` for a measure that is no number."""
    settings = file.get("uns", {}).get(BIN)
    if not hasattr(settings, "keys"):
        return Formed()
    there = set(hdf5.columns(file["obs"]))
    measures = {}
    for name in MEASURES:
        if name not in there:
            continue
        try:
            measures[name] = np.asarray(hdf5.column(file["obs"], name), dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(
                f"{path}: obs[{name!r}] of units formed by `stbench bin` must hold numbers; form them anew"
            ) from None
    return Formed(pitch_um=_pitch(file, path) if PITCH in settings else None, measures=measures)


def _pitch(file: h5py.File, path: Path) -> float:
    try:
        pitch = hdf5.number(file, f"{BIN}.{PITCH}")
    except ValueError:
        pitch = math.nan
    if not 0 < pitch < math.inf:
        raise DataError(f"{path}: uns['{BIN}']['{PITCH}'] must be one number above 0; form the units anew")
    return pitch
