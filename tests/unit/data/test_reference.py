"""Reference atlases: what is read, what is drawn, and that nothing leads to the file."""

from __future__ import annotations

import pickle
from collections import Counter

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError
from scipy.sparse import csc_matrix, csr_matrix

from pytest_stbench.data import reference
from pytest_stbench.data.checksums import Checksums
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.reference import drawn_cells, find_atlas, read_atlas
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.run.task_reference import TaskReference
from pytest_stbench.spec.model import TaskSpec
from pytest_stbench.spec.reference import ReferenceSpec

N, GENES = 50, ["EPCAM", "CTGF", "CD3D", "Blank-1"]
COUNTS = np.arange(N * 4).reshape(N, 4) % 7
LABELS = [None if i % 10 == 9 else ("T", "B")[i % 3 == 0] for i in range(N)]


def spec(**changes):
    return ReferenceSpec(**{"source": "h5ad", "path": "atlas.h5ad", "labels": "kind", **changes})


@pytest.fixture
def write(tmp_path):
    def written(counts=COUNTS, form=csr_matrix, name="atlas.h5ad", **layers):
        obs = pd.DataFrame(
            {"kind": LABELS, "donor": [f"d{i % 4}" for i in range(N)]}, index=[f"AAA{i}" for i in range(N)]
        )
        made = anndata.AnnData(
            X=form(counts.astype(np.float32)), obs=obs, var=pd.DataFrame({"id": list("abcd")}, index=GENES)
        )
        made.layers.update({key: csr_matrix(value.astype(np.float32)) for key, value in layers.items()})
        made.write_h5ad(tmp_path / name)
        return tmp_path / name

    return written


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix, np.asarray])
def test_labelled_cells_are_read(write, form, monkeypatch):
    monkeypatch.setattr(reference, "BLOCK", 7)
    found = read_atlas(spec(patient="donor"), write(form=form), aliases=True)
    kept = [row for row, label in enumerate(LABELS) if label]
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS[kept][:, :3])
    assert found.genes.tolist() == ["EPCAM", "CCN2", "CD3D"], "controls are no genes, symbols current ones"
    assert found.labels.tolist() == [LABELS[row] for row in kept]
    assert (found.n_cells, found.unlabelled, found.patients) == (N, 5, ("d0", "d1", "d2", "d3"))
    given = found.given()
    assert given.obs_names[0] == "cell0000001"
    assert list(given.obs.columns) == ["label"]
    given.X.data[:] = 0
    given.obs["label"] = "x"
    assert found.given().X.sum() == COUNTS[kept][:, :3].sum()
    assert read_atlas(spec(), write(name="other.h5ad"), aliases=False).genes.tolist()[1] == "CTGF"


def test_an_atlas_is_read_once_a_process_until_it_changes(write, monkeypatch):
    path, read = write(), []
    whole = reference._read
    monkeypatch.setattr(reference, "_read", lambda *a, **k: read.append(1) or whole(*a, **k))
    first = read_atlas(spec(), path, aliases=True)
    assert read_atlas(spec(), path, aliases=True) is first
    write(counts=COUNTS + 1)
    assert read_atlas(spec(), path, aliases=True) is not first
    assert len(read) == 2


def test_a_layer_of_counts_is_taken(write):
    found = read_atlas(spec(counts="raw_counts"), write(np.log1p(COUNTS), raw_counts=COUNTS), aliases=True)
    assert found.counts.dtype.kind == "i"
    values = read_atlas(spec(), write(np.log1p(COUNTS), name="log.h5ad"), aliases=True)
    assert values.counts.dtype.kind == "f", "checks judge them"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": "kinds"}, r"atlas.h5ad: obs.*'kinds'.*reference.labels"),
        ({"patient": "who"}, r"'who'.*reference.patient"),
        ({"counts": "raw"}, r"there are no counts 'raw' \(reference.counts\); the file has"),
        ({"gene": "symbol"}, r"symbol"),
    ],
)
def test_what_is_not_in_the_file_is_said(write, changes, message):
    with pytest.raises(DataError, match=message):
        read_atlas(spec(**changes), write(), aliases=True)


