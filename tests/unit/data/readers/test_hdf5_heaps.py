"""Heaps of text in HDF5 files: those of libraries are sound, others are told before anything is read."""

from __future__ import annotations

import struct

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.readers import hdf5_bounds
from pytest_stbench.data.readers.counts import checked
from pytest_stbench.data.readers.hdf5_bounds import SIGNATURE, damaged_heap
from pytest_stbench.data.readers.tenx import read_matrix
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec


def heap(*objects, size=None):
    """Return the bytes of a collection of objects, each a number and what it says of its size."""
    body = b"".join(struct.pack("<HHIQ", number, 1, 0, says) + bytes(held) for number, says, held in objects)
    return SIGNATURE + struct.pack("<Q", 16 + len(body) if size is None else size) + body


FULL = heap((1, 5, 8), (2, 8, 8))
WITH_SPACE = heap((1, 5, 8), (0, 56, 40))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (FULL, None),
        (WITH_SPACE, None),
        (heap(), None),
        (heap((1, 5, 8)) + bytes(8), None),
        (heap((1, 5, 8), (2, 900, 8)), 0),
        (heap((1, 5, 8), (0, 900, 40)), 0),
        (heap((1, 5, 8), size=4096), 0),
        (heap((1, 5, 8), size=8), 0),
        (b"any" * 11 + FULL + b"thing" + heap((1, 99, 8)), 33 + len(FULL) + 5),
        (SIGNATURE + b"\x10", 0),
    ],
)
def test_what_does_not_fill_its_heap_is_found(tmp_path, content, found, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(content)
    assert damaged_heap(path, len(content)) == found
    monkeypatch.setattr(hdf5_bounds, "BLOCK", 9)  # signatures across blocks
    assert damaged_heap(path, len(content)) == found


def test_an_empty_file_and_one_that_is_too_large_to_go_through(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"")
    assert damaged_heap(path, 0) is None
    path.write_bytes(heap((1, 99, 8)))
    monkeypatch.setattr(hdf5_bounds, "LARGEST", 10)
    assert damaged_heap(path, path.stat().st_size) is None


@pytest.fixture
def written(tmp_path):
    """A file of anndata with many names, and the settings that read it."""
    n = 700
    obs = pd.DataFrame(index=[f"{'a' * (i % 37)}{i}" for i in range(n)])
    var = pd.DataFrame(index=[f"G{i}" for i in range(40)])
    with quiet_anndata():
        made = anndata.AnnData(sparse.csr_matrix(np.ones((n, 40), np.int32)), obs=obs, var=var)
        made.obsm["spatial"] = np.random.default_rng(0).uniform(0, 1000, (n, 2))
        made.write_h5ad(tmp_path / "S1.h5ad")
    spec = DatasetSpec(source="h5ad", path="S1.h5ad", scale={"um_per_px": 1.0}, technology="ST")
    return tmp_path / "S1.h5ad", spec


def test_files_of_anndata_are_sound(written):
    path, _ = written
    content = path.read_bytes()
    assert content.count(SIGNATURE) > 1
    assert damaged_heap(path, len(content)) is None


def test_a_damaged_one_is_refused_before_it_is_read(written):
    path, spec = written
    content = bytearray(path.read_bytes())
    at = content.find(SIGNATURE)
    content[at + 24 : at + 32] = struct.pack("<Q", 1 << 40)  # more than the file has
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"heap of text at byte {at:,} is not filled .* is damaged"):
        Dataset("d", spec, load_samples(spec, "d", (path.parent,)), (path.parent,)).slide("S1")


def tenx(path, indices, indptr):
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array([b"a", b"b"])
        group["data"] = np.ones(len(indices), np.int32)
        group["indices"], group["indptr"], group["shape"] = indices, indptr, [3, 2]
        features = group.create_group("features")
        features["name"] = features["id"] = np.array([b"G1", b"G2", b"G3"])
    return path


def test_counts_of_space_ranger_fit_their_shape(tmp_path):
    assert read_matrix(tenx(tmp_path / "a.h5", [0, 2, 1], [0, 2, 3])).counts.toarray().tolist() == [
        [1, 0, 1], [0, 1, 0],
    ]  # fmt: skip
    for number, indices in enumerate(([0, 3, 1], [0, -1, 1])):
        with pytest.raises(DataError, match="the parts of the sparse matrix do not fit together"):
            read_matrix(tenx(tmp_path / f"{number}.h5", indices, [0, 2, 3]))


@pytest.mark.parametrize(
    ("data", "indices", "indptr"),
    [
        ([1, 1], [0, 1], [0, 1]),
        ([1, 1], [0, 1], [1, 1, 2]),
        ([1, 1], [0, 1], [0, 1, 3]),
        ([1, 1], [0], [0, 1, 2]),
        ([1, 1], [0, 3], [0, 1, 2]),
    ],
)
def test_parts_that_do_not_fit_are_refused(data, indices, indptr):
    with pytest.raises(ValueError, match="do not fit together"):
        checked(np.array(data), np.array(indices), np.array(indptr), (2, 3))


@pytest.mark.parametrize("how", [{}, {"libver": "latest"}, {"userblock_size": 512}], ids=str)
def test_files_that_were_changed_again_and_again_are_sound(tmp_path, how):
    """Texts are taken out of heaps and put into others, which leaves free space of every size."""
    rng = np.random.default_rng(0)
    path = tmp_path / "x.h5"
    h5py.File(path, "w", **how).close()
    for number in range(12):
        with h5py.File(path, "r+") as file:
            for name in list(file)[: number % 3]:
                del file[name]
            lengths = rng.integers(0, [9, 60, 900, 6000][number % 4], 150)
            file[f"d{number}"] = np.array(["x" * int(n) for n in lengths], object)
            file.attrs["a"] = "y" * int(rng.integers(500))
        assert path.read_bytes().count(SIGNATURE) > 0
        assert damaged_heap(path, path.stat().st_size) is None
