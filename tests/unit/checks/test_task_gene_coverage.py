from __future__ import annotations

import pytest

from pytest_stbench.checks import task_gene_coverage
from pytest_stbench.resources import cell_type_markers, lr_pairs, signatures

EVERYTHING = frozenset(g for members in signatures().values() for g in members) | {
    gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor)
}
ALL = ("signatures", "communication", "markers")


def _signatures(share):
    """Members of the first signatures of the table, others left out where they are not shared."""
    names = list(signatures())[: round(share * 40)]
    return frozenset(gene for name in names for gene in signatures()[name])


def test_a_transcriptome_has_all():
    result = task_gene_coverage(wanted=ALL, genes={"toy": EVERYTHING})
    assert result.status == "pass"
    assert result.details["toy"]["pairs"] == len(lr_pairs()) == 193


@pytest.mark.parametrize("wanted", [(), ("evaluated",), ("coexpressed",)])
def test_nothing_asked_is_a_pass(wanted):
    assert task_gene_coverage(wanted=wanted, genes={"toy": frozenset()}).status == "pass"


@pytest.mark.parametrize(("share", "status"), [(1.0, "pass"), (0.6, "pass"), (0.2, "fail")])
def test_share_of_signatures_that_can_be_scored(share, status):
    result = task_gene_coverage(wanted=("signatures",), genes={"toy": _signatures(share)})
    assert result.status == status
    if status == "fail":
        assert result.statistic < 0.5
        assert result.message.endswith(result.fix)


@pytest.mark.parametrize(
    ("name", "members", "lost"),
    [("CYT", 2, False), ("CYT", 1, True), ("NK_CELL", 3, False), ("NK_CELL", 2, True),
     ("HYPOXIA_BUFFA", 26, False), ("HYPOXIA_BUFFA", 25, True),
     ("MACROPHAGE", 3, False), ("MACROPHAGE", 2, True)],
)  # fmt: skip
def test_half_and_three_members_are_needed(name, members, lost):
    there = EVERYTHING - set(signatures()[name][members:])
    result = task_gene_coverage(wanted=("signatures",), genes={"toy": there}, min_evaluable=1.0)
    assert (f"{name} {members}/" in result.message) is lost


@pytest.mark.parametrize(("n", "status"), [(10, "pass"), (9, "fail"), (1, "fail"), (0, "fail")])
def test_number_of_pairs(n, status):
    chosen, there = 0, set()
    for pair in lr_pairs():
        more = there | {pair.ligand, pair.receptor}
        usable = sum({p.ligand, p.receptor} <= more for p in lr_pairs())
        if usable <= n and chosen < n:
            there, chosen = more, usable
    result = task_gene_coverage(wanted=("communication",), genes={"toy": frozenset(there)})
    assert result.details["toy"]["pairs"] == chosen == n
    assert result.status == status


@pytest.mark.parametrize(("n", "status"), [(20, "pass"), (19, "fail")])
def test_number_of_marker_candidates(n, status):
    genes = frozenset(f"GENE{i}" for i in range(n))
    assert task_gene_coverage(wanted=("markers",), genes={"toy": genes}).status == status


def test_every_data_set_is_judged():
    result = task_gene_coverage(wanted=ALL, genes={"good": EVERYTHING, "bad": frozenset()})
    assert result.status == "fail"
    assert "bad" in result.message
    assert set(result.details) >= {"good", "bad"}


def test_data_that_are_not_here_are_a_skip():
    assert task_gene_coverage(wanted=ALL, genes={}).status == "skip"


def test_only_the_signatures_asked_by_name_count():
    first, second, *_ = signatures()
    there = frozenset(signatures()[first]) | {"OTHER"}
    facts = {"wanted": ["signatures"], "genes": {"toy": there}}
    assert task_gene_coverage(**facts, named={first}).status == "pass"
    assert task_gene_coverage(**facts, named={second}).status == "fail"
    assert task_gene_coverage(**facts, named=()).status == "pass"


@pytest.mark.parametrize(("share", "status"), [(1.0, "pass"), (0.6, "pass"), (0.3, "warn")])
def test_cell_types_need_three_markers(share, status):
    markers = cell_type_markers()
    told = list(markers)[: round(share * len(markers))]
    there = frozenset(gene for name in told for gene in markers[name]) | {"OTHER"}
    result = task_gene_coverage(wanted=["cell_types"], genes={"toy": there})
    assert result.status == status
    assert result.details["toy"]["markers_of_types"][told[0]] >= 3


def test_a_type_of_two_markers_is_lost():
    markers = cell_type_markers()
    there = frozenset(gene for members in markers.values() for gene in sorted(members)[:2])
    few = task_gene_coverage(wanted=["cell_types"], genes={"toy": there}, min_evaluable=1.0)
    assert few.status == "warn"


@pytest.mark.parametrize(
    ("types", "status"),
    [(("T_cell", "B"), "pass"), (("hepatocyte",), "pass"), (("B", "mast", "pericyte"), "warn"), ((), "warn")],
)
def test_only_the_cell_types_of_the_data_are_asked_for(types, status):
    """A panel that tells two types is enough for data that has no others; without labels all are asked."""
    known = cell_type_markers()
    there = known["T_cell"] | known["B"]
    result = task_gene_coverage(wanted=("cell_types",), genes={"toy": there}, classes=lambda: {"toy": types})
    assert result.status == status
