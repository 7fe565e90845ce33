"""Published benchmarks whose metadata alone tell what is wrong, typed as small facts."""

from __future__ import annotations

import pytest

from pytest_stbench.checks import (
    metadata_missing,
    missing_coords,
    panel_mismatch,
    patient_leakage,
    split_within_slide,
    too_few_patients,
)
from pytest_stbench.checks.table import SampleTable
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.splits.table import Fold, Sample


def table(rows, **config):
    return SampleTable(
        name="toy",
        samples=rows,
        config=DatasetSpec(source="h5ad", **config) if config else DatasetSpec(source="h5ad"),
    )


# Slides and patients of tasks of HEST-Benchmark (v1.1.0); a blank id is counted as its own patient.
HEST_TASKS = {"PRAD": (23, 2), "SKCM": (2, 2), "READ": (4, 2), "LUAD": (2, 2), "COAD": (4, 2), "PAAD": (3, 3)}


@pytest.mark.parametrize("task", HEST_TASKS)
def test_a_task_of_at_most_three_patients_cannot_carry_a_claim(task):
    slides, patients = HEST_TASKS[task]
    rows = [Sample(slide=f"S{i}", patient=f"patient {i % patients}") for i in range(slides)]
    result = too_few_patients(table(rows))
    assert (result.status, result.statistic) == ("fail", patients)
    assert too_few_patients(table(rows), claim="exploratory").status == "warn"


def test_one_slide_in_validation_and_test():
    validation, test = ("TENX117",), ("TENX117",)
    result = split_within_slide([Fold(name="validation", train=validation, test=test)], ())
    assert (result.status, result.slides) == ("fail", ("TENX117",))
    rows = [Sample(slide="TENX117", patient="patient 1")]
    assert patient_leakage([Fold(name="f", train=validation, test=test)], rows).status == "fail"


def test_sections_of_a_patient_of_legacy_st_on_both_sides():
    rows = [
        Sample(slide=s, patient=s[0], technology="Spatial Transcriptomics") for s in ("A1", "A2", "B1", "B2")
    ]
    fold = Fold(name="by section", train=("A1", "B1"), test=("A2", "B2"))
    result = patient_leakage([fold], rows, grouped=False)
    assert (result.status, result.statistic) == ("fail", 2)


def test_two_gene_universes_in_one_task():
    numbers = {f"INT{i}": 17943 if i < 8 else 36601 for i in range(24)}
    rows = [Sample(slide=s, patient=s, extra={"nb_genes": str(n)}) for s, n in numbers.items()]
    result = panel_mismatch(table(rows, technology="Visium"))
    assert result.status == "warn"
    assert result.statistic == pytest.approx(17943 / 36601)
    assert len(result.slides) == 8
    assert "17,943 to 36,601" in result.message
    even = [Sample(slide=s.slide, extra={"nb_genes": "36601"}) for s in rows]
    assert panel_mismatch(table(even)).status == "skip"


def test_more_genes_than_the_panel_has():
    genes = tuple(f"G{i}" for i in range(343))
    row = Sample(slide="NCBI856", extra={"nb_genes": "541"})
    result = panel_mismatch(SampleTable(name="lung", samples=[row], panels={"NCBI856": genes}))
    assert result.status == "warn"
    assert "541" in result.message
    assert "343" in result.message
    right = Sample(slide="NCBI856", extra={"nb_genes": "343"})
    assert panel_mismatch(SampleTable(name="l", samples=[right], panels={"NCBI856": genes})).status == "pass"


@pytest.mark.parametrize(
    ("pitch", "status"), [("58", "fail"), ("100", "skip"), ("nan", "skip"), ("", "skip")]
)
def test_a_spacing_of_58_um_where_the_technology_has_100(pitch, status):
    row = Sample(slide="S", technology="Visium", resolution="spot", extra={"inter_spot_dist_um": pitch})
    result = missing_coords(table([row]))
    assert result.status == status
    if status == "fail":
        assert result.statistic == pytest.approx(0.58)


def test_blank_patients_of_a_catalogue():
    rows = [
        Sample(slide=f"S{i}", patient=None if i < 835 else f"p{i}", technology="Visium", panel="wta",
               resolution="spot")
        for i in range(1229)
    ]  # fmt: skip
    result = metadata_missing(table(rows))
    assert result.status == "fail"
    assert "patient is empty on 835 of 1,229 slides" in result.message
