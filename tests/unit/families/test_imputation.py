"""Observed and hidden genes: no relative of an observed gene is a target, whole families are hidden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_matrix

from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import DataError
from pytest_stbench.families.imputation.ask import ImputationQuestion
from pytest_stbench.families.question import FamilySettings
from pytest_stbench.preprocess.gene_families import stem

GENES = (
    "KRT7",
    "KRT8",
    "KRT19",
    "COL1A1",
    "COL1A2",
    "COL3A1",
    "CD3D",
    "CD3E",
    "CD8A",
    "CD8B",
    "HLA-A",
    "HLA-B",
    "HLA-DRA",
    "MKI67",
    "EPCAM",
    "VIM",
    "PTPRC",
    "MS4A1",
    "ERBB2",
    "ESR1",
    "PGR",
    "GATA3",
    "ACTA2",
    "PECAM1",
    "VWF",
    "LUM",
    "DCN",
    "IGKC",
    "IGHG1",
    "JCHAIN",
    "RPL3",
    "RPL4",
    "RPS6",
    "MT-CO1",
    "MT-ND1",
    "S100A8",
    "S100A9",
    "CXCL9",
    "CXCL10",
    "CCL5",
)
IMPUTATION = ImputationQuestion()


def slide_of(detection, genes=GENES, name="s", n=200, seed=0):
    """A slide on which each gene is found in its share of units."""
    rng = np.random.default_rng(seed)
    counts = (rng.random((n, len(genes))) < detection).astype(np.int64)
    return Slide(
        meta=SlideMeta(slide_id=name, patient_id=name),
        unit_names=np.array([f"{name}_{i}" for i in range(n)]),
        genes=np.array(genes),
        measured=np.ones(len(genes), bool),
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(np.float64),
        n_detected=counts.sum(axis=1),
        xy_um=np.zeros((n, 2)),
    )


TRAIN = [slide_of(np.linspace(1, 0, len(GENES)))]


def names(columns, genes=GENES):
    return {genes[i] for i in columns}


def test_a_relative_of_an_observed_gene_is_no_target():
    plan = ImputationQuestion(FamilySettings(observed=("KRT7", "CD3D", "HLA-A", "COL1A1", "MKI67"))).plan(
        TRAIN
    )
    assert names(plan.observed) == {"KRT7", "CD3D", "HLA-A", "COL1A1", "MKI67"}
    targets = names(plan.candidates)
    assert targets.isdisjoint({"KRT8", "KRT19", "CD3E", "HLA-B", "HLA-DRA", "COL1A2", "COL3A1"})
    assert {"CD8A", "CD8B", "EPCAM", "VIM"} <= targets
    assert plan.counted == {"observed_genes_not_measured": 0, "genes_left_out_as_relatives_of_observed": 7}


def test_observed_genes_that_were_not_measured_are_counted():
    plan = ImputationQuestion(FamilySettings(observed=("EPCAM", "NOTHERE", "NORHERE", "EPCAM"))).plan(TRAIN)
    assert plan.counted["observed_genes_not_measured"] == 2
    assert names(plan.observed) == {"EPCAM"}


def test_a_panel_that_shares_no_gene_is_an_error():
    with pytest.raises(DataError, match=r"none of the 1 observed genes .* check `imputation.observed`"):
        ImputationQuestion(FamilySettings(observed=("Krt7",))).plan(TRAIN)


@settings(deadline=None, max_examples=50)
@given(observed=st.sets(st.sampled_from(GENES), min_size=1, max_size=10))
def test_for_any_panel_targets_and_observed_share_no_stem(observed):
    plan = ImputationQuestion(FamilySettings(observed=tuple(observed))).plan(TRAIN)
    assert names(plan.observed) == observed
    stems = {stem(gene) for gene in observed}
    assert all(stem(gene) not in stems for gene in names(plan.candidates))
    left_out = set(GENES) - observed - names(plan.candidates)
    assert all(stem(gene) in stems for gene in left_out)
    assert plan.counted["genes_left_out_as_relatives_of_observed"] == len(left_out)


def hidden(fold, folds=4, train=TRAIN):
    return ImputationQuestion(FamilySettings(hide_folds=folds, hide_fold=fold)).plan(train)


@pytest.mark.parametrize("folds", [2, 4, 5])
def test_every_gene_is_hidden_in_exactly_one_group(folds):
    plans = [hidden(fold, folds) for fold in range(folds)]
    together = np.concatenate([plan.candidates for plan in plans])
    assert sorted(together) == list(range(len(GENES)))
    for plan in plans:
        assert sorted([*plan.candidates, *plan.observed]) == list(range(len(GENES)))


@pytest.mark.parametrize("fold", range(4))
def test_families_are_hidden_whole(fold):
    plan = hidden(fold)
    assert {stem(g) for g in names(plan.candidates)}.isdisjoint({stem(g) for g in names(plan.observed)})


def test_groups_are_of_equal_size():
    """Of genes without relatives, each group takes as many as any other, whatever they are called."""
    genes = tuple(f"{chr(65 + i // 26)}{chr(65 + i % 26)}X" for i in range(42))
    train = [slide_of(np.linspace(0.95, 0.05, 42), genes)]
    sizes = [len(hidden(fold, 4, train).candidates) for fold in range(4)]
    assert sorted(sizes) == [10, 10, 11, 11]


def test_no_count_and_no_order_of_genes_decides_what_is_hidden():
    """Every fold of a split asks for the same genes, so that patients can be compared gene by gene."""
    others = [slide_of(np.linspace(0, 1, len(GENES)), name="t", seed=1), *TRAIN]
    turned = GENES[::-1]
    for fold in range(4):
        expected = names(hidden(fold).candidates)
        assert names(hidden(fold, train=others).candidates) == expected
        backwards = hidden(fold, train=[slide_of(np.linspace(1, 0, len(GENES)), turned)])
        assert names(backwards.candidates, turned) == expected
