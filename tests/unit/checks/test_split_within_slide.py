from __future__ import annotations

import pytest

from pytest_stbench.checks import split_within_slide
from pytest_stbench.splits.table import Fold, Sample
from pytest_stbench.splits.within_slide import within

SAMPLES = ()


def _fold(train, test, **more):
    return Fold(name="f", train=tuple(train), test=tuple(test), **more)


def test_disjoint_slides_pass():
    assert split_within_slide([_fold("ab", "c"), _fold("bc", "a")], SAMPLES).status == "pass"


def test_a_random_split_of_spots_fails():
    result = split_within_slide([_fold("abc", "abc")], SAMPLES)
    assert result.status == "fail"
    assert result.slides == ("a", "b", "c")
    assert result.message.endswith(result.fix)


def test_the_published_slide_in_validation_and_test():
    result = split_within_slide([_fold(["TENX115", "TENX117"], ["TENX117"])], SAMPLES)
    assert result.status == "fail"
    assert result.slides == ("TENX117",)


@pytest.mark.parametrize(
    ("gap", "block", "status"),
    [(200, 500, "pass"), (300, 900, "pass"), (199, 500, "fail"), (200, 499, "fail"), (0, 500, "fail")],
)
def test_blocks_within_a_slide_need_gap_and_size(gap, block, status):
    fold = _fold("a", "a", within=True, params={"gap_um": gap, "block_um": block})
    result = split_within_slide([fold], SAMPLES)
    assert result.status == status


@pytest.mark.parametrize(
    "params", [{}, {"gap_um": 200.0}, {"block_um": 500.0}, {"gap_um": float("nan"), "block_um": 500}]
)
def test_a_gap_that_is_not_given_fails(params):
    assert split_within_slide([_fold("a", "a", within=True, params=params)], SAMPLES).status == "fail"


def test_the_design_of_the_package_passes():
    folds = within([Sample(slide="a"), Sample(slide="b")])
    assert folds
    assert split_within_slide(folds, SAMPLES).status == "pass"


def test_no_fold_is_a_skip():
    assert split_within_slide([], SAMPLES).status == "skip"
