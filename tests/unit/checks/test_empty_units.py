from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import empty_units
from pytest_stbench.spec.model import FilterSpec


def _with_shallow(make_slide, number, total, resolution="spot", n=400):
    counts = np.full((n, 150), 4)
    counts[:number] = 0
    counts[:number, 0] = total
    return make_slide(counts=counts, resolution=resolution)


@pytest.mark.parametrize("seed", range(4))
def test_clean_slides_pass(make_dataset, make_slide, seed):
    result = empty_units(make_dataset([make_slide(seed=seed, n_genes=300)]))
    assert result.status == "pass"
    assert result.statistic == 0


@pytest.mark.parametrize(
    ("number", "status"),
    [(0, "pass"), (40, "pass"), (41, "warn"), (120, "warn"), (121, "fail"), (399, "fail")],
)
def test_share_of_shallow_spots(make_dataset, make_slide, number, status):
    result = empty_units(make_dataset([_with_shallow(make_slide, number, 150)]))
    assert result.status == status
    assert result.details["below_minimum"]["S1"] == pytest.approx(number / 400)
    if status != "pass":
        assert result.message.endswith(result.fix)


@pytest.mark.parametrize(("resolution", "limit"), [("spot", 200), ("xisium", 50), ("bin", 10), ("cell", 10)])
@pytest.mark.parametrize("below", [True, False])
def test_the_minimum_depends_on_the_resolution(make_dataset, make_slide, resolution, limit, below):
    slide = _with_shallow(make_slide, 200, limit - 1 if below else limit, resolution)
    assert empty_units(make_dataset([slide])).status == ("fail" if below else "pass")


def test_the_worst_slide_decides(make_dataset, make_slide, spoil):
    bad = _with_shallow(make_slide, 100, 0)
    bad = spoil(bad, meta=spoil(bad.meta, slide_id="bad"))
    result = empty_units(make_dataset([make_slide("a", n_genes=300), bad]))
    assert result.status == "warn"
    assert result.slides == ("bad",)
    assert result.statistic == 0.25


@pytest.mark.parametrize(
    ("unit_filter", "status"),
    [
        (None, "pass"),
        (FilterSpec(), "pass"),
        (FilterSpec(min_counts=1, min_genes=0), "pass"),
        (FilterSpec(min_counts=0), "pass"),
        (FilterSpec(min_counts=0, min_genes=0), "fail"),
    ],
)
def test_one_zero_unit_after_the_filter_fails(make_dataset, make_slide, unit_filter, status):
    slide = _with_shallow(make_slide, 1, 0)
    result = empty_units(make_dataset([slide]), unit_filter=unit_filter)
    assert result.status == status
    if status == "fail":
        assert "1 unit of slide S1" in result.message


def test_a_filter_that_leaves_nothing_fails(make_dataset, make_slide):
    result = empty_units(make_dataset([make_slide()]), unit_filter=FilterSpec(min_counts=10**9))
    assert result.status == "fail"
    assert "no unit of slide S1 passes" in result.message


def test_unknown_resolution_or_no_unit_is_a_skip(make_dataset, make_slide, spoil):
    slide = make_slide()
    unknown = spoil(slide, meta=spoil(slide.meta, resolution=None))
    assert empty_units(make_dataset([unknown])).status == "skip"
    assert empty_units(make_dataset([unknown], resolution="spot")).status == "pass"
    assert (
        empty_units(make_dataset([make_slide(counts=np.zeros((0, 4)), xy=np.zeros((0, 2)))])).status == "skip"
    )


def test_totals_that_are_no_numbers_are_shallow(make_dataset, make_slide):
    assert empty_units(make_dataset([make_slide(counts=np.full((400, 4), np.nan))])).status == "fail"


def test_the_order_of_units_changes_nothing(make_dataset, make_slide, shuffled):
    slide = _with_shallow(make_slide, 60, 3)
    assert empty_units(make_dataset([slide])) == empty_units(make_dataset([shuffled(slide)]))


def test_the_statistic_is_that_of_the_worst_slide(make_dataset, make_slide, spoil):
    few, more = _with_shallow(make_slide, 4, 0), _with_shallow(make_slide, 20, 0)
    result = empty_units(make_dataset([few, spoil(more, meta=spoil(more.meta, slide_id="more"))]))
    assert result.status == "pass"
    assert result.statistic == 0.05


def test_a_fail_threshold_below_the_warning_counts(make_dataset, make_slide):
    dataset = make_dataset([_with_shallow(make_slide, 20, 0)])
    assert empty_units(dataset, fail_share=0.01).status == "fail"


def _gathering(make_slide, depths, n=400, **changes):
    counts = np.full((n, 150), 4)
    for place, depth in enumerate(depths):
        counts[place] = 0
        counts[place, 0] = depth
    return make_slide(counts=counts, **changes)


@pytest.mark.parametrize(
    ("depths", "status"),
    [
        # others have 600 counts each, 239,400 in all
        ([12_000], "pass"),  # 20 times, 4.8 %
        ([12_001], "fail"),
        ([12_001, 12_001], "fail"),
        ([12_001] * 4, "fail"),
        ([12_001] * 5, "pass"),  # more than one in a hundred: depth is two-humped, whatever the reason
        ([300_000, 12_000, 600], "fail"),
    ],
)
def test_a_unit_that_gathers_what_lies_in_none_fails(make_dataset, make_slide, depths, status):
    result = empty_units(make_dataset([_gathering(make_slide, depths, resolution="cell")]))
    assert result.status == status
    if status == "fail":
        assert "of all counts (1% allowed) and over 20 times those of the next" in result.message
        assert "mark its transcripts as in no cell" in result.fix
        assert result.statistic == pytest.approx(
            sum(d for d in depths if d > 12_000) / (sum(depths) + 600 * (400 - len(depths)))
        )


def test_a_deep_unit_of_a_large_slide_is_one_of_many(make_dataset, make_slide):
    """More than 20 times the next, but below a hundredth of all counts."""
    assert empty_units(make_dataset([_gathering(make_slide, [12_100], n=2_100, side=46)])).status == "pass"
    assert empty_units(make_dataset([_gathering(make_slide, [12_100], n=1_900, side=46)])).status == "fail"


def test_what_gathers_is_named_whatever_the_resolution(make_dataset, make_slide, spoil):
    bad = _gathering(make_slide, [90_000])
    names = bad.unit_names.copy().astype("<U20")
    names[0] = "UNASSIGNED"
    bad = spoil(bad, unit_names=names, meta=spoil(bad.meta, slide_id="bad", resolution=None))
    result = empty_units(make_dataset([make_slide("a", n_genes=300), bad]))
    assert (result.status, result.slides) == ("fail", ("bad",))
    assert "1 unit of slide bad (UNASSIGNED) holds 27.3% of all counts" in result.message


def test_a_single_unit_is_no_finding(make_dataset, make_slide):
    assert empty_units(make_dataset([make_slide(counts=np.full((1, 150), 4))])).status == "pass"
