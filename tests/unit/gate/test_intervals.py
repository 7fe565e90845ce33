from __future__ import annotations

import math

import pytest

from pytest_stbench.gate import bound_for, interval_for, intervals_for
from pytest_stbench.gate.wording import difference, headline, left_out, number
from pytest_stbench.kernels.mean_interval import guarded_interval, mean_interval

VALUES = (0.28, 0.30, 0.25, 0.31, 0.27, 0.29, 0.26)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("report", [interval_for, bound_for])
def test_no_interval_below_four_patients(n, report):
    found = report(VALUES[:n])
    assert (found.n, found.interval) == (n, None)


@pytest.mark.parametrize("n", [4, 5, 6, 7])
@pytest.mark.parametrize("ends", [(None, None), (-1.0, 1.0), (0.0, None)])
def test_the_interval_of_a_headline_is_on_the_scale_of_the_range(n, ends):
    found = interval_for(VALUES[:n], ends)
    assert found.interval == mean_interval(VALUES[:n], ends)
    assert found.interval.approximate == (n < 6)


@pytest.mark.parametrize("ends", [(None, None), (0.0, 1.0), (None, 0.3), (0.26, None)])
def test_the_intervals_of_several_models_are_those_of_each_to_the_last_bit(ends):
    several = [VALUES, VALUES[:3], (), (*VALUES[2:], math.nan), (0.5,) * 6, VALUES[::-1], (1.5, *VALUES)]
    assert [repr(found) for found in intervals_for(several, ends)] == [
        repr(interval_for(values, ends)) for values in several
    ]


def test_gates_decide_by_the_guarded_bounds():
    assert bound_for(VALUES).interval == guarded_interval(VALUES)
    assert bound_for(VALUES, (0.27, 1.0)).interval.method == "guarded"
    # With four or five no comparison is decided: what is shown is a t interval.
    assert bound_for(VALUES[:5]).interval == mean_interval(VALUES[:5])
    assert bound_for(VALUES[:4], least=4).interval == guarded_interval(VALUES[:4])
    assert bound_for(VALUES[:3], least=4).interval is None


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
        ((0.5,) * 6, "r 0.500 [0.50, 0.50] (all patients equal: no width) n=6 patients"),
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


def test_guarded_bounds_are_named():
    assert difference(0.0271, mean_interval(VALUES[:4])) == "0.027 [0.243, 0.327]"
    assert difference(0.0271, guarded_interval(VALUES)).startswith("0.027, guarded [0.")


def test_many_patients_left_out_are_counted():
    assert left_out(tuple("ABCDEFG")) == "; 7 patients without a value left out: A, B, C, D, E and 2 more"
    assert left_out(()) == ""
