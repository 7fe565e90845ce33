from __future__ import annotations

import pytest

from pytest_stbench.gate import Rules, refusals, required_references, rules_for
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
    assert rules_for(None, required=REQUIRED, primary=True) == Rules(beats=REQUIRED)
    assert rules_for(None, required=REQUIRED, primary=False) == Rules()


def test_the_file_sets_margins_and_adds_references():
    rules = rules_for(
        gate(beats={"baselines": ("ridge", "coords"), "margin": 0.05}),
        required=REQUIRED,
        primary=True,
        resolve=RIDGE,
    )
    assert rules.beats == {"train_mean": 0.0, "libsize": 0.0, "he_colour": 0.05, "coords": 0.05}
    assert list(rules.beats) == ["train_mean", "libsize", "he_colour", "coords"]


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


@pytest.mark.parametrize("rule", [{"beats": {}}, {"not_worse_than": {"margin": 0.01}}])
def test_a_metric_of_context_cannot_be_compared(rule):
    (line,) = refusals(gate(**rule), metric="calibration_slope", better="context")
    assert line.startswith(f"{next(iter(rule))}: calibration_slope gives context and has no better direction")
    assert refusals(gate(**rule), metric="pearson_gene", better="up") == []


def test_a_metric_of_context_is_no_primary_metric():
    assert (
        len(refusals(gate(min=0.5, max=1.5), metric="calibration_slope", better="context", primary=True)) == 1
    )
    assert refusals(gate(min=0.5, max=1.5), metric="calibration_slope", better="context") == []


def test_lower_limits_are_refused_where_lower_is_better():
    lines = refusals(gate(min=0.1, min_lower=0.1, min_patient=0.0, max=1.0), metric="rmse", better="down")
    assert [line.partition(":")[0] for line in lines] == ["min", "min_lower", "min_patient"]
    assert refusals(gate(min=0.1, min_lower=0.1, min_patient=0.0), metric="r2", better="up") == []
