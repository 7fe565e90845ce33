from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image as PillowImage
from scipy import sparse

from pytest_stbench.data.checksums import Checksums
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError, StbenchError
from pytest_stbench.spec.model import DatasetSpec

GENES = {
    "A1": ("TP53", "ERBB2", "KRT8", "CD3E"),
    "A2": ("KRT8", "TP53", "MKI67"),
    "B1": ("ZEB1", "KRT8", "TP53", "ERBB2"),
}


@pytest.fixture
def cohort(write_slide, tmp_path):
    """Return (AnnData by slide, function that opens the data set)."""
    slides = {
        name: write_slide(f"{name}.h5ad", genes=genes, seed=i)
        for i, (name, genes) in enumerate(GENES.items())
    }

    def open_dataset(**parts):
        config = DatasetSpec(**{"source": "h5ad", "path": "*.h5ad", **parts})
        samples = load_samples(config, "d", [tmp_path])
        return Dataset("d", config, samples, [tmp_path], checksums=Checksums(store=tmp_path / "store"))

    return slides, open_dataset


@pytest.mark.parametrize("absent", ["zero", "intersect"])
def test_slides_are_aligned_like_pandas_reindex(cohort, absent):
    slides, open_dataset = cohort
    dataset = open_dataset(absent_gene=absent)
    sets = [set(genes) for genes in GENES.values()]
    expected = sorted(set.union(*sets) if absent == "zero" else set.intersection(*sets))
    assert dataset.genes.tolist() == expected
    for slide in dataset.slides():
        adata = slides[slide.meta.slide_id]
        frame = pd.DataFrame(adata.X.toarray(), columns=adata.var_names)
        np.testing.assert_array_equal(slide.counts.toarray(), frame.reindex(columns=expected, fill_value=0))
        assert slide.counts.has_sorted_indices
        assert slide.counts.dtype == np.int32
        absent_here = [gene for gene in expected if gene not in frame.columns]
        assert slide.measured.all()
        assert dataset.notes["genes_absent_taken_as_zero"][slide.meta.slide_id] == len(absent_here)
        np.testing.assert_array_equal(slide.libsize, frame.sum(axis=1))
        np.testing.assert_array_equal(slide.n_detected, (frame > 0).sum(axis=1))
        assert dataset.panels[slide.meta.slide_id] == tuple(adata.var_names)
        assert dataset.notes["genes_not_shared"][slide.meta.slide_id] == len(
            set(frame.columns) - set(expected)
        )
    assert dict(dataset.notes["units"]) == {"A1": 6, "A2": 6, "B1": 6}


@pytest.mark.parametrize("seed", range(5))
def test_random_panels_are_aligned_like_pandas_reindex(write_slide, tmp_path, seed):
    rng = np.random.default_rng(seed)
    names = np.array([f"G{i}" for i in range(40)])
    slides = {}
    for slide in ("A1", "A2", "B1"):
        genes = rng.permutation(names)[: rng.integers(1, 40)]
        dense = rng.random((6, len(genes))) * (rng.random((6, len(genes))) < 0.4)
        matrix = sparse.csr_matrix(dense.astype(np.float32))
        slides[slide] = write_slide(f"{slide}.h5ad", genes=genes, matrix=matrix)
    for absent in ("zero", "intersect"):
        config = DatasetSpec(source="h5ad", path="*.h5ad", absent_gene=absent)
        dataset = Dataset("d", config, load_samples(config, "d", [tmp_path]), [tmp_path])
        for slide in dataset.slides():
            adata = slides[slide.meta.slide_id]
            frame = pd.DataFrame(adata.X.toarray(), columns=adata.var_names)
            np.testing.assert_array_equal(
                slide.counts.toarray(), frame.reindex(columns=dataset.genes, fill_value=0)
            )
            np.testing.assert_allclose(slide.libsize, frame.sum(axis=1), rtol=1e-6)


def test_panels_without_a_common_gene_give_no_columns(write_slide, cohort):
    _, open_dataset = cohort
    write_slide("B1.h5ad", genes=("GENE1", "GENE2"))
    dataset = open_dataset()
    assert dataset.genes.tolist() == []
    assert dataset.slide("B1").counts.shape == (6, 0)
    assert dataset.slide("B1").libsize.sum() > 0


def test_counts_that_are_not_finite_give_no_warning(write_slide, cohort):
    _, open_dataset = cohort
    matrix = np.ones((6, 4), dtype=np.float32)
    matrix[0] = [np.nan, np.inf, -np.inf, 1]
    write_slide("A1.h5ad", matrix=sparse.csr_matrix(matrix))
    slide = open_dataset().slide("A1")
    assert np.isnan(slide.libsize[0])
    assert slide.libsize[1:].tolist() == [4.0] * 5


