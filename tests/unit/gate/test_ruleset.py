from __future__ import annotations

from pytest_stbench.gate import Floor, Rules, required_references, rules_for
from pytest_stbench.registry import Family
from pytest_stbench.spec.model import GateSpec

REQUIRED = {"train_mean": 0.0, "libsize": 0.0, "he_colour": 0.02}
RIDGE = {"ridge": "he_colour"}


def gate(**rules):
    return GateSpec.model_validate(rules)


def test_required_references_of_a_family():
    family = Family(
        id="T01",
        name="expression",
        summary="",
        method="predict_expression",
        primary="pearson_gene",
        metrics=("pearson_gene",),
        trivial="train_mean",
        simple=("pca_ridge", "he_colour"),
        baselines=(),
        target="",
        required=("libsize",),
        margin=0.02,
    )
    assert required_references(family, "he_colour") == REQUIRED


def test_primary_metric_is_held_to_every_required_reference():
    assert rules_for(None, required=REQUIRED, primary=True) == Rules(beats=REQUIRED, gated=False)
    assert rules_for(None, required=REQUIRED, primary=False) == Rules(gated=False)


def test_the_file_sets_margins_and_adds_references():
    rules = rules_for(
        gate(beats={"baselines": ("ridge", "coords"), "margin": 0.05}),
        required=REQUIRED,
        primary=True,
        resolve=RIDGE,
    )
    assert rules.beats == {"he_colour": 0.05, "coords": 0.05}


def test_what_the_file_does_not_name_of_the_one_rule_is_shown_and_decides_nothing():
    rules = rules_for(gate(min=0.4), required=REQUIRED, primary=True)
    assert (rules.beats, rules.shown, rules.gated) == ({}, REQUIRED, True)
    rules = rules_for(gate(beats={"baselines": ("libsize",)}), required=REQUIRED, primary=True)
    assert rules.shown == {"train_mean": 0.0, "he_colour": 0.02}
    assert rules.references == REQUIRED
    assert rules_for(gate(min=0.4), required=REQUIRED, primary=False).shown == {}


def test_what_one_patient_may_lose_is_held_against_the_baselines_of_beats():
    written = rules_for(
        gate(min_patient_difference=-0.1, beats={"baselines": ("ridge",)}),
        required=REQUIRED,
        primary=True,
        resolve=RIDGE,
    )
    assert written.min_patient_difference == {"he_colour": -0.1}
    alone = rules_for(gate(min_patient_difference=0.0), required=REQUIRED, primary=False)
    assert alone.min_patient_difference == dict.fromkeys(REQUIRED, 0.0)


def test_the_least_margin_is_handed_on():
    floor = Floor(0.01, "x")
    assert rules_for(None, required=REQUIRED, primary=True, floor=floor).floor == floor
    assert rules_for(gate(min=0.1), required=REQUIRED, primary=True, floor=floor).floor == floor


def test_a_margin_that_is_not_written_stays_the_default():
    rules = rules_for(gate(beats={"baselines": ("ridge",)}), required=REQUIRED, primary=False, resolve=RIDGE)
    assert rules.beats == {"he_colour": 0.02}
    written = rules_for(
        gate(beats={"baselines": ("ridge",), "margin": 0}), required=REQUIRED, primary=False, resolve=RIDGE
    )
    assert written.beats == {"he_colour": 0.0}


def test_beats_without_names_means_the_required_ones():
    assert rules_for(gate(beats={}), required=REQUIRED, primary=False).beats == REQUIRED
    assert set(rules_for(gate(beats={"margin": 0.1}), required=REQUIRED, primary=False).beats.values()) == {
        0.1
    }


def test_limits_are_taken_over():
    rules = rules_for(
        gate(not_worse_than={"margin": 0.01}, min=0.1, min_lower=0.05, min_patient=0.0, max=0.9),
        required=REQUIRED,
        primary=False,
    )
    assert rules == Rules(not_worse_than=0.01, min=0.1, min_lower=0.05, min_patient=0.0, max=0.9)
