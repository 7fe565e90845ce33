from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.features import ANTIBODIES, CONTROLS, GENE, kinds_column, kinds_of
from pytest_stbench.data.readers.counts import only_genes
from pytest_stbench.resources import gene_aliases, gene_symbols


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("negative_control_probe", ("NegControlProbe_00042", "NegPrb12", "Negative3", "antisense_SCRIB")),
        ("negative_control_codeword", ("NegControlCodeword_0500",)),
        ("negative_control", ("NegCtrl1", "Negative_Control_A")),
        ("blank", ("BLANK_0006", "Blank-17", "Blank3")),
        ("unassigned_codeword", ("UnassignedCodeword_0012", "Unassigned codeword 12")),
        ("deprecated_codeword", ("DeprecatedCodeword_0318",)),
        ("genomic_control", ("Intergenic_Region_3", "GenomicControl_2")),
        ("system_control", ("SystemControl4", "FalseCode9")),
        ("spike_in", ("ERCC-00130",)),
        ("stain", ("Channel-PanCK", "Channel-DNA")),
        (
            "isotype_control",
            ("mouse_IgG2a", "mouse_IgG1k.1", "rat_IgG2a-1", "Ms IgG1", "Rb IgG", "Hmr IgG", "Isotype_MOPC.21",
             "IgG2a_control_TotalSeqB", "IgG1", "IgG1 isotype control"),
        ),
        (
            "antibody",
            ("CD4_TotalSeqB", "HLA-DR-TotalSeqC", "CD4.TotalSeq-A", "CD4_ADT", "CD4-ADT-1", "adt_CD4",
             "CD4_prot", "CD4.protein", "Hu.CD44", "HuMs.CD44", "anti-CD3", "CD4_ab"),
        ),
    ],
)  # fmt: skip
def test_names_that_vendors_give(kind, names):
    assert kinds_of(names).tolist() == [kind] * len(names)


def test_no_symbol_of_a_gene_is_taken_for_something_else():
    human = [*gene_symbols(), *gene_aliases()]
    assert set(kinds_of(human)) == {GENE}
    assert set(kinds_of([name.capitalize() for name in human])) == {GENE}
    alike = [
        "BLNK",
        "NEGR1",
        "ANTXR1",
        "SYSTM",
        "FALS",
        "INTS6",
        "UNASX",
        "BLANKX",
        "ADTRP",
        "ERCC6",
        "CD4.1",
    ]
    assert set(kinds_of(alike)) == {GENE}


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Gene Expression", "gene"), ("rna", "gene"), ("predesigned_gene", "gene"), ("custom_gene", "gene"),
        ("Endogenous", "gene"), ("Antibody Capture", "antibody"), ("Protein Expression", "protein"),
        ("prot", "protein"), ("Multiplexing Capture", "multiplexing"), ("Custom", "custom"),
        ("CRISPR Guide Capture", "crispr_guide"), ("Genomic Control", "genomic_control"),
        ("genomic_control_probe", "genomic_control"), ("Negative Control Probe", "negative_control_probe"),
        ("Negative Control Codeword", "negative_control_codeword"), ("Negative", "negative_control_probe"),
        ("Unassigned Codeword", "unassigned_codeword"), ("Deprecated Codeword", "deprecated_codeword"),
        ("Blank Codeword", "blank"), ("SystemControl", "system_control"),
        ("Tissue Capture", "tissue_capture"),
    ],
)  # fmt: skip
def test_what_the_file_says(said, kind):
    assert kinds_of(["A", "B"], ["Gene Expression", said]).tolist() == ["gene", kind]


def test_name_and_word_together():
    names = ["CD4", "CD4", "mouse_IgG2a", "NegPrb1", "CD8_TotalSeqC", "X", "BLANK_1", "GENE"]
    said = ["Gene Expression", "Antibody Capture", "Protein Expression", "Gene Expression", "Gene Expression",
            None, "no_gene", "no_gene"]  # fmt: skip
    assert kinds_of(names, said).tolist() == [
        "gene", "antibody", "isotype_control", "negative_control_probe", "antibody", "gene", "blank",
        "no_gene",
    ]  # fmt: skip


def test_a_column_without_a_known_word_tells_nothing():
    biotypes = ["protein_coding", "lncRNA", "artifact"]
    assert kinds_of(["A", "B", "C"], biotypes).tolist() == ["gene"] * 3
    table = {"feature_type": biotypes, "modality": ["rna", None, "protein"]}
    assert kinds_column(table, table.__getitem__) == ("rna", None, "protein")
    assert kinds_column({"feature_type": biotypes}, table.__getitem__) is None


def test_an_id_names_what_a_name_does_not():
    kinds = kinds_of(["CD3", "CD4"], ids=["CD3_TotalSeqB", "ENSG00000010610"])
    assert kinds.tolist() == ["antibody", "gene"]


def test_kinds_are_counted_apart_and_never_summed_with_genes():
    names = np.array(["CD4", "B", "CD4", "CD4", "NegPrb1", "BLANK_1", "UnassignedCodeword_1"])
    kinds = kinds_of(names, ["gene"] * 3 + ["Antibody Capture"] + [None] * 3)
    values = np.arange(21).reshape(3, 7)
    found = only_genes(csr_matrix(values), names, kinds)
    assert found.genes.tolist() == ["CD4", "B"]
    np.testing.assert_array_equal(found.counts.toarray(), np.c_[values[:, [0, 2]].sum(axis=1), values[:, 1]])
    np.testing.assert_array_equal(found.controls, values[:, 4] + values[:, 5])
    assert found.notes == {
        "control_features": 2, "control_counts": values[:, 4:6].sum(),
        "features:antibody": 1, "counts:antibody": values[:, 3].sum(),
        "features:negative_control_probe": 1, "counts:negative_control_probe": values[:, 4].sum(),
        "features:blank": 1, "counts:blank": values[:, 5].sum(),
        "features:unassigned_codeword": 1, "counts:unassigned_codeword": values[:, 6].sum(),
        "duplicate_symbols_summed": 1, "duplicate_genes": 1, "duplicate:CD4": 2,
    }  # fmt: skip


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_missing_values_are_counted_and_do_not_stop_the_reading(missing):
    values = np.array([[1.0, 2, 3], [missing, 5, missing]])
    found = only_genes(
        csr_matrix(values), np.array(["A", "NegPrb1", "NegPrb2"]), kinds_of(["A", "NegPrb1", "NegPrb2"])
    )
    assert found.counts.dtype.kind == "f"
    np.testing.assert_array_equal(found.counts.toarray().ravel(), values[:, 0])
    assert found.controls[0] == 5
    assert not np.isfinite(found.controls[1])
    assert (found.notes["control_counts"], found.notes["missing:negative_control_probe"]) == (10, 1)


def test_intensities_of_proteins_leave_genes_whole_numbers():
    values = np.array([[3.0, 0.25], [4.0, 17.5]])
    found = only_genes(csr_matrix(values), np.array(["A", "CD20"]), np.array(["gene", "protein"]))
    assert found.counts.dtype == np.int32
    assert found.measures == {}
    assert found.notes["counts:protein"] == 18


def test_antibodies_and_controls_are_different_things():
    assert not ANTIBODIES & CONTROLS
    assert not {"unassigned_codeword", "deprecated_codeword", "custom"} & CONTROLS
