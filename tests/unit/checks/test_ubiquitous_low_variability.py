from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import ubiquitous_low_variability
from pytest_stbench.checks.sparsity import spatial_p

SIDE = 20
ROWS = np.arange(SIDE * SIDE) // SIDE


def _slide(make_slide, flat, *, n_genes=20, seed=0, low=4.0):
    """Genes with a gradient from row to row, the first ones without any."""
    rng = np.random.default_rng(seed)
    rate = np.repeat((low + ROWS * 2.0)[:, None], n_genes, axis=1)
    rate[:, 1::2] = low + (SIDE - 1 - ROWS[:, None]) * 2.0
    rate[:, :flat] = 30.0
    counts = rng.poisson(rate) + 1
    return make_slide(counts=counts, side=SIDE)


@pytest.mark.parametrize(
    ("flat", "status"), [(0, "pass"), (2, "pass"), (3, "warn"), (6, "warn"), (7, "fail"), (10, "fail")]
)
def test_share_of_flat_genes_that_are_everywhere(make_dataset, make_slide, measure, flat, status):
    result = ubiquitous_low_variability(measure(make_dataset([_slide(make_slide, flat)])))
    assert result.status == status
    assert result.details["flat"]["S1"] == pytest.approx(flat / 20)
    assert result.details["detected_everywhere"]["S1"] == 1
    if status != "pass":
        assert set(result.genes) == {f"GENE{i}" for i in range(flat)}
        assert result.message.endswith(result.fix)


def test_detection_alone_is_no_fault(make_dataset, make_slide, measure):
    result = ubiquitous_low_variability(measure(make_dataset([_slide(make_slide, 0)])))
    assert result.status == "pass"
    assert result.statistic == 0


def test_flat_genes_that_are_not_everywhere_are_left_alone(make_dataset, make_slide, measure):
    slide = _slide(make_slide, 10)
    counts = slide.counts.toarray()
    counts[np.random.default_rng(0).random(400) < 0.06, :10] = 0
    result = ubiquitous_low_variability(measure(make_dataset([make_slide(counts=counts, side=SIDE)])))
    assert result.statistic == 0


def test_a_pattern_that_chance_gives_is_none(make_dataset, make_slide, measure):
    rng = np.random.default_rng(1)
    slide = make_slide(counts=rng.poisson(30, (25, 40)) + 1, side=5)
    measured = measure(make_dataset([slide]))
    moran = measured.morans_i(slide)
    assert (moran > 0.05).any()  # 25 units: half of the genes reach it by chance
    by_chance = spatial_p(measured, slide, np.arange(40)) > 0.05
    expected = (moran < 0.05) | by_chance
    result = ubiquitous_low_variability(measured)
    assert result.statistic == pytest.approx(expected.mean())
    assert result.status == "fail"


def test_without_a_defined_pattern_nothing_is_said(make_dataset, make_slide, measure):
    slide = make_slide(counts=np.random.default_rng(2).poisson(30, (16, 9)) + 1, side=4)
    assert ubiquitous_low_variability(measure(make_dataset([slide]))).statistic == 0
