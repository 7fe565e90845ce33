"""The lines of a verdict: FAIL stands there if and only if an item failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.results.record import GateRecord, VerdictRecord

Ended = tuple[str, str]
"""How the item of a verdict ended (``passed``, ``failed``, ``xfailed``), and what it says."""
Line = tuple[str, str]
PASSED: Ended = ("passed", "")
HOLM_LEVEL = 0.025

_WIDTH = 12
_MARKUP: Mapping[str, Mapping[str, bool]] = {
    "FAIL": {"red": True},
    "UNDERPOWERED": {"yellow": True},
    "NOT EVALUABLE": {"yellow": True},
}


def verdict_lines(verdict: VerdictRecord, ended: Ended = PASSED) -> list[Line]:
    """Return a word and a message for each rule of a verdict.

    Rules of the task file have their outcome in capitals. What the file does not ask for is described:
    `above`, `level` or `below` the reference.
    """
    how, why = ended
    lines = [
        (_word(gate.outcome, how) if gate.declared else _beside(gate), gate.message) for gate in verdict.gates
    ]
    outcomes = {gate.outcome for gate in verdict.gates if gate.declared == verdict.gated}
    if verdict.verdict not in outcomes:
        # Nothing was compared, or something else than the rules decided.
        plain = "but" if verdict.gates else verdict.verdict.replace("_", " ")
        lines.append((_word(verdict.verdict, how) if verdict.gated else plain, verdict.message))
    if how == "failed" and verdict.gated:
        if verdict.verdict == "reference":
            lines[-1] = ("FAIL", verdict.message)
        elif verdict.verdict == "pass":
            lines.append(("FAIL", why))
    return lines


def verdict_word(verdict: VerdictRecord, ended: Ended = PASSED) -> str:
    """Return the word of a gated verdict in a table."""
    if verdict.verdict == "fail" and ended[0] == "xfailed":
        return "xfail"
    return verdict.verdict.replace("_", " ")


def shown(line: Line) -> tuple[str, dict[str, bool]]:
    """Return a line as text, and its colours."""
    word, message = line
    return f"{word:{_WIDTH}} {message}", dict(_MARKUP.get(word, {}))


def _word(outcome: str, how: str) -> str:
    return "XFAIL" if outcome == "fail" and how == "xfailed" else outcome.replace("_", " ").upper()


def _beside(gate: GateRecord) -> str:
    """Return a description of what the file does not ask for: there is nothing to fail."""
    if gate.outcome not in ("pass", "fail"):
        return gate.outcome.replace("_", " ")
    return "above" if gate.outcome == "pass" else "below" if gate.worse else "level"


def several_lines(verdicts: Iterable[VerdictRecord]) -> list[str]:
    """Return what the verdicts of a run tell together: Holm, and stability over variants."""
    found = list(verdicts)
    lines = []
    tested = [v for v in found if v.p_holm is not None and (v.n_holm or 0) > 1]
    passed = [v for v in tested if v.verdict == "pass"]
    for verdict in passed:
        p, adjusted = verdict.p or 0.0, verdict.p_holm or 0.0
        holds = adjusted < HOLM_LEVEL
        rest = "it holds" if holds else "it does not hold: do not pick this one out of the run by it"
        lines.append(
            f"holm    {_place(verdict)}: p {p:.2g}, over {verdict.n_holm} models and primary metrics "
            f"{adjusted:.2g}; {rest}"
        )
    for verdict in found:
        if verdict.rank_stable is None:
            continue
        w = "" if verdict.kendall_w is None else f", Kendall's W of the ranks {verdict.kendall_w:.2f}"
        what = (
            "verdict and order against S are the same in every variant"
            if verdict.rank_stable
            else "NOT stable, verdict or order against S changes with the variant"
        )
        lines.append(f"ranks   {_place(verdict)}: {what}{w}")
    return lines


def _place(verdict: VerdictRecord) -> str:
    return f"{verdict.metric}[{verdict.model}-{verdict.dataset}-{verdict.split}] of {verdict.task}"
