from __future__ import annotations

import math

import pytest

from pytest_stbench.gate import Rules, plan_gates
from pytest_stbench.gate.margins import Floor
from pytest_stbench.kernels.guarded import detectable_effect, steps

RULES = Rules(
    beats={"ridge": 0.02}, min_patient_difference={"ridge": -0.05}, not_worse_than=0.01, min_lower=0.1,
    min=0.1, min_patient=0.0, max=0.9,
)  # fmt: skip
ALONE = {"min", "min_patient", "max", "min_patient_difference"}


def planned(n, **settings):
    return {gate.kind: gate for gate in plan_gates(n, RULES, metric="r", **settings)}


@pytest.mark.parametrize(
    ("n", "decidable"),
    [
        (0, set()),
        (1, ALONE),
        (3, ALONE),
        (4, ALONE | {"min_lower"}),
        (5, ALONE | {"min_lower"}),
        (6, ALONE | {"min_lower", "beats", "not_worse_than"}),
    ],
)
def test_which_rules_can_be_decided(n, decidable):
    assert {kind for kind, gate in planned(n).items() if gate.decidable} == decidable


def test_smallest_effects():
    gates = planned(8, sd=0.05)
    assert gates["beats"].effect_sd == detectable_effect(8)
    assert gates["beats"].effect == pytest.approx(0.02 + 0.05 * detectable_effect(8))
    assert gates["not_worse_than"].effect == pytest.approx(-0.01 + 0.05 * detectable_effect(8))
    assert gates["min_lower"].effect == pytest.approx(0.1 + 0.05 * detectable_effect(8))
    assert (gates["min"].effect_sd, gates["min"].effect) == (0.0, 0.1)
    assert gates["max"].effect == 0.9


def test_min_lower_of_four_takes_the_guarded_bound():
    assert planned(4)["min_lower"].effect_sd == pytest.approx(float(steps(4)) / 2)
    assert planned(6)["min_lower"].effect_sd == detectable_effect(6)
    assert planned(3)["min_lower"].effect_sd == math.inf


def test_nothing_could_pass_below_six_patients():
    gate = planned(5, sd=0.05)["beats"]
    assert (gate.effect_sd, gate.effect) == (math.inf, None)
    assert gate.needs == 6
    assert planned(5)["not_worse_than"].effect_sd == math.inf
    assert "5 of the 6 patients needed (population claim: fails as underpowered)" in gate.message
    assert "could pass with 6 patients is 0.02 + 1.82 SD = 0.111 at SD 0.050" in gate.message


def test_an_exploratory_claim_is_shown_only():
    assert "(exploratory claim: shown only)" in planned(5, claim="exploratory")["beats"].message


def test_without_an_sd_effects_stand_in_sds():
    gate = planned(6)["beats"]
    assert gate.effect is None
    assert gate.message == (
        "r beats ridge by 0.02: can be decided; the smallest mean paired difference that could pass "
        "with 6 patients is 0.02 + 1.82 SD"
    )
    assert planned(6)["min"].message == "r min 0.1: can be decided with 6 patients"


def test_more_patients_show_smaller_effects():
    effects = [planned(n)["beats"].effect_sd for n in (6, 8, 12, 20)]
    assert effects == sorted(effects, reverse=True)


def test_no_rules_no_plan():
    assert plan_gates(6, Rules(), metric="r") == ()


def test_six_patients_can_show_that_nothing_was_lost():
    assert planned(6)["not_worse_than"].effect_sd == detectable_effect(6)
    assert planned(5)["not_worse_than"].effect_sd == math.inf


def test_what_the_file_does_not_gate_is_shown_only():
    (gate,) = plan_gates(5, Rules(beats={"ridge": 0.0}, gated=False), metric="r")
    assert "(no gate in the file: shown only)" in gate.message
    both = plan_gates(6, Rules(beats={"ridge": 0.0}, shown={"train_mean": 0.0}), metric="r")
    assert [gate.reference for gate in both] == ["ridge", "train_mean"]


def test_a_known_least_margin_is_asked_for():
    (gate,) = plan_gates(6, Rules(beats={"ridge": 0.01}, floor=Floor(0.05, "")), metric="r")
    assert gate.offset == 0.05
    assert "r beats ridge by 0.05: " in gate.message


def test_what_one_patient_may_lose_needs_one_patient():
    gate = planned(1)["min_patient_difference"]
    assert (gate.reference, gate.needs, gate.offset, gate.effect_sd) == ("ridge", 1, -0.05, 0.0)
    assert gate.message == "r min_patient_difference -0.05 to ridge: can be decided with 1 patient"
