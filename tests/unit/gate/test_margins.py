from __future__ import annotations

import math

import pytest

from pytest_stbench.gate import apply_rule, beats, margin_floor, stand
from pytest_stbench.gate.margins import NO_FLOOR, Floor

UNIT = (0.0, 1.0)


@pytest.mark.parametrize(
    ("trivial", "simple", "ends", "value", "why"),
    [
        (0.0, 0.3, (-1.0, 1.0), 0.006, "2% of the distance"),
        (0.3, 0.0, (-1.0, 1.0), 0.006, "2% of the distance"),
        (0.5, 0.5, UNIT, 0.001, "a thousandth of the range"),
        (0.5, 0.5 + 1e-6, UNIT, 0.001, "a thousandth of the range"),
        (None, 0.5, (-1.0, 1.0), 0.002, "a thousandth of the range"),
        (0.5, None, UNIT, 0.001, "a thousandth of the range"),
        (math.nan, 0.5, UNIT, 0.001, "a thousandth of the range"),
        (None, None, UNIT, 0.001, "a thousandth of the range"),
        (2.0, 1.0, (0.0, None), 0.02, "2% of the distance"),
        (2.0, 2.0, (0.0, None), 0.002, "a thousandth of the larger score"),
        (-3.0, -3.0, (None, None), 0.003, "a thousandth of the larger score"),
        (None, None, (0.0, None), 0.0, "a thousandth of the larger score"),
    ],
)
def test_the_least_margin(trivial, simple, ends, value, why):
    floor = margin_floor(trivial, simple, ends)
    assert floor.value == pytest.approx(value, abs=1e-15)
    assert floor.why.startswith(why)


def test_noise_of_draws_raises_it():
    assert margin_floor(0.0, 0.3, UNIT, monte_carlo=0.002).why.startswith("2% of")
    noisy = margin_floor(0.0, 0.3, UNIT, monte_carlo=0.004)
    assert noisy == Floor(0.008, "twice the Monte Carlo standard error")


def test_a_copy_plus_a_millionth_does_not_beat():
    simple = {name: 0.3 + 0.01 * place for place, name in enumerate("ABCDEF")}
    copy = {name: value + 1e-6 + 1e-8 * place for place, (name, value) in enumerate(simple.items())}
    least = margin_floor(0.0, 0.325, (-1, 1))
    bare, held = (
        apply_rule(r, copy, simple, metric="m", better="up") for r in (beats("S"), beats("S", 0, least))
    )
    assert bare.outcome == "pass", "without the least margin it would"
    assert held.outcome == "fail"


SIMPLE = dict.fromkeys("ABCDEFGH", 0.5)


def standing(differences, *, better="up", floor=Floor(0.01, "")):  # noqa: B008 - frozen
    sign = 1 if better == "up" else -1
    values = {name: 0.5 + sign * d for name, d in zip(SIMPLE, differences, strict=False)}
    return stand(values, SIMPLE, metric="m", better=better, floor=floor)


@pytest.mark.parametrize("better", ["up", "down"])
class TestStanding:
    @pytest.mark.parametrize(
        ("differences", "word"),
        [
            ([0.10, 0.12, 0.11, 0.13, 0.12, 0.10], "above S"),
            ([-0.10, -0.12, -0.11, -0.13, -0.12, -0.10], "below S"),
            ([0.2, -0.1, 0.1, -0.1, 0.05, 0.0], "level"),
            ([0.005] * 6, "level"),
            ([-0.005] * 6, "level"),
            ([0.1], "above S"),
            ([-0.1, -0.2], "below S"),
            ([0.1, -0.2, 0.3], "level"),
            ([0.005, 0.2], "level"),
        ],
    )
    def test_words(self, better, differences, word):
        found = standing(differences, better=better)
        assert found.word == word
        assert found.difference == pytest.approx(sum(differences) / len(differences))
        assert (found.low is None) == (len(differences) < 6)

    def test_it_agrees_with_the_rule(self, better):
        differences = [0.03, 0.05, 0.02, 0.04, 0.03, 0.06]
        assert standing(differences, better=better, floor=NO_FLOOR).word == "above S"


def test_nothing_is_said_without_a_direction_or_a_patient():
    assert stand({"A": 1.0}, {"A": 0.0}, metric="m", better="context", floor=NO_FLOOR) is None
    assert stand({"A": 1.0}, {"B": 0.0}, metric="m", better="up", floor=NO_FLOOR) is None
