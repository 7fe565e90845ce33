"""Checks, waivers and the design checklist as text."""

from __future__ import annotations

import pytest

from pytest_stbench.report.findings import (
    check_name,
    checklist_lines,
    concession_lines,
    counted,
    figures,
    finding_line,
    further_lines,
)
from pytest_stbench.results.check_record import CheckRecord, FindingRecord
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.results.schema import Results


def check(status="fail", **fields):
    basic = {
        "task": "t", "id": "Q06", "name": "empty_units", "scope": "dataset", "severity": "fail",
        "dataset": "d", "message": "34% of the units are empty: filter them", "fix": "filter them",
        "statistic": 0.34, "threshold": 0.3, "checklist": ("S9",),
    }  # fmt: skip
    return CheckRecord(**{**basic, "status": status, **fields})


def test_a_finding_shows_statistic_threshold_and_fix():
    line = finding_line(check())
    assert line == (
        "empty_units[d]  34% of the units are empty: filter them  [statistic 0.34, threshold 0.3]"
    )


def test_a_fix_that_the_message_lacks_is_added():
    assert "empty: filter them" in finding_line(check(message="34% of the units are empty"))


def several(number):
    return tuple(
        FindingRecord(
            status="fail" if place < 3 else "warn", text=f"found {place}", fix="mend it", statistic=place
        )
        for place in range(number)
    )


def test_all_findings_after_the_gravest_have_a_line():
    assert further_lines(check(), "the file") == []
    assert further_lines(check(findings=several(4)), "the file") == [
        "FAIL  found 1: mend it  [statistic 1]",
        "FAIL  found 2: mend it  [statistic 2]",
        "WARN  found 3: mend it  [statistic 3]",
    ]


def test_text_says_where_it_stops():
    lines = further_lines(check(findings=several(40)), "the file")
    assert len(lines) == 12
    assert lines[-1] == "and 28 more, none of them graver: the file has all"


@pytest.mark.parametrize(
    ("statistic", "threshold", "text"),
    [(None, None, ""), (3, None, "statistic 3"), (12345.6, 0.05, "statistic 12,346, threshold 0.05")],
)
def test_figures(statistic, threshold, text):
    assert figures(check(statistic=statistic, threshold=threshold)) == text


def test_names_and_counts():
    assert check_name(check(split="lopo")) == "empty_units[d-lopo]"
    assert check_name(check(dataset=None)) == "empty_units"
    assert counted([check("warn"), check("warn")]) == "0 passed, 2 warned"


def test_waivers_and_changed_thresholds_are_told_whatever_came_of_them():
    changed = {"fail_share": {"default": 0.3, "set": 0.5}}
    lines = concession_lines(
        [
            check(),
            check("warn", waiver=True, waived=True, reason="known", owner="Ana", until="2027-01-01"),
            check("pass", changed_thresholds=changed, reason="old array"),
            check("fail", waiver=True, reason="known", until="2020-01-01"),
        ]
    )
    assert lines == [
        "empty_units[d]  waived by Ana until 2027-01-01: known",
        "empty_units[d]  fail_share 0.5 instead of 0.3: old array",
        "empty_units[d]  waiver without effect (fail) until 2020-01-01: known",
    ]


def test_the_checklist_has_a_line_for_each_step():
    lines = checklist_lines(checklist_of(Results(checks=(check(),))))
    assert lines[0] == "design checklist  d"
    assert len(lines) == 7
    assert lines[4].endswith("no counts were read  <- empty_units")
    assert "FAIL" in lines[4]
    assert "(no check that answers this was run)" in lines[1]


def test_nothing_to_show_has_no_lines():
    assert checklist_lines(()) == concession_lines([check()]) == []
