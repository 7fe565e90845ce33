from __future__ import annotations

import pytest

from pytest_stbench.preprocess import share_stem, stem

RELATIVES = [
    ("KRT7", "KRT19"), ("COL1A1", "COL3A1"), ("IGKC", "IGLC1"), ("IGHG1", "IGHM"), ("IGHV3-23", "IGKV1-5"),
    ("HLA-A", "HLA-DRA"), ("CXCL9", "CXCL10"), ("ERBB2", "ERBB3"), ("CD3D", "CD3E"), ("S100A8", "S100A9"),
    ("C1QA", "C1QB"), ("MT-CO1", "MT-ND4"), ("RPL13", "RPLP0"), ("RPS4X", "RPSA"), ("MRPL12", "MRPL3"),
    ("TRAC", "TRBC2"), ("HBA1", "HBB"), ("MT1X", "MT2A"), ("IGLL5", "IGLC2"), ("Krt7", "KRT19"),
]  # fmt: skip
STRANGERS = [
    ("CD3D", "CD4"), ("CD4", "CD8A"), ("C1orf159", "C1QA"), ("C1orf159", "C1orf21"), ("MKI67", "MKNK1"),
    ("IGF1", "IGKC"), ("IGFBP7", "IGHM"), ("IGHMBP2", "IGHM"), ("IGLON5", "IGLC1"), ("TRADD", "TRAC"),
    ("RPS6KA1", "RPS6"), ("MTOR", "MT-CO1"), ("MTA1", "MT1X"), ("HBEGF", "HBB"), ("EPCAM", "ESR1"),
    ("LINC00152", "LINC01"), ("ENSG00000000001", "ENSG00000000002"), ("RP11-34P13.7", "RP11-206L10.9"),
    ("FAM83A", "FAM3C"), ("ACTB", "GAPDH"), ("MRPL12", "RPL12"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), RELATIVES)
def test_relatives_share_a_stem(one, other):
    assert stem(one) == stem(other)


@pytest.mark.parametrize(("one", "other"), STRANGERS)
def test_strangers_do_not(one, other):
    assert stem(one) != stem(other)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("KRT19", "KRT"),
        ("CD3D", "CD3"),
        ("MKI67", "MKI"),
        ("GAPDH", "GAPDH"),
        ("C1orf159", "C1ORF159"),
        ("7SK", "7SK"),
        ("", ""),
    ],
)
def test_golden_stems(symbol, expected):
    assert stem(symbol) == expected


def test_share_stem_marks_targets():
    marked = share_stem(["KRT19", "CD4", "IGKC", "ESR1"], ["KRT7", "CD8A", "IGHM", "PGR"])
    assert marked.tolist() == [True, False, True, False]
    assert share_stem([], ["A"]).tolist() == []
    assert share_stem(["A"], []).tolist() == [False]
