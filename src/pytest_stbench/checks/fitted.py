"""Q17s: what models are given or asked that was fitted on test slides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_stbench.checks.result import CheckResult, Finding, conclude
from pytest_stbench.checks.subject import known
from pytest_stbench.checks.wording import count, on_slides
from pytest_stbench.data.column_names import names_correction
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.spec.model import DatasetSpec, GenesSpec
    from pytest_stbench.splits.table import Fold, Sample

_EVERYTHING = re.compile(
    r"\b(?:all|every|whole|full)\b[\w ]*\b(?:slides?|samples?|patients?|sections?|cohort|data)\b"
)

_WORDS = re.compile(r"[\w.:-]*\w")
MIN_NAME = 2
"""A single letter is a word of the text more often than the name of a slide."""


@check(
    "Q17s",
    severity="fail/warn",
    scope="split",
    needs="metadata",
    checklist=("S5", "S6"),
    after=("class_imbalance",),
)
def fitted_on_test(
    folds: Sequence[Fold],
    samples: Sequence[Sample] = (),
    *,
    config: DatasetSpec,
    genes: GenesSpec | None = None,
) -> CheckResult:
    """Was nothing that models are given or asked fitted on test slides: embedding, gene list?

    An embedding (``keys.embedding``) named after batch correction was fitted on all slides of its
    file, those of the test part included: fails, even as an input. A list of genes without
    ``provenance`` warns, and so does a provenance that says all slides, or names slides or patients that
    some fold tests: genes chosen with the help of test slides make their scores too good. The statistic
    counts the folds concerned.
    """
    n = sum(bool(fold.train and fold.test) for fold in folds)
    findings: list[Finding] = []
    embedding = config.keys.embedding
    if n and embedding and names_correction(embedding):
        findings.append(
            Finding(
                status="fail",
                text=f"models are given {embedding!r}, an integration fitted on the slides of train and test "
                f"together ({count(n, 'fold')})",
                fix="fit the integration on the training slides of each fold (inside of the model), or waive "
                "this check with the reason that it was",
                statistic=n,
                threshold=0.0,
            )
        )
    if genes is not None and genes.select == "list":
        findings += _chosen_on_test(genes.provenance, folds, samples, n)
    return conclude(
        findings,
        passed=f"nothing given or asked is known to be fitted on test slides ({count(n, 'fold')})",
        statistic=0.0,
        threshold=0.0,
    )


def _chosen_on_test(
    provenance: object, folds: Sequence[Fold], samples: Sequence[Sample], n: int
) -> list[Finding]:
    """Return why a list of genes may have been chosen with the help of test slides."""
    said = str(provenance)
    concerned = n
    slides: tuple[str, ...] = ()
    if not known(provenance):
        text = (
            "the task asks for a list of genes and does not say where it is from: chosen on test slides, it "
        )
        text += "makes scores too good"
        fix = "write `provenance:` (paper, panel, or the slides it was chosen on), or let genes be "
        fix += "chosen on training slides (`select: svg`)"
    elif named := _named(said, folds, samples):
        slides = tuple(sorted(named))
        concerned = sum(bool(named & set(fold.test)) for fold in folds)
        text = f"the list of genes is from {said[:60]!r}, and {count(concerned, 'fold')} test "
        text += f"{on_slides(slides)} of it: scores there are too good"
        fix = "let genes be chosen on training slides (`select: svg` or `hvg`), or "
        fix += "leave these slides out of the test"
    elif _EVERYTHING.search(said.casefold()):
        text = f"the list of genes is from {said[:60]!r}: if test slides are among them, scores are too good"
        fix = "let genes be chosen on the training slides of each fold (`select: svg` or `hvg`)"
    else:
        return []
    return [Finding(status="warn", text=text, fix=fix, statistic=concerned, threshold=0.0, slides=slides)]


def _named(said: str, folds: Sequence[Fold], samples: Sequence[Sample]) -> set[str]:
    """Return the tested slides that a text names by their id or that of their patient."""
    words = set(_WORDS.findall(said))
    patients = {sample.slide: str(sample.patient) for sample in samples if known(sample.patient)}
    tested = {slide for fold in folds if fold.train for slide in fold.test}
    return {
        slide
        for slide in tested
        if any(len(name) >= MIN_NAME and name in words for name in (str(slide), patients.get(slide, "")))
    }
