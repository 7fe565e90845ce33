from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.align import AliasedSource, current_symbols, genes_of, renamed_symbols
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.resources import gene_aliases


@dataclass
class Source:
    panels: dict[str, tuple[str, ...]]

    def genes(self, slide_id):
        return self.panels[slide_id]

    def read(self, slide_id):
        genes = self.panels[slide_id]
        return RawSlide(
            slide_id=slide_id,
            unit_names=np.array(["u"]),
            genes=np.array(genes),
            counts=csr_matrix(np.arange(1, len(genes) + 1)[None]),
            xy_um=np.zeros((1, 2)),
            notes={"other": 3},
        )

    def offers(self):
        return frozenset({"image"})

    def files(self, slide_id):
        return ()

    def fingerprint(self):
        return "source"


def aliased(**panels):
    return AliasedSource(Source(panels), panels)


def test_retired_symbols_are_read_under_the_current_one():
    source = aliased(A=("CTGF", "ERBB2"), B=("CCN2", "ERBB2"))

    assert source.genes("A") == ("CCN2", "ERBB2")
    assert source.genes("B") == ("CCN2", "ERBB2")
    assert source.renamed == {"CTGF": "CCN2"}
    raw = source.read("A")
    assert raw.genes.tolist() == ["CCN2", "ERBB2"]
    assert raw.counts.toarray().tolist() == [[1, 2]]
    assert raw.notes == {"other": 3, "genes_renamed": 1, "genes_with_two_symbols": 0}
    assert source.offers() == {"image"}


def test_two_columns_never_become_one():
    source = aliased(A=("CTGF", "CCN2"), B=("CTGF", "ERBB2"))

    assert source.genes("A") == ("CTGF", "CCN2")
    assert source.genes("B") == ("CTGF", "ERBB2"), "one gene has one name over the data set"
    assert source.refused == ("CTGF",)
    assert source.read("A").notes["genes_with_two_symbols"] == 1


def test_two_retired_symbols_of_one_gene_stay_apart():
    table = gene_aliases()
    by_symbol: dict[str, list[str]] = {}
    for old, new in table.items():
        by_symbol.setdefault(new, []).append(old)
    twice = next((olds for olds in by_symbol.values() if len(olds) > 1), None)
    if twice is None:
        pytest.skip("no gene of the table has two retired symbols")
    clear, refused = renamed_symbols(twice)
    assert clear == {}
    assert set(refused) == set(twice)


def test_the_fingerprint_names_the_mappings():
    assert aliased(A=("CTGF",)).fingerprint() != aliased(A=("ERBB2",)).fingerprint()


def test_lists_are_brought_to_the_same_names():
    assert current_symbols(["CTGF", "ERBB2"]) == ("CCN2", "ERBB2")


def test_the_table_leads_to_current_symbols_in_one_step():
    table = gene_aliases()
    assert not set(table.values()) & set(table), "a symbol is either retired or current"


def test_slides_of_the_same_genes_share_their_names():
    source = Source({"a": ("A", "B"), "b": tuple("AB"), "c": ("B", "A")})
    found = genes_of(source, source.panels)
    assert found == source.panels
    assert found["a"] is found["b"]
    assert found["c"] == ("B", "A")
