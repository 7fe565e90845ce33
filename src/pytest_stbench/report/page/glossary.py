"""The words of a page, explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.run.installed import builtin_registry

if TYPE_CHECKING:
    from collections.abc import Iterable

WORDS = {
    "T": (
        "The trivial baseline: what is scored without learning anything about the unit, such as the mean "
        "of the training data."
    ),
    "S": (
        "The simple learned baseline of the family: what a small model reaches in seconds. A model that "
        "does not beat it adds nothing by this metric."
    ),
    "ceiling": (
        "What the noise of the truth allows at most: a model that knew the tissue perfectly would score "
        "this. A dash where it is not estimated."
    ),
    "skill": (
        "(value - S) / (ceiling - S): 0 is as good as S, 1 is the ceiling, below 0 is worse than S. Where "
        "there is no ceiling there is no skill."
    ),
    "interval": (
        "A nominal 95% interval over patients. Below four patients there is none, with four or five it is "
        "approximate. The interval of skill is that of the paired difference to S, in units of ceiling - S."
    ),
    "rank": (
        "Place among the models and baselines that were given the same kind of input, on the same version "
        "of the task and the same data. The places in brackets are those that the patients do not rule "
        "out: pairs are compared patient by patient, after Holm, and with fewer than six patients nothing "
        "is ruled out."
    ),
    "pass": "The rule of the task file is met, with its margin, by the bound over patients.",
    "fail": "The rule is not met: not shown to be met is enough.",
    "underpowered": "There are too few patients to decide the rule. It is no pass.",
    "reference": (
        "The model is one of the baselines that it would be held against: the rule says nothing on it."
    ),
    "not evaluable": "No patient has a value, or a check held the score back.",
    "no gate": "The task file does not gate this metric for release: nothing fails by it.",
    "variant": "The same task with one setting changed, such as the resolution or the normalisation.",
    "Kendall's W": (
        "Agreement of the ranks of models and baselines over variants: 1 is one order in all of them, 0 "
        "is none."
    ),
    "check": (
        "A test of the data, the split or the task that needs no model. `fail` holds scores back where "
        "the check says so, `warn` does not, `skip` could not be judged."
    ),
    "input class": (
        "What a model is given: the image, the expression of other genes, or another technology. Models "
        "of different classes answer different questions and are never ranked together."
    ),
    "patient": (
        "The unit that counts: slides of one patient are averaged first, so that nobody counts twice."
    ),
    "control": (
        "The predictions of the model, spoilt on purpose (units shuffled, depth alone): a metric on which "
        "it scores like the model does not measure what it should."
    ),
}


def of_checks() -> dict[str, str]:
    """Return the words of a page without scores."""
    return {word: WORDS[word] for word in ("check", "patient", "variant")}


def glossary_of(metrics: Iterable[str]) -> dict[str, str]:
    """Return the words of the page, then its metrics with what they measure."""
    records = builtin_registry().metrics
    known = {name: record for name in sorted(set(metrics)) if (record := records.get(name)) is not None}
    direction = {"up": "higher is better", "down": "lower is better", "context": "gives context"}
    return {
        **WORDS,
        **{
            name: f"{record.summary.rstrip('.')} ({direction[record.better]})."
            for name, record in known.items()
        },
    }
