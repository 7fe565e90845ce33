"""The page of detection rates and false alarms."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pytest_stbench.run.installed import builtin_registry

from . import cases, injections
from .__main__ import main
from .cases import Case, Outcome
from .page import matrix_page, missed


def outcome(defect, level, statuses, *, strength=0.1, refused="", seed=5):
    place = Case(defect=defect, level=level, strength=strength, cohort="spots", seed=seed)
    return Outcome(case=place, statuses=statuses, refused=refused)


OUTCOMES = [
    outcome("", "clean", {"gene_ids": "pass", "empty_units": "warn"}, seed=3),
    outcome("", "clean", {"gene_ids": "fail"}, seed=4),
    outcome("gene_ids", "below", {"gene_ids": "pass"}, strength=0.01),
    outcome("gene_ids", "at", {"gene_ids": "fail", "empty_units": "warn"}, strength=0.03),
    outcome("gene_ids", "at", {"gene_ids": "pass"}, strength=0.03),
    outcome("gene_ids", "above", {"gene_ids": "fail"}, strength=0.5),
    outcome("missing_coords", "above", {}, refused="cannot be read"),
]


@pytest.fixture(scope="module")
def page():
    return matrix_page(OUTCOMES, builtin_registry())


def test_rates_and_alarms_are_counted(page):
    assert "- **Detected**: 3 of 4 defects at or above threshold strength (75%)." in page
    assert "- **False alarms**: 1 failures and 1 warnings" in page
    assert "seeds are between 3 and 5" in page.replace("\n", " ")


def test_a_row_tells_strengths_and_others(page):
    assert "| `gene_ids` | gene_ids | 0.01: 0/1 | 0.03: 1/2 | 0.5: 1/1 | empty_units 1 |" in page
    assert "| `missing_coords` | missing_coords |  |  | 0.1: 1/1 |  |" in page


def test_the_own_check_is_bold(page):
    row = next(line for line in page.splitlines() if line.startswith("| `gene_ids` | ") and "**F**" in line)
    names = [record.name for record in builtin_registry().checks]
    assert row.split(" | ")[1 + names.index("gene_ids")] == "**F**"


def test_clean_cohorts_have_their_alarms(page):
    assert "| 2 | gene_ids 1 | empty_units 1 |" in page


def test_what_is_missed_is_said():
    faults = missed(OUTCOMES, builtin_registry())
    assert faults == [
        "gene_ids fail on a clean cohort (spots, seed 4)",
        "gene_ids did not see gene_ids 0.03 (seed 5)",
    ]


def test_the_command_writes_the_page(tmp_path, monkeypatch):
    small = {"units": 120, "genes": 200}
    few = {"spots": injections.Cohort(summary="spots", params=small, seeds=1, spoilt=1)}
    monkeypatch.setattr(cases, "COHORTS", few)
    out = tmp_path / "m.md"
    done = CliRunner().invoke(main, [str(out), "--defect", "gene_ids.dates", "--jobs", "1"])
    assert done.exit_code == 0, done.output
    assert "2 of 2 defects" in out.read_text()


def test_an_unknown_defect_is_refused(tmp_path):
    done = CliRunner().invoke(main, [str(tmp_path / "m.md"), "--defect", "gene_id"])
    assert done.exit_code == 2
    assert "did you mean 'gene_ids'" in done.output
