"""Which of several matrices holds the counts, and what is said of the others."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pytest
from scipy import sparse

from pytest_stbench.data.readers.counts import read_rows
from pytest_stbench.data.readers.matrices import SAMPLED_UNITS, counts_of, matrices

from .made import check, new, section


def logged(counts):
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.log1p(counts / total * 1e4)


def thinned(counts, share, seed=1):
    return np.random.default_rng(seed).binomial(counts.astype(int), share).astype(float)


def write(path, made, **matrices):
    """Write X, raw and layers that are given as dense arrays; X logged by default."""
    counts = made.X.toarray()
    layers = {name: make(counts) for name, make in matrices.items()}
    if "raw" in layers:
        raw = made.copy()
        raw.X = sparse.csr_matrix(layers.pop("raw"))
        made.raw = raw
    made.X = sparse.csr_matrix(layers.pop("X", logged(counts)).astype(np.float32))
    for name, values in layers.items():
        made.layers[name] = sparse.csr_matrix(values.astype(np.float32))
    made.write_h5ad(path)
    return counts


def same(counts):
    return counts


CASES = {
    # what is there: which is taken, what else is named
    "layer": ({"counts": same}, "counts", {}),
    "raw": ({"raw": same}, "raw", {}),
    "velocity beside raw": (
        {"raw": same, "ambiguous": lambda c: thinned(c, 0.05), "spliced": lambda c: thinned(c, 0.7)},
        "raw", {"spliced": 0.7, "ambiguous": 0.05},
    ),
    "velocity beside a layer": (
        {"ambiguous": lambda c: thinned(c, 0.05), "raw_counts": same}, "raw_counts", {"ambiguous": 0.05},
    ),
    "velocity beside X": ({"X": same, "unspliced": lambda c: thinned(c, 0.2)}, "X", {"unspliced": 0.2}),
    "a copy": ({"X": same, "counts": same}, "X", {}),
    "corrected X": ({"X": lambda c: thinned(c, 0.8), "counts": same}, "counts", {"X": 0.8}),
    "downsampled layer": ({"X": same, "counts": lambda c: thinned(c, 0.3)}, "X", {"counts": 0.3}),
    "downsampled raw": ({"X": same, "raw": lambda c: thinned(c, 0.3)}, "X", {"raw": 0.3}),
    "ones for seen": ({"X": lambda c: (c > 12).astype(float), "original": same}, "original", {"X": None}),
    "other layer is larger": ({"X": same, "smoothed": lambda c: c * 3}, "X", {"smoothed": 3.0}),
    "other layer alone": ({"kept": same}, "kept", {}),
    "totals made equal": (
        {"X": lambda c: np.diff(np.rint(np.cumsum(c, 1) / c.sum(1, keepdims=True) * 1e5), axis=1, prepend=0),
         "umi": same}, "umi", {"X": None},
    ),
    "capitals": ({"Counts": same, "spliced": lambda c: thinned(c, 0.7)}, "Counts", {"spliced": 0.7}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_counts_and_what_else_is_there(tmp_path, name):
    given, expected, others = CASES[name]
    counts = write(tmp_path / "A.h5ad", section(3), **given)
    with h5py.File(tmp_path / "A.h5ad") as file:
        found = counts_of(file)
        np.testing.assert_array_equal(
            read_rows(matrices(file)[expected].node).toarray(), given[expected](counts)
        )
    assert found.name == expected
    assert list(found.others) == list(others)
    for other, share in others.items():
        if share is not None:
            assert found.others[other] == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("rows", [None, np.array([1, 2, 4])])
@pytest.mark.parametrize("form", ["dense", "csr", "csc"])
def test_floats_of_16_bits(tmp_path, form, rows):
    counts = np.arange(24.0).reshape(6, 4) % 7
    with h5py.File(tmp_path / "x.h5", "w") as file:
        if form == "dense":
            file["X"] = counts.astype(np.float16)
        else:
            held = getattr(sparse, f"{form}_matrix")(counts)
            group = file.create_group("X")
            group.attrs["encoding-type"], group.attrs["shape"] = f"{form}_matrix", counts.shape
            group["data"] = held.data.astype(np.float16)
            group["indices"], group["indptr"] = held.indices, held.indptr
        found = read_rows(file["X"], rows)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.toarray(), counts if rows is None else counts[rows])


def test_new_writes_what_was_taken_and_what_was_not(tmp_path, monkeypatch):
    counts = write(
        tmp_path / "A.h5ad", section(3), raw=same, ambiguous=lambda c: thinned(c, 0.05),
        spliced=lambda c: thinned(c, 0.7),
    )  # fmt: skip
    config, found, text = new(tmp_path, monkeypatch)
    assert config.keys.counts == "raw"
    assert found.slide("A").libsize.sum() == counts.sum()
    said = " ".join(text.replace("#", " ").split())
    assert "NOTE: counts are those of raw; other matrices of whole numbers: spliced (" in said
    assert ", ambiguous (5" in said
    assert check(tmp_path, select="normalised_not_counts")["normalised_not_counts"]["status"] == "pass"


def test_parts_of_counts_are_never_taken_in_silence(tmp_path, monkeypatch):
    write(
        tmp_path / "A.h5ad",
        section(3),
        unspliced=lambda c: thinned(c, 0.2),
        spliced=lambda c: thinned(c, 0.7),
    )
    config, _, text = new(tmp_path, monkeypatch)
    assert config.keys.counts == "spliced"
    said = " ".join(text.replace("#", " ").split())
    assert "layer spliced, which by its name holds a part of them: write the sum of all parts" in said
    assert "unspliced (2" in said


def test_raw_has_the_genes_that_x_lost(tmp_path, monkeypatch):
    made = section(3)
    few = made[:, :20].copy()
    few.raw = made
    few.write_h5ad(tmp_path / "A.h5ad")
    config, found, text = new(tmp_path, monkeypatch)
    assert config.keys.counts == "raw"
    assert len(found.panels["A"]) == 60
    assert "whole numbers" not in text, "X is the same where it is"


def test_no_counts_at_all(tmp_path, monkeypatch):
    write(tmp_path / "A.h5ad", section(3), scaled=lambda c: c / 7, negative=lambda c: c - 1)
    assert "neither X nor a layer nor raw holds counts" in new(tmp_path, monkeypatch)


@pytest.mark.parametrize("layout", ["csr", "csc", "dense"])
def test_a_large_file_is_sampled_over_its_length(tmp_path, layout):
    """Rows that are not whole stand at the end alone."""
    n = SAMPLED_UNITS * 3
    counts = np.random.default_rng(0).poisson(3, (n, 5)).astype(np.float32)
    wrong = counts.copy()
    wrong[-n // 10 :] += 0.5
    form = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.asarray}[layout]
    anndata.AnnData(form(wrong), layers={"kept": form(counts)}).write_h5ad(tmp_path / "A.h5ad")
    with h5py.File(tmp_path / "A.h5ad") as file:
        assert counts_of(file).name == "kept"


def test_layers_of_other_kinds_are_passed_over(tmp_path):
    made = section(3)
    made.write_h5ad(tmp_path / "A.h5ad")
    with h5py.File(tmp_path / "A.h5ad", "a") as file:
        file.require_group("layers").create_group("odd")["x"] = [1, 2]
        file["layers"]["flat"] = np.ones(7)
        assert counts_of(file).name == "X"
