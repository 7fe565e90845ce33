"""Waivers, changed thresholds and the design checklist in summary and results file."""

from __future__ import annotations

import json

import pytest

PAST, FUTURE = "2020-01-01", "2999-01-01"
SIM = {
    "datasets": {
        "sim": {"params": {"patients": 3, "defects": {"empty_units": 0.2}}},
    },
    "checks": {
        "too_few_patients": {"waive": True, "reason": "pilot", "owner": "Ana", "until": FUTURE},
        "empty_units": {"warn_share": 0.25, "reason": "thin sections", "until": FUTURE},
        "gene_ids": {"waive": True, "reason": "not needed", "until": FUTURE},
    },
}


@pytest.fixture(scope="module")
def judged(make_bench):
    """A run of the checks alone, saved."""
    bench = make_bench("waivers")
    bench.task("mini", SIM)
    run = bench.run("-m", "stbench_check", "--stbench-save=checks.json")
    return run, json.loads((bench.folder / "checks.json").read_text(encoding="utf-8"))


def test_waivers_and_changed_thresholds_are_in_the_summary(judged):
    run, _ = judged
    assert run.code == 0, run.out
    assert f"too_few_patients[sim]  waived by Ana until {FUTURE}: pilot" in run.out
    assert f"empty_units[sim]  warn_share 0.25 instead of 0.1 until {FUTURE}: thin sections" in run.out
    assert "gene_ids[sim]  waiver without effect (pass)" in run.out
    assert "[statistic 3, threshold 3]" in run.line("  WARN  too_few_patients[sim]")


def test_waivers_and_changed_thresholds_are_in_the_results(judged):
    _, stored = judged
    checks = {check["name"]: check for check in stored["checks"]}
    few = checks["too_few_patients"]
    assert (few["waived"], few["status"], few["owner"], few["reason"]) == (True, "warn", "Ana", "pilot")
    assert checks["empty_units"]["changed_thresholds"] == {"warn_share": {"default": 0.1, "set": 0.25}}
    assert checks["gene_ids"]["waiver"]
    assert not checks["gene_ids"]["waived"]


def test_the_design_checklist_is_in_summary_and_results(judged):
    run, stored = judged
    assert "3 patients: no interval" in run.line("  2 sample size")
    assert run.line("  5 splits").split()[2:4] == ["PASS", "lopo"]
    assert [step["step"] for step in stored["checklist"]][:2] == ["resolution", "sample size"]
    assert stored["checklist"][0]["figures"]["area_mm2"] > 0


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("too_few_patients", {"waive": True, "reason": "pilot", "until": PAST}),
        ("empty_units", {"fail_share": 0.5, "reason": "thin sections", "until": PAST}),
    ],
)
def test_what_ended_fails(make_bench, name, change):
    bench = make_bench("ended")
    params = {"patients": 3, "defects": {"empty_units": 0.4}}
    bench.task("mini", {"datasets": {"sim": {"params": params}}, "checks": {name: change}})
    run = bench.run("-m", "stbench_check")
    assert run.outcome(f"{name}[sim]") == "failed"
    assert f"ended on {PAST}" in run.out
