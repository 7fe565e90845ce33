from __future__ import annotations

import pytest

from pytest_stbench.checks import patient_leakage, too_few_patients
from pytest_stbench.checks.local_ids import is_bare, shared_by_studies
from pytest_stbench.splits.table import Fold, Sample


def _two_studies(first="patient 1", second="Patient 1", column="title", **more):
    return [
        Sample(slide="L1", patient=first, extra={column: "lung"}, **more),
        Sample(slide="L2", patient="patient 2", extra={column: "lung"}, **more),
        Sample(slide="C1", patient=second, extra={column: "colon"}, **more),
        Sample(slide="C2", patient="patient 3", extra={column: "colon"}, **more),
    ]


@pytest.mark.parametrize("patient", ["patient 1", "P1", "P01", "1", "A", "Donor-7", "case_3"])
def test_ids_that_every_study_gives(patient):
    assert is_bare(patient)


@pytest.mark.parametrize("patient", ["TCGA-AB-1234", "her2st:A", "NCBI784", "Miller", None, "", "unknown"])
def test_ids_of_one_study(patient):
    assert not is_bare(patient)


@pytest.mark.parametrize("column", ["title", "DOI", "study_title", "pmid", "dataset"])
def test_one_bare_id_in_two_studies_may_be_two_people(make_dataset, column):
    samples = _two_studies(column=column)
    (finding,) = shared_by_studies(samples)
    assert finding.status == "warn"
    assert set(finding.slides) == {"L1", "C1"}
    assert "may be different people" in finding.text
    result = too_few_patients(make_dataset(samples=samples))
    assert result.statistic == 3
    assert "may be different people" in result.findings[1].text


@pytest.mark.parametrize(
    "samples",
    [
        _two_studies(corpus="HEST"),
        _two_studies("TCGA-1", "TCGA-1"),
        _two_studies("patient 1", "patient 4"),
        _two_studies(column="comment"),
        # each slide has a title of its own: it names slides, not studies
        [Sample(slide=f"S{i}", patient="P1", extra={"title": f"section {i}"}) for i in range(4)],
        [Sample(slide=f"S{i}", patient="P1", extra={"title": "one study"}) for i in range(4)],
        [Sample(slide=f"S{i}", patient=f"P{i // 2}") for i in range(4)],
    ],
)
def test_nothing_speaks_for_several_studies(samples):
    assert shared_by_studies(samples) == []


def test_a_leak_by_a_bare_id_says_how_to_tell_studies_apart():
    fold = Fold(name="test", train=("L1", "L2"), test=("C1", "C2"))
    result = patient_leakage([fold], _two_studies())
    assert result.status == "fail"
    assert "column `corpus`" in result.fix
    named = patient_leakage([fold], _two_studies("TCGA-1", "TCGA-1"))
    assert "give them different ids" in named.fix
