"""The feature-barcode matrix that Space Ranger and Xenium write (HDF5)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.features import genes_in, kinds_of
from pytest_stbench.data.gene_ids import ensembl_ids
from pytest_stbench.data.labels import text
from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.counts import checked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray
    from scipy import sparse


ASCII = 127
"""The largest byte that stands for itself."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Names of the features and what each is, a gene or something else."""

    names: NDArray[np.str_]
    kinds: NDArray[np.str_]
    ids: NDArray[np.str_] | None = None

    @property
    def ensembl_ids(self) -> dict[str, str]:
        """The Ensembl id of each gene, by its name."""
        return {} if self.ids is None else ensembl_ids(self.names, self.ids)

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the genes, each once."""
        return genes_in(self.names, self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """Counts (barcodes, features)."""

    barcodes: NDArray[np.str_]
    features: Features
    counts: sparse.csr_matrix


def read_features(path: Path) -> Features:
    """Return the features of a matrix; no count is read."""
    with _opened(path) as group:
        return _features(group)


def read_matrix(path: Path) -> Matrix:
    """Return a matrix. Raises ``DataError`` when the file is damaged or another format."""
    with _opened(path) as group:
        features = _features(group)
        barcodes = _text(group["barcodes"])
        shape = (len(barcodes), len(features.names))
        if tuple(int(side) for side in group["shape"][()]) != shape[::-1]:
            message = f"shape {tuple(group['shape'][()])} for {shape[1]} features and {shape[0]} barcodes"
            raise ValueError(message)
        # Columns of the file are barcodes, so its parts are those of the CSR matrix of barcodes.
        counts = checked(group["data"][()], group["indices"][()], group["indptr"][()], shape)
        counts.sum_duplicates()
    return Matrix(barcodes=barcodes, features=features, counts=counts)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.Group]:
    with hdf5.opened(path, required=("matrix",), what="a feature-barcode matrix") as file:
        yield file["matrix"]


def _features(group: h5py.Group) -> Features:
    """Return the features; where there is no name the id stands for it."""
    features = group["features"]
    ids = _text(features["id"]) if "id" in features else None
    names = _text(features["name"]) if "name" in features else ids
    if names is None:
        raise ValueError("its features have neither name nor id")
    if ids is not None:
        names = np.where(names == "", ids, names)
    types = _text(features["feature_type"]) if "feature_type" in features else None
    return Features(names=names, kinds=kinds_of(names, types, ids), ids=ids)


def _text(node: h5py.Dataset) -> NDArray[np.str_]:
    values = node[()]
    if values.dtype.kind == "S" and not (values.view(np.uint8) > ASCII).any():
        return np.asarray(values, dtype=np.str_)
    return np.array(text(values.tolist()), dtype=np.str_)
