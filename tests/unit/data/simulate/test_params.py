from __future__ import annotations

import math
from dataclasses import asdict

import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.data.simulate.params import PANEL_SIZES, SimulationParams, parse_params
from pytest_stbench.data.simulate.programmes import available_genes
from pytest_stbench.errors import DataError


def test_defaults():
    assert parse_params({}) == SimulationParams()


def test_whole_numbers_are_taken_for_real_ones():
    assert parse_params({"depth": 800, "patient_effect": 0}) == SimulationParams(
        depth=800.0, patient_effect=0.0
    )


def test_cells_have_defaults_of_their_own():
    found = parse_params({"resolution": "cell"})
    assert (found.units, found.depth, found.mpp) == (3000, 150.0, 0.5)
    assert parse_params({"resolution": "cell", "units": 300_000, "depth": 20, "mpp": 1}) == SimulationParams(
        resolution="cell", units=300_000, depth=20.0, mpp=1.0
    )


def test_panels_by_number_or_by_size():
    assert parse_params({"panels": 3}).panels == (280, 322, 380)
    assert parse_params({"panels": [60, 70]}).panels == (60, 70)
    assert parse_params({"technologies": ["Xenium", "CosMx"]}).technologies == ("Xenium", "CosMx")


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"panels": [60, 10]}, ["params.panels: size of a panel: found 10, expected a whole number from 50"]),
        ({"panels": True}, ["params.panels: found True, expected a number of panels"]),
        ({"technologies": "Xenium"}, ["params.technologies: found 'Xenium', expected a list of names"]),
        ({"resolution": "cells"}, ["'cells'; did you mean 'cell'? (allowed: spot, cell)"]),
        ({"mpp": 0.5}, ["params.mpp: found 0.5, expected a number from 2 to 2"]),
        ({"units": 6000}, ["params.units: found 6000, expected a whole number from 20 to 5000"]),
        (
            {"patient": 6},
            ["params.patient: unknown parameter", "did you mean 'patients'?", "slides_per_patient"],
        ),
        ({"setting": "morfology"}, ["'morfology'", "did you mean 'morphology'?", "default, no_signal"]),
        ({"setting": None}, ["params.setting: found None"]),
        ({"patients": 0}, ["params.patients: found 0, expected a whole number from 1 to 999"]),
        ({"patients": True}, ["params.patients: found True, expected a whole number"]),
        ({"patients": 2.5}, ["params.patients: found 2.5, expected a whole number"]),
        ({"units": "180"}, ["params.units: found '180', expected a whole number from 20 to 5000"]),
        ({"seed": -1}, ["params.seed: found -1"]),
        ({"depth": math.nan}, ["params.depth: found nan, expected a number from 50"]),
        ({"depth": math.inf}, ["params.depth: found inf"]),
        ({"patient_effect": [1]}, ["params.patient_effect: found [1], expected a number from 0 to 3"]),
        ({"image": "yes"}, ["params.image: found 'yes', expected true or false"]),
        ({"image": 1}, ["params.image: found 1, expected true or false"]),
    ],
)
def test_mistakes_say_what_is_allowed(params, parts):
    with pytest.raises(DataError) as caught:
        parse_params(params)
    for part in parts:
        assert part in str(caught.value)


def test_all_mistakes_are_reported_at_once():
    with pytest.raises(DataError) as caught:
        parse_params({"setting": ["no_signal"], "genes": 1, "colour": "blue"})
    assert all(f"params.{key}:" in str(caught.value) for key in ("setting", "genes", "colour"))


def test_more_genes_than_signatures_hold_are_refused():
    most = len(available_genes())
    assert parse_params({"genes": most}).genes == most
    with pytest.raises(DataError, match=f"from 50 to {most}"):
        parse_params({"genes": most + 1})


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from([*asdict(SimulationParams()), "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
    )
)
def test_any_value_is_taken_or_refused_in_words(params):
    spoken = None
    try:
        parsed = parse_params(params)
    except DataError as error:
        spoken = str(error)
    if spoken is None:
        expected = {**asdict(SimulationParams()), **params}
        for key in ("panels", "technologies"):
            found = expected[key]
            expected[key] = PANEL_SIZES[:found] if isinstance(found, int) else tuple(found)
        assert asdict(parsed) == expected
    else:
        assert any(f"params.{key}" in spoken for key in params)
