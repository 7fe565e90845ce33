from __future__ import annotations

import pytest

from pytest_stbench.checks import baseline_missing

EXPRESSION = {"trivial": "train_mean", "simple": ("pca_ridge", "he_colour", "coords")}


@pytest.mark.parametrize(
    ("runs", "status"),
    [
        ({"train_mean", "pca_ridge", "coords"}, "pass"),
        ({"train_mean", "he_colour", "coords"}, "pass"),
        ({"train_mean", "coords"}, "warn"),
        ({"train_mean"}, "fail"),
        ({"pca_ridge"}, "fail"),
        (set(), "fail"),
    ],
)
def test_status_by_what_can_run(runs, status):
    result = baseline_missing(**EXPRESSION, available={"toy": runs})
    assert result.status == status
    assert "toy" in result.message or status == "pass"
    if status != "pass":
        assert result.message.endswith(result.fix)


def test_coords_is_no_fallback_where_it_is_the_familys_only_choice():
    result = baseline_missing(
        trivial="train_mean", simple=("coords",), available={"toy": {"train_mean", "coords"}}
    )
    assert result.status == "pass"


def test_every_data_set_needs_its_yardsticks():
    result = baseline_missing(
        **EXPRESSION, available={"good": {"train_mean", "pca_ridge"}, "bad": {"train_mean"}}
    )
    assert result.status == "fail"
    assert "bad" in result.message


@pytest.mark.parametrize(
    ("declared", "status"),
    [
        ((), "pass"),
        (("train_mean", "ridge"), "pass"),
        (("train_mean", "pca_ridge"), "pass"),
        (("ridge",), "fail"),
        (("train_mean", "libsize"), "fail"),
    ],
)
def test_a_task_that_leaves_out_a_yardstick(declared, status):
    result = baseline_missing(**EXPRESSION, available={"toy": {"train_mean", "pca_ridge"}}, declared=declared)
    assert result.status == status


def test_only_the_model_is_scored():
    assert baseline_missing(trivial=None, simple=(), available={"toy": set()}).status == "fail"


def test_no_data_set_is_a_skip():
    assert baseline_missing(**EXPRESSION, available={}).status == "skip"


def test_a_family_without_a_trivial_baseline_fails():
    result = baseline_missing(trivial=None, simple=("pca_ridge",), available={"toy": {"pca_ridge"}})
    assert result.status == "fail"


def test_the_message_names_what_the_better_baselines_lack():
    result = baseline_missing(**EXPRESSION, available={"toy": {"train_mean", "coords"}})
    assert "lacks what pca_ridge, he_colour need" in result.message