def test_metadata_comes_from_the_row_then_from_the_constants(cohort, tmp_path):
    _, open_dataset = cohort
    (tmp_path / "samples.csv").write_text("slide,patient,panel,organ\nA1,A,p7,\nA2,A,,lung\nB1,B,,\n")
    dataset = open_dataset(
        samples="samples.csv", panel="whole", organ="breast", technology="ST", resolution="spot"
    )
    metas = [slide.meta for slide in dataset.slides()]
    assert [meta.panel_id for meta in metas] == ["p7", "whole", "whole"]
    assert [meta.organ for meta in metas] == ["breast", "lung", "breast"]
    assert [meta.patient_id for meta in metas] == ["A", "A", "B"]
    assert {meta.pitch_um for meta in metas} == {200.0}
    assert {meta.disease for meta in metas} == {None}


def test_a_slide_is_read_once_and_kept_until_close(cohort, tmp_path):
    _, open_dataset = cohort
    dataset = open_dataset()
    first = dataset.slide("A1")
    assert dataset.slide("A1") is first
    dataset.close()
    again = dataset.slide("A1")
    assert again is not first
    np.testing.assert_array_equal(again.counts.toarray(), first.counts.toarray())


def test_unknown_slide_and_source(cohort, tmp_path):
    _, open_dataset = cohort
    with pytest.raises(DataError, match=r"there is no slide 'C1'.*it has A1, A2, B1"):
        open_dataset().slide("C1")
    (tmp_path / "samples.csv").write_text("slide,patient\nA1,A\n")
    with pytest.raises(StbenchError, match="no source 'h5da'; did you mean 'h5ad'"):
        _ = open_dataset(source="h5da", samples="samples.csv").genes


def test_the_checksum_follows_content_and_samples(cohort, write_slide, tmp_path):
    _, open_dataset = cohort
    before = open_dataset().checksum
    assert before == open_dataset().checksum
    assert open_dataset(slides=("A1",)).checksum != before
    (tmp_path / "samples.csv").write_text("slide,patient\nA1,A\nA2,B\nB1,B\n")
    assert open_dataset(samples="samples.csv").checksum != before
    write_slide("A2.h5ad", genes=GENES["A2"], seed=9)
    assert open_dataset().checksum != before


def test_the_checksum_does_not_depend_on_where_the_data_lies(cohort, tmp_path):
    _, open_dataset = cohort
    before = open_dataset().checksum
    (tmp_path / "deep").mkdir()
    for name in GENES:
        (tmp_path / f"{name}.h5ad").rename(tmp_path / f"deep/{name}.h5ad")
    assert open_dataset(path="deep/*.h5ad").checksum == before


def test_the_checksum_covers_images(cohort, tmp_path):
    _, open_dataset = cohort
    sums = set()
    for colour in ("red", "blue"):
        PillowImage.new("RGB", (8, 8), colour).save(tmp_path / "A1.png")
        image = {"path": "{slide}.png", "um_per_px": 1.0}
        sums.add(open_dataset(slides=("A1",), image=image).checksum)
    assert len(sums) == 2


def write_sums(folder, *paths):
    lines = [f"{hashlib.sha256((folder / p).read_bytes()).hexdigest()}  {p}\n" for p in paths]
    (folder / "SUMS").write_text("".join(lines))


def test_the_manifest_is_verified_before_anything_is_read(cohort, write_slide, tmp_path):
    _, open_dataset = cohort
    write_sums(tmp_path, "A1.h5ad", "A2.h5ad", "B1.h5ad")
    assert open_dataset(sha256="SUMS").slide("A1").n_units == 6
    write_slide("A2.h5ad", genes=GENES["A2"], seed=5)
    with pytest.raises(DataError, match=r"A2\.h5ad: sha256 differs"):
        open_dataset(sha256="SUMS").slide("A1")
    write_sums(tmp_path, "A1.h5ad", "A2.h5ad")
    with pytest.raises(DataError, match=r"B1\.h5ad: not listed in"):
        _ = open_dataset(sha256="SUMS").genes
    assert open_dataset(sha256="SUMS", slides=("A1",)).slide("A1").n_units == 6


def test_a_listed_samples_table_is_verified_and_ones_own_is_allowed(cohort, tmp_path):
    _, open_dataset = cohort
    (tmp_path / "samples.csv").write_text("slide,patient\nA1,A\n")
    write_sums(tmp_path, "A1.h5ad")
    assert open_dataset(sha256="SUMS", samples="samples.csv").slide("A1").n_units == 6
    write_sums(tmp_path, "A1.h5ad", "samples.csv")
    assert open_dataset(sha256="SUMS", samples="samples.csv").slide("A1").n_units == 6
    (tmp_path / "samples.csv").write_text("slide,patient\nA1,B\n")
    with pytest.raises(DataError, match=r"samples\.csv: sha256 differs"):
        open_dataset(sha256="SUMS", samples="samples.csv").slide("A1")
