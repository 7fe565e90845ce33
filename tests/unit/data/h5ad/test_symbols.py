"""Symbols in a column of var, genomes before the names, and genes of two species."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from pytest_stbench.checks.genes import gene_ids
from pytest_stbench.checks.symbols import genomes
from pytest_stbench.data.readers.matrices import symbol_column
from pytest_stbench.errors import DataError
from pytest_stbench.resources import gene_symbols

from .made import GENES, check, dataset, new, section

IDS = [f"ENSG{i:011d}" for i in range(len(GENES))]


def named(index, **columns):
    made = section(2)
    made.var = pd.DataFrame(columns, index=index)
    return made


CASES = {
    "cellxgene": (IDS, {"feature_name": GENES, "biotype": "gene", "genome": "GRCh38"}, "feature_name"),
    "stereopy": (IDS, {"real_gene_name": GENES}, "real_gene_name"),
    "numbers": ([str(i) for i in range(len(GENES))], {"gene_ids": GENES}, "gene_ids"),
    "numbers and ids": (
        [str(i) for i in range(len(GENES))], {"gene_ids": IDS, "gene_symbols": GENES}, "gene_symbols",
    ),
    "symbols": (GENES, {"gene_ids": IDS, "name": GENES}, None),
    "mouse": (
        [f"ENSMUSG{i:011d}" for i in range(len(GENES))], {"name": [g.capitalize() for g in GENES]}, "name",
    ),
    "versions": ([f"{i}.3" for i in IDS], {"symbol": GENES}, "symbol"),
    "no symbols": (IDS, {"chromosome": "1", "length": 3}, None),
    "genome before the name": ([f"GRCh38_{g}" for g in GENES], {"name": GENES}, "name"),
    "factor": (IDS, {"feature_name": pd.Categorical(GENES)}, "feature_name"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_column_of_symbols_is_proposed_and_read(tmp_path, monkeypatch, case):
    index, columns, expected = CASES[case]
    named(index, **columns).write_h5ad(tmp_path / "A.h5ad")
    with h5py.File(tmp_path / "A.h5ad") as file:
        assert symbol_column(file, file["var"]) == expected
    config, found, text = new(tmp_path, monkeypatch)
    assert config.keys.gene == expected
    assert (f"gene: {expected}" in text) == (expected is not None)
    wanted = list(columns[expected]) if expected else list(index)
    assert list(found.panels["A"]) == wanted
    if expected and case != "mouse":
        assert check(tmp_path, select="gene_ids")["gene_ids"]["status"] == "pass"


def test_a_gene_without_symbol_keeps_its_id(tmp_path):
    symbols = pd.Series(GENES, dtype=object)
    symbols[3] = None
    named(IDS, feature_name=symbols.to_numpy()).write_h5ad(tmp_path / "A.h5ad")
    found = dataset(tmp_path, keys={"gene": "feature_name"})
    assert found.panels["A"][3] == IDS[3]
    assert found.panels["A"][4] == GENES[4]


def test_two_ids_of_one_symbol_are_summed(tmp_path):
    made = named(IDS, feature_name=[GENES[0], *GENES[:-1]])
    made.write_h5ad(tmp_path / "A.h5ad")
    found = dataset(tmp_path, keys={"gene": "feature_name"})
    slide = found.slide("A")
    column = slide.genes.tolist().index(GENES[0])
    np.testing.assert_array_equal(slide.counts[:, column].toarray().ravel(), made.X[:, :2].sum(axis=1).A1)
    assert found.notes["duplicate_genes"]["A"] == 1


def test_the_table_of_raw_may_lack_the_column(tmp_path, monkeypatch):
    """CELLxGENE: counts in raw, of more genes; what they are called stands in var."""
    made = named(IDS, feature_name=GENES)
    raw = made.copy()
    raw.var = raw.var[[]]
    part = made[:, ::-1][:, :50].copy()
    part.raw = raw
    part.X = part.X * 0.5
    part.write_h5ad(tmp_path / "A.h5ad")
    config, found, _ = new(tmp_path, monkeypatch)
    assert (config.keys.counts, config.keys.gene) == ("raw", "feature_name")
    assert list(found.panels["A"]) == [*IDS[:10], *GENES[10:]]
    np.testing.assert_array_equal(found.slide("A").libsize, made.X.sum(axis=1).A1)


def test_a_column_that_is_not_there(tmp_path):
    named(IDS, feature_name=GENES).write_h5ad(tmp_path / "A.h5ad")
    message = r"var has no column 'feature_names' \(keys.gene\); .* did you mean 'feature_name'"
    with pytest.raises(DataError, match=message):
        dataset(tmp_path, keys={"gene": "feature_names"}).slide("A")


# -- genomes -------------------------------------------------------------------------------------------


def messages(*panels):
    return [finding.text for finding in genomes({f"S{i}": panel for i, panel in enumerate(panels)}, 0.02)]


@pytest.mark.parametrize(
    "prefix", ["GRCh38_", "hg19____", "GRCh38______", "GRCh38-2020-A_", "T2T-CHM13v2.0_"]
)
def test_a_genome_before_every_name(prefix):
    (text,) = messages([f"{prefix}{gene}" for gene in GENES])
    assert "100% of the names of slide S0 begin with a genome" in text
    assert "genomes" not in text


@pytest.mark.parametrize(
    ("one", "other"), [("GRCh38_", "mm10_"), ("hg19____", "mm10___"), ("GRCh38_", "GRCm39_")]
)
def test_two_species_by_genome(tmp_path, one, other):
    names = [f"{one}{gene}" for gene in GENES[:40]] + [f"{other}{gene.capitalize()}" for gene in GENES[40:]]
    (text,) = messages(names)
    assert f"({one.rstrip('_')} 40, {other.rstrip('_')} 20), so they are of 2 genomes" in text
    named(names).write_h5ad(tmp_path / "A.h5ad")
    found = check(tmp_path, select="gene_ids")["gene_ids"]
    assert (found["status"], found["slides"]) == ("fail", ["A"])
    assert "of 2 genomes" in found["message"]


def test_two_species_by_ensembl_ids(tmp_path):
    mouse = [f"ENSMUSG{i:011d}" for i in range(20)]
    (text,) = messages(IDS[:40] + mouse, IDS)
    assert "100% of the names of slide S0 are Ensembl ids of several species (ENSG 40, ENSMUSG 20)" in text
    named([*IDS[:40], *mouse]).write_h5ad(tmp_path / "A.h5ad")
    assert check(tmp_path, select="gene_ids")["gene_ids"]["status"] == "fail"


def test_one_species_and_odd_names_are_no_finding():
    assert messages(IDS, GENES, [*GENES, "hg19_x"]) == []
    assert messages([f"{i}.1" for i in IDS]) == []
    assert messages(sorted(gene_symbols())) == []
    assert messages([]) == []


def test_the_worst_slide_is_named_first(tmp_path):
    for name, share in (("A", 10), ("B", 40)):
        made = section(1)
        made.var_names = [f"mm10_{g}" if i < share else g for i, g in enumerate(GENES)]
        made.write_h5ad(tmp_path / f"{name}.h5ad")
    found = check(tmp_path, select="gene_ids")["gene_ids"]
    assert found["slides"] == ["B", "A"]
    assert isinstance(anndata.read_h5ad(tmp_path / "A.h5ad"), anndata.AnnData)
    assert gene_ids.__doc__.count("genome") == 1
