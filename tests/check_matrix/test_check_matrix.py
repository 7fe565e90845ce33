"""Defects injected into generated cohorts, and what every check says of them."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_stbench.data.simulate.defects.names import DEFECTS, NOT_IN_DATA
from pytest_stbench.run.installed import builtin_registry

from . import cases as matrix
from .cases import Case, Outcome, cases, run_case, run_cases
from .injections import COHORTS, DESIGN_FAULTS, INJECTIONS, NEEDS_MODEL

exhaustive = pytest.mark.exhaustive
SLOW = {
    "patient_effect_gap",
    "preprocessing_unstable",
    "preprocessing_unstable.one_setting",
    "state_across_folds",
}
"""Defects for which a model is fitted, fold by fold."""
AT_THRESHOLD = [
    *((defect, *injection.strengths[-2]) for defect, injection in INJECTIONS.items()),
    *((defect, "design", 0.0) for defect in DESIGN_FAULTS),
]
FIRST = {defect.partition(".")[0]: defect for defect, *_ in reversed(AT_THRESHOLD)}
"""The first defect of every check: others of its kind are seen by the same check, and run in the full run."""


def case(defect="", level="clean", strength=0.0, cohort="spots", seed=7):
    return Case(defect=defect, level=level, strength=strength, cohort=cohort, seed=seed)


def test_every_defect_is_injected():
    assert set(DESIGN_FAULTS) >= SLOW
    assert set(INJECTIONS) == set(DEFECTS) - NEEDS_MODEL
    named = {name.partition(".")[0] for name in DESIGN_FAULTS}
    assert named >= set(NOT_IN_DATA) | NEEDS_MODEL
    injected = named | {name.partition(".")[0] for name in INJECTIONS}
    checks = {record.name for record in builtin_registry().checks}
    assert not checks - injected, f"inject a defect for {checks - injected} (docs/architecture.md says where)"
    assert not injected - checks


def test_strengths_grow():
    for injection in INJECTIONS.values():
        strengths = [strength for _, strength in injection.strengths]
        assert strengths == sorted(set(strengths))
        assert strengths[0] > 0
        assert strengths[-1] <= 1


def test_clean_and_spoilt_cohorts_have_seeds_of_their_own():
    found = cases()
    clean = {c.seed for c in found if c.level == "clean"}
    spoilt = {c.seed for c in found if c.level != "clean"}
    assert clean
    assert not clean & spoilt
    assert {c.cohort for c in found if c.level == "clean"} == set(COHORTS)
    assert not [c for c in found if c.cohort == "cells" and c.check == "xisium_geometry"]
    named = cases(["gene_ids"])
    assert {c.defect for c in named} == {"", "gene_ids"}


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=exhaustive)], ids=["small", "whole"])
def test_a_clean_cohort_fails_no_check(whole, monkeypatch):
    if not whole:  # fewer units and genes, and one ablation instead of three
        small = dataclasses.replace(COHORTS["spots"], params={"units": 120, "genes": 200})
        monkeypatch.setattr(matrix, "COHORTS", {"spots": small})
        monkeypatch.setattr(matrix, "ABLATION", {"variants": {"raw": {"normalise": "log1p"}}})
    outcome = run_case(case())
    assert not outcome.refused
    assert "fail" not in outcome.statuses.values()
    assert {"too_few_patients", "patient_leakage", "baseline_missing"} <= set(outcome.statuses)


@pytest.mark.parametrize(
    ("defect", "level", "strength"),
    [
        pytest.param(*row, marks=[exhaustive] if row[0] in SLOW or row[0] not in FIRST.values() else [])
        for row in AT_THRESHOLD
    ],
    ids=str,
)
def test_a_check_speaks_at_threshold_strength(defect, level, strength):
    found = run_case(case(defect, level, strength), [defect.partition(".")[0]])
    assert found.detected or found.refused


@exhaustive
@pytest.mark.filterwarnings("error")
def test_processes_give_what_one_gives():
    wanted = [case("gene_ids", "above", 0.5), case("empty_units", "above", 0.5)]
    told = []
    assert list(run_cases(wanted, jobs=2, progress=told.append)) == list(run_cases(wanted))
    assert told == [1, 1]


def test_only_the_own_check_detects():
    outcome = Outcome(case=case("gene_ids.dates", "at"), statuses={"gene_ids": "skip", "empty_units": "fail"})
    assert not outcome.detected
