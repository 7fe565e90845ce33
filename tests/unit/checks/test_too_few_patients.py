from __future__ import annotations

import pytest

from pytest_stbench.checks import too_few_patients
from pytest_stbench.splits.table import Fold, Sample

# patients per task of a public benchmark's metadata (blank: the source gives none); slides per id
PUBLIC_TASKS = {
    "PRAD": (["patient 1"] * 11 + ["patient 2"] * 12, True),
    "SKCM": (["patient 1", "patient 2"], True),
    "READ": (["Patient 1", "Patient 1", "Patient 7", "Patient 7"], True),
    "LUAD": (["patient 1", "patient 2"], True),
    "COAD": (["Patient 1", "Patient 1", None, None], True),
    "PAAD": (["patient 2", "patient 3", "patient1"], True),
    "IDC": (["patient 2", "patient 1", "patient 5", "patient 4"], False),
    "LYMPH_IDC": (["Patient 3", "Patient 6", "Patient 7", "Patient 8"], False),
    "CCRCC": ([f"Patient {i}" for i in range(1, 25)], False),
}


def _dataset(make_dataset, patients):
    return make_dataset(samples=[Sample(slide=f"S{i}", patient=p) for i, p in enumerate(patients)])


@pytest.mark.parametrize(
    ("n", "claim", "status"),
    [
        (1, "population", "fail"),
        (3, "population", "fail"),
        (3, "exploratory", "warn"),
        (4, "population", "warn"),
        (5, "population", "warn"),
        (5, "exploratory", "warn"),
        (6, "population", "pass"),
        (30, "population", "pass"),
    ],
)
def test_status_around_the_thresholds(make_dataset, n, claim, status):
    result = too_few_patients(_dataset(make_dataset, [f"P{i}" for i in range(n)]), claim=claim)
    assert result.status == status
    assert result.statistic == n
    if status != "pass":
        assert result.message.endswith(result.fix)
        assert f"{n} patient" in result.message


def test_twelve_sections_of_three_patients(make_dataset):
    result = too_few_patients(_dataset(make_dataset, ["A", "B", "C"] * 4))
    assert result.status == "fail"
    assert "3 patients (12 slides)" in result.message


@pytest.mark.parametrize("task", PUBLIC_TASKS)
def test_public_benchmark_tasks(make_dataset, task):
    patients, few = PUBLIC_TASKS[task]
    result = too_few_patients(_dataset(make_dataset, patients))
    assert (result.status == "fail") is few


def test_spellings_of_one_patient_count_once(make_dataset):
    result = too_few_patients(_dataset(make_dataset, ["P01", "p-01", " P 01", "toy:P01", "P02", "P03"]))
    assert result.statistic == 3
    assert result.status == "fail"


def test_one_number_in_two_corpora_is_two_people(make_dataset):
    samples = [Sample(slide=f"S{i}", patient="patient 1", corpus=f"study {i}") for i in range(6)]
    assert too_few_patients(make_dataset(samples=samples)).status == "pass"


def test_a_slide_without_id_adds_nobody(make_dataset):
    result = too_few_patients(_dataset(make_dataset, ["P1", "P2", "P3", None, "", "NA"]))
    assert result.statistic == 3
    assert result.status == "fail"
    assert "3 without a patient id" in result.message
    assert result.fix.startswith("fill the missing patient ids")
    assert result.slides == ("S3", "S4", "S5")


def test_only_tested_patients_count_where_folds_are_given(make_dataset):
    dataset = _dataset(make_dataset, [f"P{i}" for i in range(8)])
    fold = Fold(name="test", train=("S0", "S1", "S2", "S3", "S4"), test=("S5", "S6", "S7"))
    result = too_few_patients(dataset, folds=[fold])
    assert result.status == "fail"
    assert result.statistic == 3
    assert "of 8 in all" in result.message


def test_no_slide_fails_with_a_message(make_dataset):
    result = too_few_patients(make_dataset(samples=[]))
    assert result.status == "fail"
    assert "0 patients" in result.message


def test_the_message_says_what_cannot_be_claimed(make_dataset):
    dataset = _dataset(make_dataset, ["A", "B"])
    assert "population claim" in too_few_patients(dataset).message
    assert "in all" not in too_few_patients(dataset).message
    assert "claim: exploratory" not in too_few_patients(dataset, claim="exploratory").message
