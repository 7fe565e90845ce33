"""The design checklist from records of checks and data sets."""

from __future__ import annotations

import json

import pytest

from pytest_stbench.checks import CHECKS
from pytest_stbench.results import CheckRecord, DatasetRecord, Results, TaskRecord, load, save
from pytest_stbench.results.checklist import STEPS, checklist_of


def check(name="empty_units", status="pass", *, checklist=("S9",), dataset="d", **fields):
    place = {"task": "t", "id": "Q06", "scope": "dataset", "severity": "fail"}
    return CheckRecord(**place, name=name, status=status, checklist=checklist, dataset=dataset, **fields)


def dataset(name="d", **fields):
    depth = {
        "a": {"area_mm2": 2.0, "libsize_median": 100.0, "genes_median": 50.0, "zero_share": 0.5},
        "b": {"area_mm2": 4.0, "libsize_median": 300.0, "genes_median": 70.0, "zero_share": 0.7},
    }
    basic = {
        "task": "t", "checksum": "c", "patients": {"a": "A", "b": "B"}, "n_slides": 2, "n_units": 1200,
        "n_genes": 300, "resolution": "spot", "technology": "Visium", "panels": ("P1", "P2"), "depth": depth,
    }  # fmt: skip
    return DatasetRecord(**{**basic, "name": name, **fields})


def steps(*checks, datasets=(), tasks=()):
    return {s.step: s for s in checklist_of(Results(checks=checks, datasets=datasets, tasks=tasks))}


def test_every_item_that_a_check_answers_belongs_to_one_step():
    items = [item for _, of_step in STEPS.values() for item in of_step]
    assert len(items) == len(set(items)) == 12
    assert {item for record in CHECKS for item in record.checklist} <= set(items)


def test_the_steps_stand_in_deciding_order_with_their_figures():
    found = checklist_of(Results(checks=(check(),), datasets=(dataset(),)))
    assert [step.step for step in found] == list(STEPS)
    answers = {step.step: step.answer for step in found}
    assert answers["resolution"] == "spot (Visium), 2 slides, 1,200 units on 6 mm2"
    assert answers["sample size"].startswith("2 patients: no interval")
    assert answers["panels"] == "2 panels (P1, P2), 300 genes"
    assert answers["preprocessing"] == "200 counts and 60 genes a unit (median of slides), 60% zeros"
    assert found[0].figures["area_mm2"] == 6.0


@pytest.mark.parametrize(("n", "word"), [(1, "1 patient:"), (3, "no interval"), (5, "approx"), (6, "enough")])
def test_the_sample_size_is_that_of_the_check(n, word):
    found = steps(check("too_few_patients", checklist=("S2",), statistic=n), datasets=(dataset(),))
    assert word in found["sample size"].answer


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("pass",), "pass"), (("pass", "warn"), "warn"), (("warn", "fail", "pass"), "fail"),
        (("pass", "skip"), "skip"), ((), "open"),
    ],
)  # fmt: skip
def test_the_gravest_result_is_that_of_the_step(statuses, expected):
    checks = [check(f"c{place}", status) for place, status in enumerate(statuses)]
    found = steps(*checks, check("other", checklist=()), datasets=(dataset(),))["preprocessing"]
    assert found.status == expected
    assert found.findings == tuple(c.name for c in checks if c.status != "pass")


def test_checks_of_task_splits_and_variants_answer_for_the_data_set():
    found = steps(
        check("narrow", "warn", checklist=("S12",), dataset=None),
        check("leak", "fail", checklist=("S7",), split="lopo"),
        check("empty_units", "fail", dataset="d+raw"),
        datasets=(dataset(), dataset("d+raw", n_units=7)),
        tasks=(
            TaskRecord(
                name="t", version=1, family="imputation", claim="population", primary="r", fingerprint="x"
            ),
        ),
    )
    assert found["evaluation"].findings == ("narrow",)
    assert found["evaluation"].answer == "imputation, population claim, primary metric r"
    assert (found["splits"].status, found["splits"].answer) == ("fail", "lopo")
    assert found["preprocessing"].status == "fail"
    assert found["resolution"].figures["units"] == 1200


def test_a_data_set_that_could_not_be_read_has_its_checks():
    found = steps(check("gone", "fail", checklist=("S1",)))
    assert found["resolution"].answer == "no check that ran has read the data set"
    assert found["resolution"].status == "fail"
    assert found["sample size"].answer == "the number of patients is not known"


def test_a_file_holds_the_checklist_of_all_its_records(tmp_path):
    path = tmp_path / "r.json"
    save(path, Results(checks=(check(),), datasets=(dataset(),)))
    save(path, Results(checks=(check("leak", "fail", checklist=("S7",), split="lopo"),)))
    stored = {step.step: step.status for step in load(path).checklist}
    assert stored["preprocessing"] == "pass"
    assert stored["splits"] == "fail"
    assert json.loads(path.read_text())["checklist"][0]["figures"]["units"] == 1200
