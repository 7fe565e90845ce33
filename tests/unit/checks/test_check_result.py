from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from pytest_stbench.checks.result import (
    CheckResult,
    Finding,
    column,
    conclude,
    limited,
    unjudged,
    worst_slide,
)
from pytest_stbench.checks.wording import count, on_slides, percent, some


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


def test_the_worst_slide_is_named_and_the_others_are_counted():
    values = {"B": 2.0, "A": 2.0, "C": 1.0}
    (found,) = worst_slide(
        values, lambda slide: f"{slide} it is", "mend it", 0.5, tail=": so", genes={"A": ("G",)}
    )
    assert found.text == "A it is (and 2 other slides): so"
    assert (found.status, found.statistic, found.threshold) == ("fail", 2.0, 0.5)
    assert (found.slides, found.genes) == (("A", "B", "C"), ("G",))
    (found,) = worst_slide(values, str, "", status="warn", lowest=True, statistic=9.0)
    assert (found.text, found.statistic, found.slides) == ("C (and 2 other slides)", 9.0, ("C", "A", "B"))
    assert worst_slide({}, str, "") == []


@pytest.mark.parametrize(
    ("value", "below", "expected"),
    [
        (0.1, False, None), (0.2, False, ("warn", 0.1)), (0.3, False, ("warn", 0.1)),
        (0.4, False, ("fail", 0.3)),
        (0.3, True, None), (0.2, True, ("fail", 0.3)),
        (float("nan"), False, None), (float("nan"), True, None),
    ],
)  # fmt: skip
def test_a_value_at_its_limit_keeps_it(value, below, expected):
    assert limited(value, warn=0.1, fail=0.3, below=below) == expected


def test_slides_that_cannot_be_judged_stand_in_order():
    (found,) = unjudged({"B", "A"}, lambda slides: " and ".join(slides), "look")
    assert (found.status, found.text, found.slides) == ("skip", "A and B", ("A", "B"))
    assert unjudged([], "".join, "") == []


def test_a_column_leaves_out_what_is_not_known():
    rows = {"A": SimpleNamespace(depth=1.0), "B": SimpleNamespace(depth=None)}
    assert column(rows, "depth") == {"A": 1.0}
