"""Ensembl ids beside symbols: what files say, and which of it is taken."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.gene_ids import ensembl_ids, ids_by_name
from pytest_stbench.data.samples import load_samples
from pytest_stbench.resources import former_symbols, gene_aliases
from pytest_stbench.spec.model import DatasetSpec

IDS = ["ENSG00000119888.11", "ENSG00000118523", "", "ENSG00000167286", "ENSG00000000001"]
SYMBOLS = ["EPCAM", "CTGF", "NOID", "CD3D", "CD3D"]


def test_versions_are_left_out_and_what_is_not_clear():
    assert ensembl_ids(SYMBOLS, IDS) == {"EPCAM": "ENSG00000119888", "CTGF": "ENSG00000118523"}
    assert ensembl_ids(IDS, IDS) == {}
    assert ensembl_ids(["Epcam"], ["ENSMUSG00000045394.9"]) == {"Epcam": "ENSMUSG00000045394"}
    assert ensembl_ids(["A", "A"], ["ENSG1", "ENSG1.2"]) == {"A": "ENSG1"}
    assert ensembl_ids([], []) == {}


class Source:
    def __init__(self, **slides):
        self.slides, self.opened = slides, []

    def ensembl_ids(self, slide):
        self.opened.append(slide)
        return self.slides[slide]


def test_files_are_opened_until_all_genes_are_known():
    source = Source(a={"OLD": "ENSG1"}, b={"B": "ENSG2", "X": "ENSG9"}, c={"B": "ENSG3"})
    found = ids_by_name(source, ["a", "b", "c"], ["NEW", "B"], {"OLD": "NEW"})
    assert found == {"B": "ENSG2", "NEW": "ENSG1"}
    assert source.opened == ["a", "b"]
    assert ids_by_name(Source(a={}, b={"B": "ENSG2"}), ["a", "b"], ["B"], {}) == {}
    assert ids_by_name(object(), ["a"], ["B"], {}) == {}


@pytest.mark.parametrize("index", ["symbols", "ids"])
def test_ids_of_an_h5ad_file_are_found_beside_the_symbols(tmp_path, index):
    symbols, ids = [*SYMBOLS[:3], "MS4A1"], [*IDS[:2], "none", "ENSG00000156738"]
    var = pd.DataFrame({"feature": symbols if index == "ids" else ids, "biotype": "coding"})
    var.index = pd.Index(ids if index == "ids" else symbols)
    made = anndata.AnnData(
        X=np.ones((4, 4), dtype=np.float32),
        obs=pd.DataFrame({"patient": "p"}, index=list("abcd")),
        var=var,
        obsm={"spatial": np.arange(8.0).reshape(4, 2)},
    )
    made.write_h5ad(tmp_path / "s1.h5ad")
    keys = {"gene": "feature"} if index == "ids" else {}
    config = DatasetSpec(
        source="h5ad", path="s1.h5ad", keys=keys, scale={"um_per_px": 1.0}, resolution="spot", panel="p"
    )
    dataset = Dataset("d", config, load_samples(config, "d", [tmp_path]), [tmp_path])
    assert dict(dataset.ensembl_ids) == {
        "CCN2": "ENSG00000118523", "EPCAM": "ENSG00000119888", "MS4A1": "ENSG00000156738",
    }  # fmt: skip


def test_former_symbols_are_the_table_of_retired_ones_the_other_way():
    assert former_symbols()["CCN2"] == ("CTGF",)
    pairs = {(old, gene) for gene, names in former_symbols().items() for old in names}
    assert pairs == set(gene_aliases().items())
