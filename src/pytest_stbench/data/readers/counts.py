"""Count matrices of HDF5 files as CSR, row by row where the format allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from scipy import sparse

from pytest_stbench.data.features import CONTROLS, GENE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# A slide whose rows are scattered over more runs than this is cut out of one read.
_MAX_RUNS = 512
_DENSE_BLOCK_BYTES = 64 * 2**20
_INT32 = np.iinfo(np.int32)

DUPLICATE = "duplicate:"
"""Before the name of a gene that had several columns, in the notes."""

MAX_DUPLICATES = 20


def shape_of(node: h5py.Group | h5py.Dataset) -> tuple[int, int]:
    """Return (rows, columns) of a dense or sparse matrix without reading it."""
    if isinstance(node, h5py.Dataset):
        found = node.shape
    else:
        found = node.attrs["shape"] if "shape" in node.attrs else node.attrs["h5sparse_shape"]
    if len(found) != 2:
        raise ValueError(f"a matrix has two axes, this has {len(found)}")
    return int(found[0]), int(found[1])


def read_rows(node: h5py.Group | h5py.Dataset, rows: NDArray[np.intp] | None = None) -> sparse.csr_matrix:
    """Return the rows of a matrix as CSR with sorted indices, in the dtype of the file (of 16 bits in 32).

    Parameters
    ----------
    node
        CSR, CSC or dense matrix.
    rows
        Ascending indices; None for all.
    """
    shape = shape_of(node)
    if isinstance(node, h5py.Dataset):
        dtype = _held(node.dtype)
        spans = _dense_blocks(shape, dtype.itemsize, rows)
        blocks = [sparse.csr_matrix(node[a:b].astype(dtype, copy=False)) for a, b in spans]
        empty = sparse.csr_matrix((0, shape[1]), dtype=dtype)
        found = _picked(sparse.vstack([empty, *blocks], format="csr", dtype=dtype), rows)
    elif _is_csc(node):
        # The parts of a CSC matrix are those of the CSR matrix of its transpose.
        found = checked(node["data"][()], node["indices"][()], node["indptr"][()], shape[::-1]).T.tocsr()
        found = found if rows is None else found[rows]
    else:
        found = _read_csr(node, shape, rows)
    found.sum_duplicates()
    return found


def as_counts(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return `matrix` as int32 (int64 where that is too small) if all values are integral.

    Anything else, nan included, stays as it was read, so that checks can judge it.
    """
    data = matrix.data
    if data.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            if not (np.isfinite(data).all() and np.array_equal(data, np.rint(data))):
                return matrix
        if data.size and np.abs(data).max() > 2.0**53:
            return matrix
    small = not data.size or (data.min() >= _INT32.min and data.max() <= _INT32.max)
    return matrix.astype(np.int32 if small else np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneCounts:
    """The genes of a matrix: ``counts`` (n, g), ``genes`` (g,) unique; and what became of the rest.

    ``controls`` (n,) is the sum of the negative controls of each unit, nan where one is missing. ``notes``
    has, for each kind of feature that is no gene, ``features:KIND`` and ``counts:KIND`` (their number
    and their sum over all units), ``missing:KIND`` where values are not finite; ``control_features``
    and ``control_counts`` of all negative controls; and those of :func:`sum_duplicate_columns`.
    """

    counts: sparse.csr_matrix
    genes: NDArray[np.str_]
    controls: NDArray[np.float64]
    notes: dict[str, int]

    @property
    def measures(self) -> dict[str, NDArray[np.float64]]:
        """The sum of the negative controls of each unit; nothing where none was measured."""
        return {"control_counts": self.controls} if self.notes["control_features"] else {}


def only_genes(counts: sparse.csr_matrix, features: NDArray[np.str_], kinds: NDArray[np.str_]) -> GeneCounts:
    """Take everything out of a matrix (n, f) that is no gene, and count it, each kind by itself.

    `features` (f,) are names, `kinds` (f,) those of :func:`~pytest_stbench.data.features.kinds_of`. Columns
    of genes of equal name are summed; a gene and an antibody of equal name are two things.
    """
    kept = np.flatnonzero(kinds == GENE)
    of_genes = counts if len(kept) == counts.shape[1] else counts[:, kept].tocsr()
    summed, genes, duplicates = sum_duplicate_columns(as_counts(of_genes), features[kept])
    notes: dict[str, int] = {}
    controls = np.zeros(counts.shape[0])
    n_controls = 0
    for kind in np.unique(kinds[kinds != GENE]).tolist():
        of_kind = np.flatnonzero(kinds == kind)
        part = counts[:, of_kind]
        finite = np.isfinite(part.data)
        total = round(float(part.data[finite].sum(dtype=np.float64)))
        notes |= {f"features:{kind}": len(of_kind), f"counts:{kind}": total}
        if not finite.all():
            notes[f"missing:{kind}"] = int((~finite).sum())
        if kind in CONTROLS:
            n_controls += len(of_kind)
            with np.errstate(invalid="ignore"):
                controls += np.asarray(part.sum(axis=1, dtype=np.float64)).ravel()
    all_controls = {
        "control_features": n_controls,
        "control_counts": sum(notes.get(f"counts:{kind}", 0) for kind in CONTROLS),
    }
    notes = {**all_controls, **notes, **duplicates}
    return GeneCounts(counts=summed, genes=genes, controls=controls, notes=notes)


def sum_duplicate_columns(
    matrix: sparse.csr_matrix, names: NDArray[np.str_]
) -> tuple[sparse.csr_matrix, NDArray[np.str_], dict[str, int]]:
    """Sum the columns of equal name; return matrix, unique names in order, and notes.

    ``duplicate_symbols_summed`` columns were added to others, those of ``duplicate_genes`` genes; the first
    20 of these stand in the notes by name, as ``duplicate:NAME`` with the number of their columns.
    """
    unique, first, place, times = np.unique(names, return_index=True, return_inverse=True, return_counts=True)
    saved = len(names) - len(unique)
    if not saved:
        return matrix, names, {"duplicate_symbols_summed": 0}
    twice = np.flatnonzero(times > 1)
    notes = {"duplicate_symbols_summed": saved, "duplicate_genes": len(twice)}
    notes |= {f"{DUPLICATE}{unique[gene]}": int(times[gene]) for gene in twice[:MAX_DUPLICATES]}
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    # Summed in 64 bits: two large int32 counts could overflow.
    wide = matrix.astype(np.int64) if matrix.dtype.kind in "iub" else matrix
    summed = sparse.csr_matrix(
        (wide.data, rank[place[wide.indices]], wide.indptr), shape=(matrix.shape[0], len(unique))
    )
    summed.sum_duplicates()
    return as_counts(summed), unique[order], notes


def _held(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which values are held: sparse matrices know no floats of 16 bits."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def _is_csc(node: h5py.Group) -> bool:
    kind = node.attrs.get("encoding-type", node.attrs.get("h5sparse_format", ""))
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if kind.removesuffix("_matrix") not in ("csr", "csc"):
        raise ValueError(f"encoding {kind!r} is not a dense, csr or csc matrix")
    return kind.startswith("csc")


def _read_csr(node: h5py.Group, shape: tuple[int, int], rows: NDArray[np.intp] | None) -> sparse.csr_matrix:
    indptr = node["indptr"][()]
    if rows is None:
        return checked(node["data"][()], node["indices"][()], indptr, shape)
    if len(indptr) != shape[0] + 1:
        raise ValueError(f"indptr has {len(indptr)} entries for {shape[0]} rows")
    parts = []
    for first, last in _runs(rows):
        span = slice(int(indptr[first]), int(indptr[last]))
        part = checked(
            node["data"][span],
            node["indices"][span],
            indptr[first : last + 1] - indptr[first],
            (last - first, shape[1]),
        )
        parts.append(part)
    whole = sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((0, shape[1]))
    return _picked(whole, rows)


def _runs(rows: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Return the first and last + 1 of each run of rows, or of one run around all of them."""
    if not len(rows):
        return []
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    if len(cuts) >= _MAX_RUNS:
        return [(int(rows[0]), int(rows[-1]) + 1)]
    return [(int(run[0]), int(run[-1]) + 1) for run in np.split(rows, cuts)]


def _picked(found: sparse.csr_matrix, rows: NDArray[np.intp] | None) -> sparse.csr_matrix:
    """Return `rows` of what was read: `found` holds just them, or all from first to last."""
    return found if rows is None or found.shape[0] == len(rows) else found[rows - rows[0]]


def _dense_blocks(
    shape: tuple[int, int], itemsize: int, rows: NDArray[np.intp] | None
) -> Iterator[tuple[int, int]]:
    step = max(1, _DENSE_BLOCK_BYTES // max(1, shape[1] * itemsize))
    for first, last in [(0, shape[0])] if rows is None else _runs(rows):
        for start in range(first, last, step):
            yield start, min(start + step, last)


def checked(
    data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], shape: tuple[int, int]
) -> sparse.csr_matrix:
    """Return the CSR matrix of parts that a file holds.

    Raises ``ValueError`` where they do not fit together: scipy takes such parts, and reads what lies beyond.
    """
    steps = np.diff(indptr)
    if (
        len(indptr) != shape[0] + 1
        or indptr[0] != 0
        or (steps < 0).any()
        or indptr[-1] != len(data)
        or len(indices) != len(data)
        or (len(indices) and (indices.min() < 0 or indices.max() >= shape[1]))
    ):
        raise ValueError("the parts of the sparse matrix do not fit together")
    return sparse.csr_matrix((data.astype(_held(data.dtype), copy=False), indices, indptr), shape=shape)
