"""The matrices of an AnnData file: which of them holds the counts, and what their columns are called.

Symbols are the index of ``var``, or one of its columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.features import kinds_column, kinds_of
from pytest_stbench.data.gene_ids import ensembl_ids
from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.counts import read_rows, shape_of
from pytest_stbench.data.wording import absent
from pytest_stbench.errors import DataError
from pytest_stbench.resources import gene_symbols

if TYPE_CHECKING:
    from collections.abc import Mapping

    import h5py
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

NAMED = ("counts", "raw_counts", "count", "raw_count", "raw", "umi", "umis", "umi_counts")
"""Names of layers that say that they hold counts, first choice first; case does not matter."""

PARTS = frozenset({"spliced", "unspliced", "ambiguous", "mature", "nascent", "intronic", "exonic"})
"""Layers of RNA velocity: each holds a part of the counts."""

SAMPLED_UNITS = 500
RUNS = 20
"""Units are sampled in so many runs, evenly over the file."""

SAMPLED_VALUES = 4_000_000
EQUAL_TOTALS = 0.01
"""Below this coefficient of variation the totals of units were made equal: values, not counts."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of the file with the table of its genes."""

    node: Any
    var: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Where the counts are: ``X``, ``raw``, a layer, or None where no matrix holds whole numbers.

    ``others`` has the further matrices of whole numbers that differ from it, with the sum of each as a
    share of the sum of the counts, over genes and units (a sample) that both have. ``part`` says that
    what was taken is a layer that holds a part of the counts by its name.
    """

    name: str | None
    others: Mapping[str, float]
    part: bool = False


def matrices(file: h5py.File) -> dict[str, Matrix]:
    """Return every matrix of units and genes that can be read, by the name that ``keys.counts`` takes.

    ``raw`` is the group ``raw``, or ``raw.X`` and ``raw.var`` at the top (anndata 0.6).
    """
    found = {}
    if "X" in file:
        found["X"] = Matrix(file["X"], file["var"])
    for node, var in (("raw/X", "raw/var"), ("raw.X", "raw.var")):
        if node in file and var in file and "raw" not in found:
            found["raw"] = Matrix(file[node], file[var])
    layers: Any = file.get("layers", {})
    for name in layers:
        # A layer called `raw` or `X` could not be told from the others by name.
        found.setdefault(name, Matrix(layers[name], file["var"]))
    return found


def counts_of(file: h5py.File) -> Counts:
    """Return which matrix holds the counts.

    Candidates are the matrices of whole numbers from 0 whose totals differ between units: layers that
    are named after counts, ``raw`` and ``X``; others only where none of these is one, or holds
    nothing above 1. Of candidates that differ the one with the larger sum over the same genes and
    units is the counts, of equal ones that with the most genes. A sample of the units decides.
    """
    there = {name: matrix for name, matrix in matrices(file).items() if _is_matrix(matrix.node)}
    sampled = {name: _sample(matrix.node) for name, matrix in there.items()}
    whole = {name: sample for name, sample in sampled.items() if _is_whole(sample)}
    if not whole:
        return Counts(name=None, others={})
    # Totals that were made equal are no counts, unless there is nothing else.
    fit = [name for name, sample in whole.items() if not _totals_equal(sample)] or list(whole)
    genes = {name: hdf5.index_of(there[name].var) for name in whole}
    shared = sorted(set.intersection(*(set(names.tolist()) for names in genes.values())))
    same = {name: _columns(whole[name], genes[name], shared) for name in whole}
    sums = {name: float(part.sum()) for name, part in same.items()}
    named = [name for name in fit if name.casefold() in NAMED and name not in ("X", "raw")]
    named.sort(key=lambda name: NAMED.index(name.casefold()))
    first = [*(name for name in ("X", "raw") if name in fit), *named]
    best = _largest(first, sums, genes)
    if best is None or whole[best].max() <= 1:
        best = _largest([*first, *(name for name in fit if name not in first)], sums, genes)
    assert best is not None  # there is a candidate
    differing = [name for name in whole if name != best and (same[name] != same[best]).nnz]
    others = {name: sums[name] / sums[best] if sums[best] else 0.0 for name in differing}
    ordered = dict(sorted(others.items(), key=lambda item: (-item[1], item[0])))
    return Counts(name=best, others=ordered, part=best.casefold() in PARTS)


def _largest(
    names: list[str], sums: Mapping[str, float], genes: Mapping[str, NDArray[np.str_]]
) -> str | None:
    """Return the name with the largest sum, then with the most genes, then the first."""
    return max(names, key=lambda name: (sums[name], len(genes[name])), default=None)


def _is_matrix(node: Any) -> bool:
    try:
        return len(shape_of(node)) == 2
    except (KeyError, ValueError):
        return False  # other software keeps other things among layers


def _sample(node: Any) -> csr_matrix:
    """Return evenly spread rows of a matrix, all of a small one."""
    n, columns = shape_of(node)
    dense = not hasattr(node, "keys")
    size = min(n, SAMPLED_UNITS, max(RUNS, SAMPLED_VALUES // max(columns, 1)) if dense else n)
    if size == n:
        return read_rows(node)
    length = -(-size // RUNS)
    starts = np.linspace(0, n - length, RUNS).astype(np.intp)
    return read_rows(node, np.unique(starts[:, None] + np.arange(length)))


def _is_whole(sample: csr_matrix) -> bool:
    values = sample.data
    if values.dtype.kind not in "biuf" or not values.size:
        return False
    return bool(np.isfinite(values).all() and (values >= 0).all() and (values == np.rint(values)).all())


def _totals_equal(sample: csr_matrix) -> bool:
    totals = np.asarray(sample.sum(axis=1), dtype=np.float64).ravel()
    totals = totals[totals > 0]
    return len(totals) >= RUNS and bool(totals.std() <= EQUAL_TOTALS * totals.mean())


def _columns(sample: csr_matrix, names: NDArray[np.str_], wanted: list[str]) -> csr_matrix:
    """Return the columns of the genes `wanted`, the first of each name, in that order."""
    unique, first = np.unique(names, return_index=True)
    return sample[:, first[np.searchsorted(unique, wanted)]].astype(np.float64)


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
        raise DataError(absent(f"{file.filename}: var", column, "keys.gene", there))
    missing = np.array([value is None for value in values], dtype=bool)
    return np.asarray(np.where(missing, names, values), dtype=np.str_)


def features_of(file: h5py.File, var: Any, column: str | None) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Return the names of the features of `var`, see :func:`symbols_of`, and what each is, both (f,)."""
    names = symbols_of(file, var, column)
    said = kinds_column(hdf5.columns(var), lambda known: hdf5.column(var, known))
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


def ids_of(file: h5py.File, var: Any, column: str | None) -> dict[str, str]:
    """Return the Ensembl id of each symbol of `var`: from its index, or the column of text with most."""
    symbols = symbols_of(file, var, column).tolist()
    named = [hdf5.index_of(var).tolist()]
    named += [
        hdf5.column(var, name).tolist()
        for name in hdf5.columns(var)
        if hdf5.is_discrete(var, name) and not hdf5.is_number(var, name)
    ]
    return max((ensembl_ids(symbols, ids) for ids in named), key=len)
