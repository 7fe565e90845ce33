"""``stbench check`` on published sheets and folders: what their READMEs and the field's facts predict."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main

DATA = Path(os.environ.get("STBENCH_DATA", "nowhere"))
PATIENTS = {
    "IDC": (4, "warn"), "PRAD": (2, "fail"), "PAAD": (3, "fail"), "SKCM": (2, "fail"), "COAD": (1, "fail"),
    "READ": (2, "fail"), "ccRCC": (24, "pass"), "LUAD": (2, "fail"), "IDC_LymphNode": (4, "warn"),
}  # fmt: skip
"""Known patients of each HEST-Benchmark task; one COAD slide has no id and is nobody in particular."""


def check(*arguments):
    done = CliRunner().invoke(main, ["check", *map(str, arguments), "--format", "json"])
    assert done.exit_code in (0, 1), done.output
    return json.loads(done.stdout)


def needs(*parts):
    path = DATA.joinpath(*parts)
    return pytest.mark.skipif(not path.exists(), reason=f"set STBENCH_DATA to a folder with {parts[0]}")


@needs("hest_catalogue")
def test_patients_of_the_tasks_of_hest_benchmark():
    sheet = DATA / "hest_catalogue" / "hest_bench_tasks.csv"
    stored = check(sheet, "--by", "oncotree", "--select", "too_few_patients")
    found = {c["task"]: (c["statistic"], c["status"]) for c in stored["checks"]}
    assert found == PATIENTS


@needs("hest_catalogue")
def test_slides_of_the_catalogue_without_a_patient():
    stored = check(DATA / "hest_catalogue" / "hest_samples.csv", "--select", "metadata_missing")
    assert "patient is empty on 949 of 1,229 slides" in stored["checks"][0]["message"]


@needs("xenium_panels")
def test_a_slide_in_validation_and_test():
    sheet = DATA / "xenium_panels" / "hescape_samples.csv"
    stored = check(sheet, "--by", "panel", "--select", "split_within_slide,patient_leakage")
    within = {c["task"]: c for c in stored["checks"] if c["name"] == "split_within_slide"}
    assert [task for task, c in within.items() if c["status"] == "fail"] == ["human_skin"]
    assert within["human_skin"]["slides"] == ["TENX117"]
    leaks = {c["task"]: c["status"] for c in stored["checks"] if c["name"] == "patient_leakage"}
    assert {task for task, status in leaks.items() if status == "pass"} == {
        "human_breast",
        "human_lung_healthy",
    }


@needs("st_breast_layers")
def test_layers_of_one_patient_claim_nothing():
    stored = check(DATA / "st_breast_layers" / "*.h5ad")
    status = {c["name"]: c["status"] for c in stored["checks"]}
    assert status["too_few_patients"] == "fail"
    assert {status[name] for name in ("normalised_not_counts", "missing_coords", "duplicate_units")} == {
        "pass"
    }
    assert stored["checklist"][1]["figures"]["patients"] == 1
