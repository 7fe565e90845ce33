"""Reference atlases: cells of another study with their labels, read once and given to models as copies."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.data.wording import absent, listing
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.streams import stream
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import h5py
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.later import Later, Made
    from pytest_stbench.spec.reference import ReferenceSpec

BLOCK = 16_384
"""Cells that are read at a time."""

SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Atlas:
    """The cells that are taken of an atlas.

    ``counts`` (cells, genes) are as read, ``labels`` (cells,) text; ``patients`` are those of all cells of
    the file, ``n_cells`` is their number, ``unlabelled`` of how many no label is known; these are left out.
    """

    counts: csr_matrix
    genes: NDArray[np.str_]
    labels: NDArray[np.object_]
    patients: tuple[str, ...]
    n_cells: int
    unlabelled: int

    @quiet_anndata()
    def given(self) -> AnnData:
        """Return a copy as models get it, cells under names that count them."""
        import pandas as pd
        from anndata import AnnData

        names = [f"cell{number:07d}" for number in range(1, len(self.labels) + 1)]
        obs = pd.DataFrame({"label": self.labels.astype(object)}, index=pd.Index(names, dtype=object))
        return AnnData(
            X=self.counts.copy(), obs=obs, var=pd.DataFrame(index=pd.Index(self.genes.astype(object)))
        )


class Reference:
    """What models are given of an atlas: nothing is read before :meth:`cells` is called.

    Parameters
    ----------
    make
        Gives the cells; neither it nor a copy or pickle of it leads to the file.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Later | Made) -> None:
        self._make = make

    def cells(self) -> AnnData:
        """Return the cells, a copy at every call: raw counts in ``X``, ``obs["label"]``, ``var_names``."""
        found: AnnData = self._make()
        return found


_LATEST: dict[tuple[Any, ...], Atlas] = {}
"""The atlas that this process has read last: tasks of one atlas share it."""


def find_atlas(spec: ReferenceSpec, roots: Sequence[Path]) -> Path:
    """Return the file of an atlas. Raises ``DataMissing`` where it is not on this machine."""
    return resolve_one(spec.path, roots, what="reference.path")


def read_atlas(spec: ReferenceSpec, path: Path, *, aliases: bool) -> Atlas:
    """Return the cells of an atlas that are given to models, read once a process.

    Parameters
    ----------
    spec
        What the task file says of it.
    path
        The file, read some thousand cells at a time where the format allows.
    aliases
        Whether retired symbols are read under the current one, as in the data sets.

    Raises
    ------
    DataError
        With file and key for whatever is missing or does not fit.
    """
    from pytest_stbench.data.checksums import state_of

    key = (path.resolve(), state_of(path.stat()), spec.model_dump_json(), aliases)
    if key not in _LATEST:
        _LATEST.clear()
        _LATEST[key] = _read(spec, path, aliases=aliases)
    return _LATEST[key]


def _read(spec: ReferenceSpec, path: Path, *, aliases: bool) -> Atlas:
    from pytest_stbench.data.align import renamed_symbols
    from pytest_stbench.data.readers import hdf5
    from pytest_stbench.data.readers.counts import only_genes, shape_of
    from pytest_stbench.data.readers.matrices import features_of, matrices

    with hdf5.opened(path) as file:
        known = matrices(file)
        if spec.counts not in known:
            raise DataError(
                f"{path}: there are no counts {spec.counts!r} (reference.counts); the file has "
                f"{listing(known)}{nearest(spec.counts, known)}"
            )
        matrix = known[spec.counts]
        labels = _column(file, path, "reference.labels", spec.labels)
        patients = () if spec.patient is None else _column(file, path, "reference.patient", spec.patient)
        features, kinds = features_of(file, matrix.var, spec.gene)
        if shape_of(matrix.node) != (len(labels), len(features)):
            found = f"{shape_of(matrix.node)} values for {len(labels)} cells and {len(features)} genes"
            raise DataError(f"{path}: {matrix.node.name}: {found}; the file is damaged")
        rows = drawn_cells(labels, spec.cells)
        if not len(rows):
            raise DataError(f"{path}: no cell has a label in obs[{spec.labels!r}] (reference.labels)")
        genes = only_genes(_rows_of(matrix.node, rows), features, kinds)
    names = genes.genes
    if aliases:
        renamed, _ = renamed_symbols(names.tolist())
        names = np.array([renamed.get(name, name) for name in names.tolist()], dtype=np.str_)
    return Atlas(
        counts=genes.counts,
        genes=names,
        labels=labels[rows],
        patients=tuple(sorted({str(who) for who in patients if who is not None})),
        n_cells=len(labels),
        unlabelled=sum(label is None for label in labels.tolist()),
    )


def drawn_cells(labels: NDArray[np.object_], most: int) -> NDArray[np.intp]:
    """Return at most `most` cells that have a label, ascending: of each label alike while it lasts."""
    rows = np.flatnonzero([label is not None for label in labels.tolist()])
    if len(rows) <= most:
        return rows
    _, codes = np.unique(labels[rows].astype(str), return_inverse=True)
    mixed = stream(SEED, "reference").permutation(len(rows))
    mixed = mixed[np.argsort(codes[mixed], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes))])[:-1]
    turn = np.arange(len(rows)) - starts[codes[mixed]]
    taken = mixed[np.argsort(turn, kind="stable")[:most]]
    return np.sort(rows[taken])


def _rows_of(node: Any, rows: NDArray[np.intp]) -> csr_matrix:
    """Return some rows of a matrix, read in blocks: what lies between them is held for one block alone."""
    from scipy import sparse

    from pytest_stbench.data.readers.counts import read_rows

    if hasattr(node, "keys") and "csc" in str(node.attrs.get("encoding-type", "")):
        return read_rows(node, rows)  # there is no way to read some cells of it
    cuts = np.searchsorted(rows, np.arange(0, int(rows[-1]) + BLOCK + 1, BLOCK))
    parts = [read_rows(node, rows[a:b]) for a, b in pairwise(cuts.tolist()) if b > a]
    return sparse.csr_matrix(sparse.vstack(parts, format="csr"))


def _column(file: h5py.File, path: Path, key: str, name: str) -> NDArray[np.object_]:
    from pytest_stbench.data.readers import hdf5

    there = hdf5.columns(file["obs"])
    if name not in there:
        raise DataError(absent(f"{path}: obs", name, key, there))
    return hdf5.column(file["obs"], name)
