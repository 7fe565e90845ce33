"""Which slides and genes a page of checks shows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.errors import DataError
from pytest_stbench.results import CheckRecord, FindingRecord
from pytest_stbench.run.quality.slide_views import GENES, SLIDES, slide_views

ALL = [f"S{n}" for n in range(8)]


class Data:
    """A data set of which one slide cannot be read and one has no places."""

    slide_ids = tuple(ALL)

    def slide(self, name):
        if name == "S1":
            message = "broken"
            raise DataError(message)
        units, genes = 5, 6
        counts = np.arange(units * genes).reshape(units, genes)
        return SimpleNamespace(
            xy_um=np.full((units, 2), np.nan if name == "S2" else 1.0),
            libsize=counts.sum(axis=1).astype(float),
            genes=np.array([f"G{n}" for n in range(genes)]),
            measured=np.arange(genes) != 0,
            counts=csr_matrix(counts),
            unit_names=np.array([f"u{n}" for n in range(units)]),
            segmentations={},
        )


def check(name, *genes, slides=(), status="warn", dataset="d"):
    finding = FindingRecord(status="warn", text="t", fix="f", genes=genes, slides=slides)
    return CheckRecord(
        task="t", id="Q06", name=name, scope="dataset", dataset=dataset, status=status, severity="warn",
        findings=(finding,),
    )  # fmt: skip


def test_slides_that_findings_name_come_first_and_what_cannot_be_shown_is_left_out():
    found = slide_views(Data(), "d", [check("a", slides=("S5", "gone", "S1"))])
    assert [seen.slide for seen in found] == ["S5", "S0"]
    assert len(slide_views(Data(), "d", [check("a", slides=tuple(ALL[3:]))])) == SLIDES


def test_genes_are_the_first_of_each_check_and_have_their_counts():
    found = slide_views(
        Data(), "d", [check("a", "G5", "G4", "G0", "G3"), check("b", "G1", "G5", "none", "G2")]
    )
    seen = found[0]
    assert list(seen.genes) == ["G5", "G1", "G4", "G3"]
    assert len(seen.genes) == GENES
    assert seen.genes["G1"].tolist() == [1, 7, 13, 19, 25]
    assert [seen.why[gene] for gene in seen.genes] == ["a", "b", "a", "a"]


def test_what_passed_or_is_of_other_data_names_no_gene():
    others = [check("a", "G5", status="pass"), check("b", "G5", dataset="other")]
    assert list(slide_views(Data(), "d", others)[0].genes) == []
