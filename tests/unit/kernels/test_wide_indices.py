"""Sparse matrices that are numbered by 64 bits, as those of more than 2^31 stored values are."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from pytest_stbench.checks.rows import equal_rows, row_hashes
from pytest_stbench.data.align import align_columns, totals
from pytest_stbench.data.readers.counts import as_counts, read_rows
from pytest_stbench.kernels.graph import cell_graph
from pytest_stbench.kernels.hvg import standardised_variance
from pytest_stbench.kernels.joined import dense_blocks, pairs_of
from pytest_stbench.kernels.moran import morans_i
from pytest_stbench.kernels.sparse_ranks import spearman_with

N, G = 400, 30


def wide(matrix):
    """Return the same matrix with all of its numbers in 64 bits, which scipy would narrow."""
    made = matrix.copy()
    made.indices, made.indptr = made.indices.astype(np.int64), made.indptr.astype(np.int64)
    assert made.indptr.dtype == made.indices.dtype == np.int64
    return made


@pytest.fixture(scope="module")
def counts():
    made = sp.csr_matrix(np.random.default_rng(0).poisson(0.7, (N, G)).astype(np.float32))
    assert made.indptr.dtype == np.int32
    return made


GRAPH = pairs_of(cell_graph(np.random.default_rng(1).uniform(0, 100, (N, 2))))
GENES = np.array([f"G{gene}" for gene in range(G)])
KERNELS = {
    "row hashes": row_hashes,
    "equal rows": equal_rows,
    "totals": lambda x: np.concatenate(totals(x)),
    "aligned": lambda x: align_columns(x, GENES[::-1], np.sort(GENES)).toarray(),
    "counts": lambda x: as_counts(x).toarray(),
    "variance": lambda x: standardised_variance(x.tocsc() if x.format == "csr" else x),
    "Moran's I": lambda x: morans_i(x, GRAPH),
    "blocks": lambda x: np.hstack([block for _, block in dense_blocks(x)]),
    "ranks": lambda x: spearman_with(x, np.asarray(x.sum(axis=1)).ravel()),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_find_the_same(counts, name):
    of = KERNELS[name]
    np.testing.assert_array_equal(of(wide(counts)), of(counts))


@pytest.mark.parametrize("rows", [None, np.arange(3, 90, 7), np.array([5])])
def test_files_are_read_the_same(counts, rows, tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        for name, made in (("narrow", counts), ("wide", wide(counts))):
            group = file.create_group(name)
            group.attrs["encoding-type"] = "csr_matrix"
            group.attrs["shape"] = made.shape
            for part in ("data", "indices", "indptr"):
                group[part] = getattr(made, part)
        narrow, found = read_rows(file["narrow"], rows), read_rows(file["wide"], rows)
    np.testing.assert_array_equal(found.toarray(), narrow.toarray())
