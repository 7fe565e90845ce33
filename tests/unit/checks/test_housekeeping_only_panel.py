from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import housekeeping_only_panel
from pytest_stbench.checks.housekeeping import FAMILIES

SIDE = 20
NICHE = np.array(["tumour", "stroma"], dtype=object)[np.arange(SIDE * SIDE) % 2]


@pytest.mark.parametrize(
    "gene", ["RPL13A", "RPS27", "RPLP0", "RPSA", "MRPL3", "MRPS12", "EEF1A1", "MT-CO1", "MT-ND4L"]
)
def test_families_of_housekeeping_genes(gene):
    assert FAMILIES.match(gene)


@pytest.mark.parametrize("gene", ["RPS6KA1", "MT1X", "MT2A", "EEFSEC", "RPN1", "MTOR", "KRPL1", "MRC1"])
def test_genes_that_only_look_alike(gene):
    assert not FAMILIES.match(gene)


def _slide(make_slide, spoil, varying, names=None, n_genes=20, niche=NICHE, seed=0):
    """Neighbours are of different niches: genes that differ between them have no Moran's I."""
    rate = np.full((SIDE * SIDE, n_genes), 30.0)
    rate[::2, :varying] = np.where(np.arange(varying) % 2, 10.0, 60.0)
    rate[1::2, :varying] = np.where(np.arange(varying) % 2, 60.0, 10.0)
    slide = make_slide(counts=np.random.default_rng(seed).poisson(rate), side=SIDE)
    genes = slide.genes if names is None else np.array(names)
    return spoil(slide, genes=genes, labels={} if niche is None else {"niche": niche})


@pytest.mark.parametrize(
    ("listed", "status"), [(0, "pass"), (3, "pass"), (4, "warn"), (9, "warn"), (10, "fail"), (20, "fail")]
)
def test_share_of_housekeeping_names(make_dataset, make_slide, measure, spoil, listed, status):
    names = [*(f"RPL{i + 3}" for i in range(listed)), *(f"GENE{i}" for i in range(20 - listed))]
    result = housekeeping_only_panel(measure(make_dataset([_slide(make_slide, spoil, 20, names)])))
    assert result.status == status
    assert result.details["listed"]["all"] == pytest.approx(listed / 20)
    if status != "pass":
        assert result.message.endswith(result.fix)
        assert "RPL3" in result.genes


@pytest.mark.parametrize(("varying", "status"), [(20, "pass"), (6, "pass"), (4, "warn"), (0, "fail")])
def test_share_of_genes_that_differ_between_niches(make_dataset, make_slide, measure, spoil, varying, status):
    result = housekeeping_only_panel(measure(make_dataset([_slide(make_slide, spoil, varying)])))
    assert result.status == status
    assert result.details["biology"]["all"] == pytest.approx(varying / 20)
    assert result.details["labelled_slides"] == 1


@pytest.mark.parametrize(("varying", "status"), [(20, "pass"), (4, "warn"), (0, "warn")])
def test_all_genes_of_a_transcriptome_may_be_asked(make_dataset, make_slide, measure, spoil, varying, status):
    measured = measure(make_dataset([_slide(make_slide, spoil, varying)]))
    assert housekeeping_only_panel(measured, every_gene=True).status == status
    kept = measure(make_dataset([_slide(make_slide, spoil, 20, [f"RPL{i + 3}" for i in range(20)])]))
    assert housekeeping_only_panel(kept, every_gene=True).status == "fail"


def test_the_panel_of_the_specification(make_dataset, make_slide, measure, spoil):
    names = ["ACTB", "GAPDH", "RPL13A", "UBC"]
    slide = _slide(make_slide, spoil, 0, names, n_genes=4, niche=None)
    result = housekeeping_only_panel(measure(make_dataset([slide])))
    assert result.status == "fail"
    assert result.statistic == 1.0
    assert result.genes == ("ACTB", "GAPDH", "RPL13A", "UBC")


def test_without_labels_the_pattern_in_space_counts(make_dataset, make_slide, measure, spoil):
    halves = np.array(["a", "b"], dtype=object)[(np.arange(SIDE * SIDE) // SIDE > SIDE // 2).astype(int)]
    rate = np.full((SIDE * SIDE, 20), 30.0)
    rate[halves == "a", :10] = 10.0
    counts = np.random.default_rng(0).poisson(rate)
    slide = make_slide(counts=counts, side=SIDE)
    result = housekeeping_only_panel(measure(make_dataset([slide])))
    assert result.status == "pass"
    assert result.details == {
        "listed": {"all": 0.0}, "biology": {"all": 1.0}, "labelled_slides": 0,
    }  # fmt: skip
    few = spoil(slide, labels={"niche": np.array(["a"] * 50 + [None] * 350, dtype=object)})
    assert housekeeping_only_panel(measure(make_dataset([few]))).details["labelled_slides"] == 0


def test_many_classes_explain_nothing_by_chance(make_dataset, make_slide, measure, spoil):
    classes = np.random.default_rng(0).integers(0, 25, SIDE * SIDE).astype(str).astype(object)
    slide = _slide(make_slide, spoil, 0, niche=classes)
    assert housekeeping_only_panel(measure(make_dataset([slide]))).details["biology"]["all"] <= 0.1


def test_no_evaluated_gene_is_a_skip(make_dataset, make_slide, measure):
    result = housekeeping_only_panel(measure(make_dataset([make_slide()]), columns=np.empty(0, int)))
    assert result.status == "skip"
