from __future__ import annotations

import math

import pytest

from pytest_stbench.gate import Rules, plan_gates
from pytest_stbench.kernels.detectable import detectable_effect, lower_bound_distance

RULES = Rules(beats={"ridge": 0.02}, not_worse_than=0.01, min_lower=0.1, min=0.1, min_patient=0.0, max=0.9)


def planned(n, **settings):
    return {gate.kind: gate for gate in plan_gates(n, RULES, metric="r", **settings)}


@pytest.mark.parametrize(
    ("n", "decidable"),
    [
        (0, set()),
        (1, {"min", "min_patient", "max"}),
        (3, {"min", "min_patient", "max"}),
        (4, {"min", "min_patient", "max", "min_lower"}),
        (5, {"min", "min_patient", "max", "min_lower"}),
        (6, {"min", "min_patient", "max", "min_lower", "beats", "not_worse_than"}),
    ],
)
def test_which_rules_can_be_decided(n, decidable):
    assert {kind for kind, gate in planned(n).items() if gate.decidable} == decidable


def test_smallest_effects():
    gates = planned(8, sd=0.05)
    assert gates["beats"].effect_sd == detectable_effect(8)
    assert gates["beats"].effect == pytest.approx(0.02 + 0.05 * detectable_effect(8))
    assert gates["not_worse_than"].effect == pytest.approx(-0.01 + 0.05 * lower_bound_distance(8))
    assert gates["min_lower"].effect == pytest.approx(0.1 + 0.05 * lower_bound_distance(8))
    assert (gates["min"].effect_sd, gates["min"].effect) == (0.0, 0.1)
    assert gates["max"].effect == 0.9


def test_min_lower_of_four_takes_the_t_interval():
    # t quantile .975 with 3 degrees of freedom over sqrt(4).
    assert planned(4)["min_lower"].effect_sd == pytest.approx(3.182446 / 2, abs=1e-5)
    assert planned(6)["min_lower"].effect_sd == lower_bound_distance(6)


def test_nothing_could_pass_below_six_patients():
    gate = planned(5, sd=0.05)["beats"]
    assert (gate.effect_sd, gate.effect) == (math.inf, None)
    assert gate.needs == 6
    assert planned(5)["not_worse_than"].effect_sd == math.inf
    assert "5 of the 6 patients needed (population claim: fails as underpowered)" in gate.message
    assert "could pass with 6 patients is 0.02 + 1.40 SD = 0.090 at SD 0.050" in gate.message


def test_an_exploratory_claim_is_shown_only():
    assert "(exploratory claim: shown only)" in planned(5, claim="exploratory")["beats"].message


def test_without_an_sd_effects_stand_in_sds():
    gate = planned(6)["beats"]
    assert gate.effect is None
    assert gate.message == (
        "r beats ridge by 0.02: can be decided; the smallest mean paired difference that could pass "
        "with 6 patients is 0.02 + 1.40 SD"
    )
    assert planned(6)["min"].message == "r min 0.1: can be decided with 6 patients"


def test_more_patients_show_smaller_effects():
    effects = [planned(n)["beats"].effect_sd for n in (6, 8, 12, 20)]
    assert effects == sorted(effects, reverse=True)


def test_no_rules_no_plan():
    assert plan_gates(6, Rules(), metric="r") == ()


def test_six_patients_can_show_that_nothing_was_lost():
    assert planned(6)["not_worse_than"].effect_sd == lower_bound_distance(6)
    assert planned(5)["not_worse_than"].effect_sd == math.inf
