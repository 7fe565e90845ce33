from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import hvg_not_svg, no_spatial_signal
from pytest_stbench.splits.table import Fold

SIDE = 20
ROWS = np.arange(SIDE * SIDE) // SIDE


def _counts(patterned, n_genes=60, seed=0):
    """The first genes follow the row, the later the weaker; the others nothing."""
    rng = np.random.default_rng(seed)
    rate = np.full((SIDE * SIDE, n_genes), 20.0)
    for gene in range(patterned):
        rate[:, gene] = 20.0 * np.exp((1.5 - gene / patterned) * (ROWS / SIDE - 0.5) * (-1) ** gene)
    return rng.poisson(rate)


def _measure(make_dataset, make_slide, measure, columns, patterned=20, **counts):
    slides = [make_slide(f"S{i}", counts=_counts(patterned, seed=i, **counts), side=SIDE) for i in range(3)]
    folds = [Fold(name="f", train=("S0", "S1"), test=("S2",))]
    return measure(make_dataset(slides), columns=columns, folds=folds)


@pytest.mark.parametrize(("shared", "status"), [(10, "pass"), (3, "pass"), (2, "warn")])
def test_overlap_with_the_most_spatial_genes_of_a_panel(make_dataset, make_slide, measure, shared, status):
    # 10 of 60 genes: chance gives 17%, 25% are wanted. Later patterned genes keep the median high.
    columns = np.concatenate([np.arange(shared), np.arange(10, 20 - shared)])
    result = hvg_not_svg(_measure(make_dataset, make_slide, measure, columns))
    assert result.status == status
    assert result.details["overlap"]["f"] == pytest.approx(shared / 10, abs=0.11)


def test_a_list_without_a_pattern_fails(make_dataset, make_slide, measure):
    result = hvg_not_svg(_measure(make_dataset, make_slide, measure, np.arange(40, 50), patterned=40))
    assert result.status == "fail"
    assert "less spatial pattern" in result.message
    assert result.statistic < result.threshold
    assert set(result.genes) == {f"GENE{i}" for i in range(40, 50)}


@pytest.mark.parametrize(("shared", "status"), [(30, "pass"), (10, "pass"), (3, "warn"), (0, "fail")])
def test_thresholds_of_a_transcriptome(make_dataset, make_slide, measure, shared, status):
    columns = np.concatenate([np.arange(shared), np.arange(30, 60 - shared)])
    measured = _measure(make_dataset, make_slide, measure, columns, patterned=60, n_genes=120)
    result = hvg_not_svg(measured, whole_transcriptome=100)
    assert result.status == status
    assert result.details["overlap"]["f"] == pytest.approx(shared / 30, abs=0.15)


def test_most_of_a_panel_is_no_choice(make_dataset, make_slide, measure):
    result = hvg_not_svg(_measure(make_dataset, make_slide, measure, np.arange(40)))
    assert result.status == "pass"
    assert "nothing was chosen" in result.message


def test_all_genes_of_one_constant_slide_are_no_choice(make_dataset, make_slide, measure):
    slide = make_slide(counts=np.full((400, 30), 9))
    assert hvg_not_svg(measure(make_dataset([slide]), columns=np.arange(5))).status == "pass"


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_coordinates_fail_and_others_pass(make_dataset, make_slide, measure, seed):
    slide = make_slide(counts=_counts(60, n_genes=200, seed=seed), side=SIDE)
    good = no_spatial_signal(measure(make_dataset([slide])))
    assert good.status == "pass"
    assert good.statistic > 0.25
    order = np.random.default_rng(seed).permutation(slide.n_units)
    moved = make_slide(counts=slide.counts.toarray(), xy=slide.xy_um[order])
    bad = no_spatial_signal(measure(make_dataset([moved])))
    assert bad.status in ("warn", "fail")
    assert bad.statistic < 0.12
    assert bad.message.endswith(bad.fix)


def test_one_shuffled_slide_decides(make_dataset, make_slide, measure):
    good = make_slide("good", counts=_counts(60, n_genes=200), side=SIDE)
    noise = np.random.default_rng(0).poisson(20, (400, 200))
    bad = make_slide("bad", counts=noise, side=SIDE)
    result = no_spatial_signal(measure(make_dataset([good, bad])))
    assert result.status in ("warn", "fail")
    assert result.slides == ("bad",)


@pytest.mark.parametrize(("genes", "bound"), [(9, 0.05 + 3 * np.sqrt(0.0475 / 9)), (600, 0.08)])
def test_the_bound_depends_on_the_number_of_genes(make_dataset, make_slide, measure, genes, bound):
    slide = make_slide(counts=_counts(genes, n_genes=genes), side=SIDE)
    result = no_spatial_signal(measure(make_dataset([slide])))
    assert result.details["wanted"]["S1"] == pytest.approx(bound)
    assert result.threshold == pytest.approx(1.5 * bound)


@pytest.mark.parametrize("counts", [np.full((400, 5), 3), np.ones((9, 5), dtype=int)])
def test_slides_without_a_gene_to_test_are_a_skip(make_dataset, make_slide, measure, counts):
    side = int(np.sqrt(len(counts)))
    result = no_spatial_signal(measure(make_dataset([make_slide(counts=counts, side=side)])))
    assert result.status == "skip"
    assert result.slides == ("S1",)
