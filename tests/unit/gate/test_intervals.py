from __future__ import annotations

import math

import pytest

from pytest_stbench.gate import interval_for
from pytest_stbench.gate.wording import difference, headline, left_out, number
from pytest_stbench.kernels.resampling import percentile_interval, studentised_interval, t_interval

VALUES = (0.28, 0.30, 0.25, 0.31, 0.27, 0.29, 0.26)


@pytest.mark.parametrize(
    ("n", "note"),
    [
        (0, "no patient"),
        (1, "single patient"),
        (2, "no interval below 4 patients"),
        (3, "no interval below 4 patients"),
    ],
)
def test_no_interval_below_four_patients(n, note):
    found = interval_for(VALUES[:n])
    assert (found.n, found.interval, found.secondary, found.note) == (n, None, None, note)


@pytest.mark.parametrize("n", [4, 5])
def test_t_and_percentile_with_four_or_five(n):
    found = interval_for(VALUES[:n])
    assert found.interval == t_interval(VALUES[:n])
    assert found.secondary == percentile_interval(VALUES[:n])
    assert found.note == "approximate"


@pytest.mark.parametrize("n", [6, 7])
def test_studentised_from_six(n):
    found = interval_for(VALUES[:n])
    assert found.interval == studentised_interval(VALUES[:n])
    assert (found.secondary, found.note) == (None, "")


def test_undefined_patients_are_left_out():
    found = interval_for([*VALUES[:5], None, math.nan, math.inf])
    assert (found.n, found.smallest, found.largest) == (5, 0.25, 0.31)
    assert found.mean == pytest.approx(0.282)
    assert math.isnan(interval_for([None]).mean)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (VALUES[:1], "r 0.280 n=1 patient"),
        (VALUES[:3], "r 0.277 (0.25 to 0.30) n=3 patients"),
        (VALUES[:4], "r 0.285 [0.24, 0.33] (approximate) n=4 patients"),
        ((None,), "r undefined n=0 patients"),
    ],
)
def test_headline_shows_what_the_number_of_patients_allows(values, text):
    assert headline("r", values) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0812, "0.081"),
        (-0.0004, "-0.0004"),
        (0.0, "0.000"),
        (1e-17, "0.000"),
        (12345.6, "1.235e+04"),
        (math.nan, "nan"),
    ],
)
def test_numbers_never_print_as_a_false_zero(value, text):
    assert number(value) == text


def test_difference_without_interval():
    assert difference(0.0271, None) == "0.027"


def test_many_patients_left_out_are_counted():
    assert left_out(tuple("ABCDEFG")) == "; 7 patients without a value left out: A, B, C, D, E and 2 more"
    assert left_out(()) == ""
