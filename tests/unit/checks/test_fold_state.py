"""Scores above what one fold can tell, and a fold that is fitted again in a fresh process."""

from __future__ import annotations

import math

import pytest

from pytest_stbench.checks import state_across_folds
from pytest_stbench.checks.fold_state import Refitted

NAN = math.nan


def beside(*pairs, error=NAN):
    return {"d-lopo": {f"P{place}": (*pair, error) for place, pair in enumerate(pairs)}}


def again(before, value, simple=0.4, seed_sd=None):
    return lambda: Refitted(place="d-lopo-B", before=before, value=value, simple=simple, seed_sd=seed_sd)


def judged(*pairs, error=NAN, **more):
    return state_across_folds(model="mine", beside=beside(*pairs, error=error), **{"best": 1.0, **more})


@pytest.mark.parametrize(
    ("pairs", "status"),
    [
        ([(0.3, 0.5), (0.3, 0.5), (0.9, 0.5)], "pass"),
        ([(0.3, 0.5), (0.9, 0.5)], "pass"),  # half are not most
        ([(0.3, 0.5), (0.9, 0.5), (0.9, 0.5)], "warn"),
        ([(1.0, NAN), (1.0, NAN), (0.2, NAN)], "warn"),  # at the best value, without a ceiling
        ([(0.99, NAN), (0.99, NAN)], "pass"),
        ([(0.9, 0.5)], "pass"),  # of one patient, most are all
        ([(NAN, 0.5), (0.9, 0.5), (0.9, 0.5)], "warn"),
        ([], "pass"),
    ],
)
def test_most_patients_above_the_ceiling_or_at_the_best_value_warn(pairs, status):
    assert judged(*pairs).status == status


def test_what_is_above_by_the_noise_of_the_ceiling_is_not_above():
    near = [(0.51, 0.5)] * 3
    assert judged(*near, error=0.001).status == "warn"
    assert judged(*near, error=0.01).status == "pass"


def test_where_lower_is_better_the_sign_turns():
    low = [(0.1, 0.5)] * 3
    assert judged(*low, better="down", best=0.0).status == "warn"
    assert judged(*low, better="up").status == "pass"
    assert judged(*[(0.0, NAN)] * 3, better="down", best=0.0).status == "warn"
    assert judged(*[(3.0, NAN)] * 3, better="down", best=None).status == "pass"


def test_the_warning_says_where_and_how_to_find_out():
    found = judged((0.3, 0.5), (0.9, 0.5), (0.9, 0.5))
    assert (found.statistic, found.threshold) == (pytest.approx(2 / 3), 0.5)
    assert "2 of 3 patients of mine on d-lopo" in found.message
    assert "P1, P2" in found.message
    assert "--stbench-no-skip" in found.fix
    assert "lru_cache" in found.fix


@pytest.mark.parametrize(
    ("before", "value", "more", "status"),
    [
        (0.9, 0.9, {}, "pass"),
        (0.9, 0.895, {}, "pass"),
        (0.9, 0.88, {}, "warn"),
        (0.9, 0.92, {}, "warn"),  # better alone: it draws without a seed
        (0.9, 0.88, {"seed_sd": 0.03}, "pass"),
        (0.9, 0.895, {"seed_sd": 0.0}, "pass"),  # a fit is never held to less than 0.01
        (0.9, 0.41, {}, "warn"),  # it falls, and stays ahead of S
        (0.9, 0.39, {}, "fail"),
        (0.9, NAN, {}, "fail"),
        (0.35, 0.1, {}, "warn"),  # it was never ahead of S
    ],
)
def test_a_fold_that_is_fitted_again_agrees_or_is_told(before, value, more, status):
    found = judged((0.3, 0.5), refitted=again(before, value, **more))
    assert found.status == status
    assert f"{before:.4f}" in found.message
    if not math.isnan(value):
        assert f"{value:.4f}" in found.message


def test_it_falls_upwards_where_lower_is_better():
    found = judged((0.3, 0.5), better="down", best=0.0, refitted=again(0.1, 0.7, simple=0.5))
    assert found.status == "fail"
    assert judged((0.3, 0.5), better="down", refitted=again(0.1, 0.3, simple=0.5)).status == "warn"


def test_agreement_clears_what_lies_above_the_ceiling():
    """A model that pools neighbours may be better than two halves of the counts."""
    found = judged((0.9, 0.5), (0.9, 0.5), refitted=again(0.9, 0.9))
    assert found.status == "pass"
    assert "2 of 2 patients" in found.message


def test_what_could_not_be_fitted_again_is_no_pass():
    found = judged((0.3, 0.5), refitted=lambda: "the process ended with code 4: no such fixture")
    assert found.status == "skip"
    assert "no such fixture" in found.message
