from __future__ import annotations

import pytest

from pytest_stbench.checks import patient_effect_gap, preprocessing_unstable

SETTINGS = ("main", "raw", "hvg", "strict")


def judged(model, simple, *, better="up", **others):
    values = {"mine": {"d-lopo": dict(zip(SETTINGS, model, strict=False))}}
    values |= {name: {"d-lopo": dict(zip(SETTINGS, found, strict=False))} for name, found in others.items()}
    reference = {"d-lopo": dict(zip(SETTINGS, simple, strict=False))}
    return preprocessing_unstable(model="mine", simple=reference, values=values, better=better)


def test_one_sign_in_every_setting_passes():
    result = judged([0.3, 0.4, 0.5, 0.3], [0.2, 0.2, 0.2, 0.2])
    assert (result.status, result.statistic) == ("pass", 0)
    assert result.details["d-lopo"]["range"] == pytest.approx(0.2)


@pytest.mark.parametrize(("worse", "rarer"), [(1, 1), (2, 2), (3, 1)])
def test_a_sign_that_flips_warns(worse, rarer):
    result = judged([0.1] * worse + [0.3] * (4 - worse), [0.2] * 4)
    assert (result.status, result.statistic) == ("warn", rarer)
    assert "preprocessing-dependent" in result.message


def test_where_lower_is_better_the_sign_turns():
    up = judged([0.1, 0.3], [0.2, 0.2])
    down = judged([0.1, 0.3], [0.2, 0.2], better="down")
    differences = [r.details["d-lopo"]["model_minus_simple"]["main"] for r in (up, down)]
    assert differences[0] == -differences[1]


def test_no_ablation_warns_and_few_settings_are_noted():
    assert judged([0.3], [0.2]).status == "warn"
    few = judged([0.3, 0.3], [0.2, 0.2])
    assert few.status == "pass"
    assert "fewer than the 4 advised" in few.message


def test_equal_scores_flip_nothing():
    assert judged([0.2, 0.3, 0.2, 0.3], [0.2, 0.2, 0.2, 0.2]).status == "pass"


def test_undefined_settings_are_counted():
    result = judged([0.3, None, float("nan"), 0.4], [0.2, 0.2, 0.2, 0.2])
    assert result.status == "pass"
    assert "2 settings without a value" in result.message
    assert judged([None], [None]).status == "skip"
    assert judged([], []).status == "skip"


def test_an_order_of_models_that_flips_warns():
    result = judged([0.3, 0.5, 0.3, 0.3], [0.1] * 4, other=[0.4, 0.4, 0.4, 0.4])
    assert result.status == "warn"
    assert "ahead of other under raw" in result.message


@pytest.mark.parametrize(("value", "status"), [(0.2, "pass"), (0.45, "pass"), (0.5, "warn"), (0.8, "warn")])
def test_what_the_mean_of_a_slide_reaches(value, status):
    result = patient_effect_gap(between={"d-lopo": value, "e-lopo": 0.1, "f": None})
    assert (result.status, result.statistic) == (status, value)
    assert ("lopo" in result.fix) is (value > 0.71)


def test_without_two_slides_nothing_is_pooled():
    assert patient_effect_gap(between={"d": None}).status == "pass"
    assert patient_effect_gap(between={}).status == "pass"
