"""The summary of a step of CI: verdicts, checks and ranks as Markdown that no name can break."""

from __future__ import annotations

import dataclasses

from pytest_stbench.report.step_summary import MOST, step_summary
from pytest_stbench.results import Results


def rows(text):
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_failed_gates_stand_first(made):
    results = made(("a", 0.5), ("b", 0.4))
    text = step_summary(results)
    assert text.startswith("## stbench: 2 of 4 gates passed; ")
    verdicts = [line.split(" | ")[0] for line in rows(text) if "cohort-imputation |" in line]
    assert verdicts == ["| fail", "| fail", "| pass", "| pass"]
    assert "- **fail** cohort-imputation: empty\\_units" in text
    assert "### cohort-imputation v2" in text
    assert text.count("<details>") == text.count("</details>") == 1


def test_an_expected_failure_is_called_so(made):
    results = made(("a", 0.5))
    ended = {v.key: ("xfailed", "") for v in results.verdicts if v.verdict == "fail"}
    assert "| xfail | " in step_summary(results, ended)


def test_names_and_messages_break_no_table(made):
    results = made(("a", 0.5))
    verdicts = tuple(
        dataclasses.replace(v, model="x|y", message="one | two\n## three <b>") for v in results.verdicts
    )
    found = [
        line for line in rows(step_summary(dataclasses.replace(results, verdicts=verdicts))) if "x" in line
    ]
    assert len(found) == 2
    assert all("one \\| two ## three \\<b>" in line for line in found)
    assert {line.replace("\\|", "").count("|") for line in found} == {5}


def test_what_the_run_was_compared_with_is_said(made):
    text = step_summary(made(("a", 0.5)), compared=["compare r[d-lopo] with v1.json (a 0.5): lost most"])
    assert "- compare r\\[d-lopo] with v1.json (a 0.5): lost most" in text


def test_of_many_verdicts_the_first_are_listed(made):
    results = made(("a", 0.5))
    (one,) = results.verdicts[:1]
    verdicts = tuple(dataclasses.replace(one, model=f"m{n}") for n in range(MOST + 5))
    text = step_summary(dataclasses.replace(results, verdicts=verdicts))
    assert text.count("| pass | ") == MOST
    assert "and 5 more verdicts" in text


def test_nothing_is_said_to_be_nothing():
    assert step_summary(Results()) == "## stbench: no gate and no check was run\n"
