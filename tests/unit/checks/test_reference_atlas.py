"""Q38: reference atlases that do not fit, or that tell of tested patients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.checks.reference import reference_atlas
from pytest_stbench.data.reference import Atlas

GENES = ["EPCAM", "KRT8", "CD3D", "CD3E", "MS4A1", "COL1A1"]


def atlas(genes=GENES, counts=None, labels=("T", "B", "T"), patients=("a1", "a2")):
    values = np.arange(3 * len(genes)).reshape(3, -1) % 5 if counts is None else counts
    return Atlas(
        counts=csr_matrix(values), genes=np.array(genes), labels=np.array(labels, dtype=object),
        patients=tuple(patients), n_cells=9, unlabelled=1,
    )  # fmt: skip


def judged(*, tested=("P01", "P02"), genes=GENES, **changes):
    made = atlas(**changes)
    return reference_atlas(atlas=lambda: made, genes={"cohort": genes}, tested_patients=tested)


def test_a_fitting_atlas_passes():
    found = judged()
    assert found.status == "pass"
    assert "3 cells of 9 in the file, 2 labels, 100% or more of the genes of the data" in found.message
    assert found.details["without_label"] == 1


def test_tasks_without_a_reference_pass():
    assert reference_atlas(atlas=lambda: None, genes={"cohort": GENES}).status == "pass"


@pytest.mark.parametrize(
    ("genes", "said"),
    [
        ([gene.capitalize() for gene in GENES], "another species"),
        ([gene.lower() for gene in GENES], "in another case"),
        ([f"ENSG0000000000{i}" for i in range(6)], "Ensembl ids"),
        (["A", "B", "C", "D"], "0% of the 6 genes of cohort (50% wanted):"),
    ],
)
def test_few_shared_genes_fail_and_say_why(genes, said):
    found = reference_atlas(atlas=lambda: atlas(genes), genes={"cohort": GENES})
    assert found.status == "fail"
    assert said in found.message
    assert found.statistic == 0


@pytest.mark.parametrize(("n", "status"), [(2, "fail"), (3, "pass"), (6, "pass")])
def test_half_of_the_genes_are_enough(n, status):
    found = reference_atlas(atlas=lambda: atlas(GENES[:n]), genes={"cohort": GENES})
    assert found.status == status
    assert found.statistic == pytest.approx(n / 6)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (np.log1p(np.arange(18).reshape(3, 6)), "are fractions"),
        (np.full((3, 6), -1), "18 of 18 are below 0"),
        (np.full((3, 6), np.nan), "18 of 18 are not finite"),
        (np.zeros((3, 6)), "all are 0"),
    ],
)
def test_what_is_no_raw_count_fails(counts, said):
    found = judged(counts=counts)
    assert found.status == "fail"
    assert said in found.message
    assert "reference: {counts:" in found.fix


def test_one_label_fails():
    assert "1 label (T)" in judged(labels=("T", "T", "T")).message


@pytest.mark.parametrize("who", ["P01", "p01", "P 01", "p-01"])
def test_tested_patients_among_the_donors_fail(who):
    found = judged(patients=("a1", who))
    assert found.status == "fail"
    assert "1 tested patient of the data gave cells to the reference (P01)" in found.message


def test_donors_that_are_not_named_are_not_compared():
    found = judged(patients=())
    assert (found.status, "donors not named" in found.message) == ("pass", True)
