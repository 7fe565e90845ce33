from __future__ import annotations

import dataclasses

import pytest

from pytest_stbench.checks.result import CheckResult, Finding, conclude, count, on_slides, percent, some


def _finding(status, text="found", fix="mend it", **more):
    return Finding(status=status, text=text, fix=fix, **more)


def test_no_finding_is_a_pass():
    result = conclude([], passed="all well", statistic=0.1, threshold=0.2)
    assert (result.status, result.message, result.statistic, result.fix) == ("pass", "all well", 0.1, "")


def test_the_gravest_finding_decides():
    findings = [
        _finding("skip", "s"),
        _finding("warn", "w"),
        _finding("fail", "f", statistic=1.0),
        _finding("fail", "g"),
    ]
    result = conclude(findings, passed="")
    assert result.status == "fail"
    assert result.statistic == 1.0
    assert result.message == "f (the gravest of 4 findings): mend it"
    assert [finding.text for finding in result.findings] == ["f", "g", "w", "s"]


def test_messages_stay_short_and_no_finding_is_lost():
    result = conclude([_finding("fail", "x" * 150) for _ in range(9)], passed="")
    assert len(result.message) < 250
    assert len(result.findings) == 9


def test_at_most_twenty_genes():
    result = conclude([_finding("warn", genes=tuple(f"G{i}" for i in range(99)))], passed="")
    assert len(result.genes) == 20


def test_results_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CheckResult(status="pass", message="").status = "fail"


def test_words():
    assert percent(0.3) == "30%"
    assert percent(0.00597) == "0.597%"
    assert count(1, "slide") == "1 slide"
    assert count(1200, "slide") == "1,200 slides"
    assert some(["a"] * 5) == "a, a, a and 2 more"
    assert len(some(["x" * 500])) == 40
    assert on_slides(["A1"]) == "slide A1"