def test_an_atlas_that_is_not_here_is_missing(tmp_path):
    with pytest.raises(DataMissing, match=r"reference.path"):
        find_atlas(spec(), [tmp_path])


@pytest.mark.parametrize("value", [0, "5", True, 2.5])
def test_the_number_of_cells_is_a_positive_whole_number(value):
    with pytest.raises(ValidationError):
        spec(cells=value)


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=60), st.integers(1, 40))
def test_cells_are_drawn_of_each_label_alike(labels, most):
    values = np.array(labels, dtype=object)
    rows = drawn_cells(values, most)
    there = Counter(label for label in labels if label)
    assert len(rows) == min(most, sum(there.values()))
    assert rows.tolist() == sorted(set(rows.tolist()))
    taken = Counter(values[rows].tolist())
    assert None not in taken
    for label, number in there.items():
        assert taken[label] == number or taken[label] >= max(taken.values()) - 1


def test_models_are_given_nothing_that_leads_to_the_file(write):
    path = write()
    task = TaskSpec.model_validate(
        {
            "stbench": 1, "name": "t", "version": 1, "family": "expression",
            "datasets": {"d": {"source": "simulated"}}, "reference": spec().model_dump(),
        }
    )  # fmt: skip
    opened = TaskReference(task, [path.parent], Checksums())
    given = opened.given
    assert [name for name in dir(given) if not name.startswith("_")] == ["cells"]
    text = pickle.dumps(given)
    assert str(path.parent).encode() not in text
    assert b"atlas.h5ad" not in text
    again = pickle.loads(text)
    assert again.cells().shape == given.cells().shape == (45, 3)
    assert again.cells() is not again.cells()
    assert opened.sources == (f"sha256:{opened.checksum}",)
    without = TaskReference(task.model_copy(update={"reference": None}), [], Checksums())
    assert (without.given, without.atlas(), without.checksum, without.sources) == (None, None, None, ())


def test_what_is_kept_of_an_atlas_follows_how_its_symbols_are_read(write):
    """The names of its genes follow the aliases of every data set, not of the one that is scored alone."""
    path = write()

    def opened(**other):
        return TaskReference(
            TaskSpec.model_validate(
                {
                    "stbench": 1, "name": "t", "version": 1, "family": "expression",
                    "datasets": {"d": {"source": "simulated"}, "e": {"source": "simulated", **other}},
                    "reference": spec().model_dump(),
                }
            ),
            [path.parent],
            Checksums(),
        )  # fmt: skip

    assert opened().identity == opened().identity
    assert opened().identity != opened(aliases=False).identity
    assert opened().checksum == opened(aliases=False).checksum


@quiet_anndata()
def write_with_an_antibody(path):
    counts = COUNTS.copy()
    counts[:, 3] += 300
    clusters = np.where(np.arange(N) % 10 == 9, np.nan, np.arange(N) % 3)
    kinds = ["Gene Expression"] * 3 + ["Antibody Capture"]
    anndata.AnnData(
        csr_matrix(counts.astype(np.float32)),
        obs=pd.DataFrame({"kind": clusters}, index=[f"AAA{i}" for i in range(N)]),
        var=pd.DataFrame({"feature_types": kinds}, index=["CD4", "EPCAM", "CD3D", "CD4"]),
    ).write_h5ad(path)


def test_antibodies_are_no_genes_and_numbers_are_whole_labels(tmp_path):
    """As data sets are read: an antibody of a gene's name is another feature, 1.0 and 1 are one label."""
    write_with_an_antibody(tmp_path / "atlas.h5ad")
    found = read_atlas(spec(), tmp_path / "atlas.h5ad", aliases=True)
    assert found.genes.tolist() == ["CD4", "EPCAM", "CD3D"]
    assert found.counts.max() < 300
    assert (set(found.labels), found.unlabelled) == ({"0", "1", "2"}, 5)
