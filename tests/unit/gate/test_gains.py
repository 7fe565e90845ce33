"""Gains and losses of many scores are those of each alone, by the bounds of gates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pytest_stbench.gate import bound_for, stand
from pytest_stbench.gate.gains import after_holm, gains
from pytest_stbench.gate.margins import NO_FLOOR

VALUES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=1, max_size=9)
WORDS = {"above S": "gained", "below S": "lost", "level": "level"}


def one(values, inside=False):
    return gains([dict(zip("abcdefghi", values, strict=False))], [inside])[0]


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_several_at_once_are_each_alone(several):
    found = gains([dict(enumerate(values)) for values in several], [False] * len(several))
    for gain, values in zip(found, several, strict=True):
        alone = one(values)
        assert (gain.n, gain.word, gain.decided) == (alone.n, alone.word, alone.decided)
        assert (gain.mean, gain.low, gain.high) == pytest.approx((alone.mean, alone.low, alone.high))


@given(VALUES)
def test_bounds_and_words_are_those_of_gates(values):
    gain, reported = one(values), bound_for(values)
    assert gain.mean == pytest.approx(reported.mean, abs=1e-12)
    assert gain.decided == (len(values) >= 6)
    if gain.decided:
        assert (gain.low, gain.high) == pytest.approx((reported.interval.low, reported.interval.high))
        side = 1 if reported.mean > 0 else -1
        assert gain.p == pytest.approx(float(bound_for([side * v for v in values]).spread.p()))
    else:
        assert (gain.low, gain.high, gain.p) == (min(values), max(values), None)
    patients = dict(zip("abcdefghi", values, strict=False))
    beside = stand(patients, dict.fromkeys(patients, 0.0), metric="m", better="up", floor=NO_FLOOR)
    if gain.word != "unchanged":
        assert gain.word == WORDS[beside.word]
    else:
        assert set(values) == {0.0}


def test_what_is_the_other_way_round_is_lost():
    values = [0.1, 0.12, 0.09, 0.11, 0.1, 0.13]
    gained, lost = one(values), one([-v for v in values])
    assert (gained.word, lost.word) == ("gained", "lost")
    assert (lost.low, lost.high) == pytest.approx((-gained.high, -gained.low))
    assert lost.p == pytest.approx(gained.p)
    assert lost.effect == pytest.approx(-gained.effect)
    assert gained.effect == pytest.approx(np.mean(values) / np.std(values, ddof=1))


def test_within_slides_nothing_is_decided():
    gain = one([0.1, 0.12, 0.09, 0.11, 0.1, 0.13], inside=True)
    assert (gain.decided, gain.p, gain.low, gain.high, gain.word) == (False, None, 0.09, 0.13, "gained")


def test_equal_differences_and_none():
    assert one([0.0] * 6).word == "unchanged"
    assert one([0.0] * 6).effect == 0.0
    same = one([0.25] * 6)
    assert (same.word, same.low, same.high, same.effect, same.p) == ("gained", 0.25, 0.25, math.inf, 0.0)
    assert one([-0.5]).word == "lost"
    assert gains([], []) == []


def test_holm_goes_over_what_is_decided():
    strong = [0.1, 0.101, 0.1, 0.099, 0.1, 0.1]
    weak = [0.05, 0.01, 0.06, 0.15, 0.03, 0.05]
    found = [one(strong), one(weak), one([0.1, 0.2]), one([0.0] * 6)]
    assert 0.0125 < one(weak).p < 0.025
    assert after_holm(found) == [True, False, False, False]
    assert after_holm([one(weak)]) == [True]
    assert after_holm([]) == []
