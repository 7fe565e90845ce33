from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from pytest_stbench.checks import normalised_not_counts


def _dense(slide):
    return slide.counts.toarray().astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_counts_pass(make_dataset, make_slide, seed):
    result = normalised_not_counts(make_dataset([make_slide(seed=seed)]))
    assert result.status == "pass"
    assert result.statistic == 0


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.float32, np.float64])
def test_counts_of_any_dtype_pass(make_dataset, make_slide, spoil, dtype):
    slide = make_slide()
    assert (
        normalised_not_counts(make_dataset([spoil(slide, counts=slide.counts.astype(dtype))])).status
        == "pass"
    )


@pytest.mark.parametrize("kind", ["log1p", "cp10k", "log1p_cp10k", "scaled"])
def test_normalised_values_fail(make_dataset, make_slide, kind):
    raw = _dense(make_slide())
    totals = raw.sum(axis=1, keepdims=True)
    values = {
        "log1p": np.log1p(raw),
        "cp10k": raw / totals * 1e4,
        "log1p_cp10k": np.log1p(raw / totals * 1e4),
        "scaled": raw / raw.max(),
    }[kind]
    result = normalised_not_counts(make_dataset([make_slide(counts=values)]))
    assert result.status == "fail"
    assert result.slides == ("S1",)
    assert result.message.endswith(result.fix)


@pytest.mark.parametrize(
    ("share", "status"), [(0.0, "pass"), (0.009, "pass"), (0.011, "fail"), (0.5, "fail")]
)
def test_share_of_values_that_are_no_integers(make_dataset, make_slide, spoil, share, status):
    slide = make_slide()
    values = slide.counts.data.astype(float)
    spoilt = np.random.default_rng(0).permutation(len(values))[: round(share * len(values))]
    values[spoilt] += 0.4
    counts = sparse.csr_matrix((values, slide.counts.indices, slide.counts.indptr), shape=slide.counts.shape)
    result = normalised_not_counts(make_dataset([spoil(slide, counts=counts)]))
    assert result.status == status


@pytest.mark.parametrize(("shift", "status"), [(5e-4, "pass"), (2e-3, "fail")])
def test_the_tolerance_of_an_integer(make_dataset, make_slide, shift, status):
    raw = _dense(make_slide())
    raw[raw > 0] += shift
    assert normalised_not_counts(make_dataset([make_slide(counts=raw)])).status == status


@pytest.mark.parametrize(
    ("largest", "side", "panel", "status"),
    [
        (19, 25, "whole_transcriptome", "fail"),
        (20, 25, "whole_transcriptome", "pass"),
        (19, 20, "whole_transcriptome", "pass"),
        (19, 25, "breast_280", "pass"),
        (9, 25, "WTA", "fail"),
    ],
)
def test_a_whole_transcriptome_without_any_large_count(
    make_dataset, make_slide, largest, side, panel, status
):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, largest, size=(side * side, 60))
    counts[0, 0] = largest
    result = normalised_not_counts(make_dataset([make_slide(counts=counts, side=side)], panel=panel))
    assert result.status == status


@pytest.mark.parametrize(
    ("spread", "status"), [(0.0, "fail"), (0.005, "fail"), (0.02, "pass"), (0.3, "pass")]
)
def test_equal_totals(make_dataset, make_slide, spread, status):
    rng = np.random.default_rng(0)
    totals = np.round(10_000 * (1 + spread * rng.uniform(-1.7, 1.7, 400))).astype(int)
    counts = np.stack([rng.multinomial(total, np.full(60, 1 / 60)) for total in totals])
    assert normalised_not_counts(make_dataset([make_slide(counts=counts)])).status == status


def test_one_bad_slide_among_good_ones_is_named(make_dataset, make_slide):
    bad = make_slide("bad", counts=np.log1p(_dense(make_slide())))
    result = normalised_not_counts(make_dataset([make_slide("a"), bad, make_slide("c", seed=2)]))
    assert result.status == "fail"
    assert result.slides == ("bad",)


def test_the_order_of_units_changes_nothing(make_dataset, make_slide, shuffled):
    slide = make_slide(counts=np.log1p(_dense(make_slide())))
    assert normalised_not_counts(make_dataset([slide])) == normalised_not_counts(
        make_dataset([shuffled(slide)])
    )


@pytest.mark.parametrize(
    "counts", [np.zeros((0, 5)), np.zeros((9, 5)), np.full((9, 5), np.nan), np.zeros((4, 0))]
)
def test_nothing_to_judge_is_a_skip(make_dataset, make_slide, counts):
    xy = np.zeros((len(counts), 2))
    assert normalised_not_counts(make_dataset([make_slide(counts=counts, xy=xy)])).status == "skip"


def test_one_unit_and_one_gene(make_dataset, make_slide):
    assert normalised_not_counts(make_dataset([make_slide(counts=[[7]], xy=[[0.0, 0.0]])])).status == "pass"
    assert normalised_not_counts(make_dataset([make_slide(counts=[[0.7]], xy=[[0.0, 0.0]])])).status == "fail"


def test_exactly_the_allowed_share_passes(make_dataset, make_slide):
    counts = np.tile(np.arange(1.0, 11.0), (10, 1)) * np.arange(1, 11)[:, None]
    counts[0, 0] += 0.5
    result = normalised_not_counts(make_dataset([make_slide(counts=counts)]))
    assert result.statistic == 0.01
    assert result.status == "pass"


def test_the_rule_on_large_counts_needs_more_than_its_number_of_units(make_dataset, make_slide):
    counts = np.random.default_rng(0).integers(0, 9, size=(501, 30))
    for n, status in ((500, "pass"), (501, "fail")):
        slide = make_slide(counts=counts[:n], side=23)
        assert normalised_not_counts(make_dataset([slide], panel="whole_transcriptome")).status == status
