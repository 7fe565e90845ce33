"""The lines of verdicts: FAIL if and only if an item failed."""

from __future__ import annotations

import itertools

import pytest

from pytest_stbench.report.verdicts import several_lines, shown, verdict_lines, verdict_word
from pytest_stbench.results import GateRecord, VerdictRecord

OUTCOMES = ("pass", "fail", "underpowered", "not_evaluable")
WHY = "[XPASS(strict)] known"


def gate(outcome="pass", *, declared=True, worse=False, kind="beats"):
    return GateRecord(
        kind=kind, n=6, outcome=outcome, declared=declared, worse=worse, message=f"it came out {outcome}"
    )


def verdict(word="pass", *gates, gated=True, **changes):
    return VerdictRecord(
        task="t", dataset="d", split="lopo", model="m", metric="spearman_gene", verdict=word, gated=gated,
        gates=gates, message=f"the verdict is {word}", **changes,
    )  # fmt: skip


def words(found, ended=("passed", "")):
    return [word for word, _ in verdict_lines(found, ended)]


@pytest.mark.parametrize("outcomes", list(itertools.product(OUTCOMES, repeat=2)))
def test_a_gated_verdict_says_fail_where_its_item_failed(outcomes):
    gates = [gate(outcome) for outcome in outcomes]
    word = min(outcomes, key=("fail", "not_evaluable", "underpowered", "pass").index)
    ended = "failed" if word == "fail" else "passed"
    found = words(verdict(word, *gates), (ended, ""))
    assert ("FAIL" in found) == (ended == "failed")
    assert len(found) == 2


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("worse", [True, False])
def test_what_is_not_gated_is_described(outcome, worse):
    (word,) = words(verdict(outcome, gate(outcome, declared=False, worse=worse), gated=False))
    assert (
        word
        == {
            "pass": "above",
            "fail": "below" if worse else "level",
            "underpowered": "underpowered",
            "not_evaluable": "not evaluable",
        }[outcome]
    )


def test_what_is_only_shown_beside_a_gate_does_not_fail():
    found = verdict("pass", gate("pass", kind="min"), gate("fail", declared=False))
    assert words(found) == ["PASS", "level"]


def test_an_expected_failure_and_one_that_did_not_come():
    assert words(verdict("fail", gate("fail")), ("xfailed", "")) == ["XFAIL"]
    lines = verdict_lines(verdict("pass", gate("pass")), ("failed", WHY))
    assert lines == [("PASS", "it came out pass"), ("FAIL", WHY)]
    assert verdict_word(verdict("fail", gate("fail")), ("xfailed", "")) == "xfail"
    assert verdict_word(verdict("not_evaluable")) == "not evaluable"


def test_what_holds_a_pass_back_has_a_line():
    held = verdict("fail", gate("pass"))
    assert verdict_lines(held, ("failed", ""))[-1] == ("FAIL", "the verdict is fail")
    assert words(held, ("xfailed", "")) == ["PASS", "XFAIL"]
    assert words(verdict("not_evaluable", gate("pass")), ("failed", "")) == ["PASS", "NOT EVALUABLE"]
    ungated = verdict("not_evaluable", gate("pass", declared=False), gated=False)
    assert verdict_lines(ungated)[-1] == ("but", "the verdict is not_evaluable")


def test_a_reference_fails_only_where_its_item_did():
    assert words(verdict("reference")) == ["REFERENCE"]
    assert words(verdict("reference", same_as=("ridge",)), ("failed", "")) == ["FAIL"]
    assert words(verdict("reference", gated=False)) == ["reference"]


def test_colours():
    assert shown(("FAIL", "x")) == ("FAIL         x", {"red": True})
    assert shown(("NOT EVALUABLE", "x"))[1] == {"yellow": True}
    assert shown(("above", "x")) == ("above        x", {})


def test_holm_speaks_of_passes_alone():
    passed = verdict("pass", gate(), p=0.01, p_holm=0.02, n_holm=2)
    assert several_lines([passed]) == [
        "holm    spearman_gene[m-d-lopo] of t: p 0.01, over 2 models and primary metrics 0.02; it holds"
    ]
    lost = verdict("pass", gate(), p=0.02, p_holm=0.04, n_holm=2)
    assert "0.04; it does not hold: do not pick this one" in several_lines([lost])[0]
    assert several_lines([verdict("fail", gate("fail"), p=0.4, p_holm=0.8, n_holm=2)]) == []
    assert several_lines([verdict("pass", gate(), p=0.01, p_holm=0.01, n_holm=1)]) == []


def test_variants():
    (line,) = several_lines([verdict("pass", gate(), rank_stable=True, kendall_w=0.9)])
    assert line == (
        "ranks   spearman_gene[m-d-lopo] of t: verdict and order against S are the same in every variant, "
        "Kendall's W of the ranks 0.90"
    )
    (line,) = several_lines([verdict("pass", gate(), rank_stable=False)])
    assert "NOT stable, verdict or order against S changes with the variant" in line
    assert "Kendall" not in line
