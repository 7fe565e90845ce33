"""Verdicts in words: one plain sentence each, its numbers those of the results file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.report.page.render import Number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.report.page.sources import Source
    from pytest_stbench.results.record import GateRecord, VerdictRecord

Part = str | Number
ORDER = ("fail", "underpowered", "not_evaluable", "pass", "reference")
MEANS = {
    "pass": "passes its gate",
    "fail": "does not pass its gate",
    "underpowered": "cannot be decided with these patients",
    "not_evaluable": "could not be evaluated",
    "reference": "is itself a baseline of the rule, so there is nothing to compare it with",
}


@dataclass(frozen=True, slots=True)
class VerdictInWords:
    """A verdict as the page says it: the word, its sentence in parts, and the record's own message."""

    source: Source
    verdict: VerdictRecord
    word: str
    parts: tuple[Part, ...]

    @property
    def gated(self) -> bool:
        """Whether a release gate judged it."""
        return self.verdict.gated

    @property
    def place(self) -> str:
        """Where it holds: data set, variant and split."""
        v = self.verdict
        return ", ".join(part for part in (v.dataset, v.variant, v.split) if part)


def verdicts_of(sources: Iterable[Source]) -> list[VerdictInWords]:
    """Return the verdicts of all files: gates first, failures before passes."""
    found = [
        VerdictInWords(
            source, verdict, verdict.verdict if verdict.gated else "no gate", tuple(_sentence(source, i))
        )
        for source in sources
        for i, verdict in enumerate(source.results.verdicts)
    ]
    return sorted(found, key=lambda said: (not said.verdict.gated, ORDER.index(said.verdict.verdict)))


def headline(found: Sequence[VerdictInWords]) -> str:
    """Return what came of the gates in one sentence."""
    gated = [said.verdict.verdict for said in found if said.verdict.gated]
    if not found:
        return "No model was scored: this page is about data alone."
    if not gated:
        return "No score carried a release gate: what follows describes the models and judges none of them."
    words = {
        "fail": "failed",
        "underpowered": "could not be decided",
        "not_evaluable": "could not be evaluated",
        "reference": "held a baseline against itself",
        "pass": "passed",
    }
    parts = [f"{gated.count(word)} {text}" for word, text in words.items() if word in gated]
    gates = "gate" if len(gated) == 1 else "gates"
    return f"Of {len(gated)} release {gates}, {_joined(parts)}."


def _sentence(source: Source, place: int) -> Iterable[Part]:
    verdict = source.results.verdicts[place]
    yield f"{verdict.model} "
    if verdict.gated or verdict.verdict in ("reference", "not_evaluable"):
        yield MEANS[verdict.verdict]
    else:
        yield f"was not gated on {verdict.metric}"
    gates = [
        (i, gate)
        for i, gate in enumerate(verdict.gates)
        if gate.declared == verdict.gated or not verdict.gated
    ]
    for number, (i, gate) in enumerate(gates):
        yield ": " if not number else "; "
        yield from _rule(gate, source, f"verdicts.{place}.gates.{i}")
    yield "."
    if verdict.rank_stable is False:
        yield " The verdict, or the order against S, changes with the variant of the task."


def _rule(gate: GateRecord, source: Source, path: str) -> Iterable[Part]:
    def number(name: str) -> Number:
        return Number(getattr(gate, name), f"{source.number}:{path}.{name}")

    estimate = number("estimate")
    reference = gate.reference or "its reference"
    if gate.kind in ("beats", "not_worse_than", "min_patient_difference"):
        what = "at least as good as" if gate.kind == "not_worse_than" else "better than"
        if gate.kind == "min_patient_difference":
            yield f"the patient with the smallest gain over {reference} has "
            yield estimate
            if gate.threshold is not None:
                yield ", and at least "
                yield number("threshold")
                yield " is asked"
            return
        yield {
            "pass": f"{what} {reference}",
            "fail": f"worse than {reference}" if gate.worse else f"not shown to be {what} {reference}",
            "underpowered": f"whether it is {what} {reference} cannot be told",
            "not_evaluable": f"there is nothing to compare with {reference}",
        }[gate.outcome]
        if gate.estimate is not None:
            yield " (difference "
            yield estimate
            yield f" on average over {gate.n} patients"
            if gate.low is not None and gate.margin is not None:
                yield ", lower bound "
                yield number("low")
                yield "; more than "
                yield number("margin")
                yield " is asked"
            yield ")"
        return
    subject, asked = {
        "min": ("the mean is ", "at least "),
        "max": ("the mean is ", "at most "),
        "min_lower": ("the lower bound of the mean is ", "at least "),
        "min_patient": ("the worst patient has ", "at least "),
    }[gate.kind]
    yield subject
    yield number("low") if gate.kind == "min_lower" else estimate
    if gate.threshold is not None:
        yield f", {asked}"
        yield number("threshold")
        yield " is asked"
    if gate.outcome == "underpowered":
        yield ", which cannot be decided with so few patients"


def _joined(parts: Sequence[str]) -> str:
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"
