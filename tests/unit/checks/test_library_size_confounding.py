from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from pytest_stbench.checks import library_size_confounding


def _slide(make_slide, bound, n_genes=20, seed=0, strength=1.0, name="S1"):
    """The first genes rise or fall with the total count; the others are shares of it."""
    rng = np.random.default_rng(seed)
    depth = rng.lognormal(np.log(2000), 0.5, 400)
    rank = np.argsort(np.argsort(depth)) / 400
    weight = np.ones((400, n_genes))
    weight[:, :bound:2] = np.exp(3 * strength * (rank[:, None] - 0.5))
    weight[:, 1:bound:2] = np.exp(-3 * strength * (rank[:, None] - 0.5))
    share = weight / weight.sum(axis=1, keepdims=True)
    return make_slide(name, counts=rng.poisson(depth[:, None] * share), side=20)


@pytest.mark.parametrize(
    ("bound", "adjusted", "status"),
    [(0, False, "pass"), (4, False, "warn"), (12, False, "fail"), (12, True, "warn"), (20, False, "fail")],
)
def test_genes_that_follow_depth(make_dataset, make_slide, measure, bound, adjusted, status):
    measured = measure(make_dataset([_slide(make_slide, bound)]))
    result = library_size_confounding(measured, depth_adjusted=adjusted)
    assert result.status == status
    if status != "pass":
        assert result.message.endswith(result.fix)
        assert result.slides == ("S1",)


def test_the_statistic_is_the_median_correlation(make_dataset, make_slide, measure):
    slide = _slide(make_slide, 20, strength=0.3)
    measured = measure(make_dataset([slide]))
    values = measured.values(slide, np.arange(20))
    expected = [abs(spearmanr(column, slide.libsize).statistic) for column in values.T]
    result = library_size_confounding(measured)
    assert result.details["median"]["S1"] == pytest.approx(np.median(expected), abs=1e-9)
    assert result.details["strong"]["S1"] == pytest.approx(np.mean(np.array(expected) > 0.5))


def test_raw_counts_fail_where_normalised_ones_pass(make_dataset, make_slide, measure):
    dataset = make_dataset([_slide(make_slide, 0)])
    assert library_size_confounding(measure(dataset)).status == "pass"
    raw = library_size_confounding(measure(dataset, normalise="log1p"))
    assert raw.status == "fail"
    assert raw.details["first_component"]["S1"] > 0.9
    assert "partial_pearson_gene" in raw.fix


def test_the_worst_slide_decides(make_dataset, make_slide, measure):
    dataset = make_dataset([_slide(make_slide, 0, name="good"), _slide(make_slide, 20, name="bad")])
    result = library_size_confounding(measure(dataset))
    assert result.slides[0] == "bad"
    assert set(result.details["median"]) == {"good", "bad"}


def test_depth_between_niches_is_told(make_dataset, make_slide, measure, spoil):
    slide = _slide(make_slide, 0)
    deep = slide.libsize > np.median(slide.libsize)
    labelled = spoil(slide, labels={"niche": np.array(["shallow", "deep"], dtype=object)[deep.astype(int)]})
    details = library_size_confounding(measure(make_dataset([labelled]))).details
    assert details["depth_between_niches"]["S1"] > 0.5
    assert library_size_confounding(measure(make_dataset([slide]))).details["depth_between_niches"] == {
        "S1": None
    }


def test_equal_depth_is_a_skip(make_dataset, make_slide, measure):
    slide = make_slide(counts=np.tile([[3, 1], [1, 3]], (200, 1)))
    assert library_size_confounding(measure(make_dataset([slide]))).status == "skip"
