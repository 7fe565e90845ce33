from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import gene_sparsity
from pytest_stbench.splits.table import Fold


def _counts(detected, n=400, n_genes=20, other=5):
    """Every gene in every unit, but for the first ones, which as many units have as `detected` says."""
    counts = np.full((n, n_genes), other)
    for gene, units in enumerate(detected):
        counts[:, gene] = 0
        counts[:units, gene] = 1
    return counts


@pytest.mark.parametrize(
    ("few", "status"), [(0, "pass"), (2, "pass"), (3, "warn"), (6, "warn"), (7, "fail"), (20, "fail")]
)
def test_share_of_genes_that_few_units_have(make_dataset, make_slide, measure, few, status):
    slide = make_slide(counts=np.column_stack([_counts([15] * few), np.ones(400)]))
    result = gene_sparsity(measure(make_dataset([slide]), columns=np.arange(20)))
    assert result.status == status
    assert result.details["below_detection"]["S1"] == pytest.approx(few / 20)
    if status != "pass":
        assert result.statistic == pytest.approx(few / 20)
        assert result.slides == ("S1",)
        assert "GENE0" in result.genes
        assert result.message.endswith(result.fix)


@pytest.mark.parametrize(("units", "flagged"), [(19, True), (20, False)])
def test_a_gene_is_sparse_below_5_percent_of_the_units(make_dataset, make_slide, measure, units, flagged):
    slide = make_slide(counts=_counts([units] * 4))
    result = gene_sparsity(measure(make_dataset([slide])))
    assert (result.details["below_detection"]["S1"] > 0) is flagged


@pytest.mark.parametrize("resolution", ["cell", "bin", "transcript"])
def test_one_percent_is_enough_for_small_units(make_dataset, make_slide, measure, resolution):
    counts = _counts([30] * 8, n=1600)
    slide = make_slide(counts=counts, side=40, resolution=resolution)
    assert gene_sparsity(measure(make_dataset([slide]))).details["below_detection"]["S1"] == 0
    spots = make_slide(counts=counts, side=40)
    assert gene_sparsity(measure(make_dataset([spots]))).status == "fail"


@pytest.mark.parametrize(("positive", "status"), [(9, "warn"), (10, "pass")])
def test_fewer_than_ten_positive_units(make_dataset, make_slide, measure, positive, status):
    counts = np.pad(_counts([positive] * 2, n=100), ((0, 0), (0, 0)))
    slide = make_slide(counts=counts, side=10)
    result = gene_sparsity(measure(make_dataset([slide])))
    assert result.status == status
    if status == "warn":
        assert "fewer than 10 units: GENE0, GENE1 (5% allowed)" in result.message


@pytest.mark.parametrize(("spiked", "status"), [(1, "pass"), (2, "warn")])
def test_genes_whose_counts_lie_in_four_spots(make_dataset, make_slide, measure, spiked, status):
    counts = np.full((400, 20), 1)
    counts[:4, :spiked] = 200
    result = gene_sparsity(measure(make_dataset([make_slide(counts=counts)])))
    assert result.status == status
    if status == "warn":
        assert "50% or more in 1% of the units" in result.message


def test_half_of_the_counts_is_the_limit(make_dataset, make_slide, measure):
    counts = np.full((400, 20), 1)
    counts[:4] = 99  # 396 of 792 counts: not more than half
    assert gene_sparsity(measure(make_dataset([make_slide(counts=counts)]))).status == "pass"
    counts[:4] = 100
    assert gene_sparsity(measure(make_dataset([make_slide(counts=counts)]))).status == "warn"


def test_the_worst_tested_slide_decides_and_training_slides_are_not_judged(make_dataset, make_slide, measure):
    slides = [make_slide(name, counts=_counts([15] * few)) for name, few in (("a", 0), ("b", 5), ("c", 20))]
    dataset = make_dataset(slides)
    folds = [Fold(name="f", train=("c",), test=("a", "b"))]
    result = gene_sparsity(measure(dataset, folds=folds))
    assert result.status == "warn"
    assert result.slides == ("b",)
    assert set(result.details["below_detection"]) == {"a", "b"}


def test_genes_that_a_slide_did_not_measure_are_not_judged(make_dataset, make_slide, measure, spoil):
    slide = make_slide(counts=_counts([0] * 8))
    known = spoil(slide, measured=np.arange(20) >= 8)
    assert gene_sparsity(measure(make_dataset([slide]))).status == "fail"
    assert gene_sparsity(measure(make_dataset([known]))).status == "pass"


def test_no_tested_gene_is_a_skip(make_dataset, make_slide, measure, spoil):
    slide = make_slide()
    unmeasured = spoil(slide, measured=np.zeros(len(slide.genes), dtype=bool))
    assert gene_sparsity(measure(make_dataset([unmeasured]))).status == "skip"


def test_thresholds_can_be_changed(make_dataset, make_slide, measure):
    measured = measure(make_dataset([make_slide(counts=_counts([15] * 3))]))
    assert gene_sparsity(measured, min_detection=0.03).status == "pass"
    assert gene_sparsity(measured, warn_share=0.2).status == "pass"
    assert gene_sparsity(measured, fail_share=0.1).status == "fail"
    assert gene_sparsity(measured, warn_share=0.2, min_positive=16).status == "warn"
    assert gene_sparsity(measured, warn_share=0.2, min_positive=16, max_few=0.2).status == "pass"
