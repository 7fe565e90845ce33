"""Q17: batch correction in what is evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge, worst_slide
from pytest_stbench.checks.subject import known
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import others, percent, ranked
from pytest_stbench.data.column_names import names_correction
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject

TOLERANCE = 1e-3
MAX_GENES = 200
PLAIN = frozenset({"X", "raw", "counts"})
"""Where raw counts stand by custom."""

FIX = "evaluate raw counts (`keys: {counts: ...}`); give a corrected matrix to models as an input at most"

LEAST_EFFECT = 0.01
"""Patients that explain less do not differ: shares of it are chance."""


@check(
    "Q17",
    severity="fail",
    scope="dataset",
    reasons={
        "max_non_integer": "corrected or normalised values are hardly ever whole numbers",
        "min_effect": "normalisation keeps most of the difference between people, correction does not",
    },
    checklist=("S6",),
    after=("class_imbalance",),
)
def batch_corrected_eval(
    dataset: Subject,
    *,
    raw: Callable[[], Subject | None] | None = None,
    max_non_integer: float = 0.01,
    min_effect: float = 0.25,
) -> CheckResult:
    """Is what is evaluated as it was measured, without batch correction?

    Fails when the field they are read from (``keys.counts``) is named after a correction, when values are
    not whole numbers and the file records one, when some are negative, or when, beside the `raw` values
    of the same units (what the function returns, if any), the patients explain less than `min_effect` of
    what they explain there (eta squared, median over up to 200 genes). Whole numbers are held against raw
    ones where the file records a correction or they stand in a layer of another name than ``counts``.
    Values that are no counts and have no raw ones beside them warn: nothing tells how they were made. A
    record of a correction beside whole numbers that show none passes with a note, since counts are what is
    evaluated. The statistic is the largest share of stored values that are negative.
    """
    field = dataset.config.keys.counts
    negative: dict[str, float] = {}
    fractional: dict[str, float] = {}
    units = 0
    for slide in dataset.slides():
        units += slide.n_units
        if slide.counts.dtype.kind in "iub":  # whole numbers need no look at each
            least = slide.counts.data.min(initial=0)
            if least >= 0:
                negative[slide.meta.slide_id] = fractional[slide.meta.slide_id] = 0.0
                continue
        values = as_numbers(slide.counts.data)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        negative[slide.meta.slide_id] = float((values < 0).mean())
        fractional[slide.meta.slide_id] = float((np.abs(values - np.rint(values)) > TOLERANCE).mean())
    if not units:
        return nothing_to_judge("the data set has no unit", "check `path:` and the files behind it")
    recorded = _recorded(dataset)
    odd = {name: share for name, share in fractional.items() if share > max_non_integer}
    findings = _plain_signs(field, recorded, negative, fractional, odd, max_non_integer)
    beside = raw() if raw and not findings and (odd or recorded or field not in PLAIN) else None
    if odd and not findings and beside is None:
        findings.append(_unknown(ranked(odd)))
    elif beside is not None:
        what = f"in the evaluated values ({field!r}{f'; the file records {recorded}' if recorded else ''})"
        slides = ranked(odd or fractional)
        findings += _beside_raw(dataset, beside, slides, min_effect, what, counts=not odd)
    note = f" (the file records {recorded}, which these values do not show)" if recorded else ""
    return conclude(
        findings,
        passed=f"evaluated values are counts as measured{note}",
        statistic=max(negative.values(), default=0.0),
        threshold=0.0,
        details={"negative": negative, "not_whole": fractional, "recorded": recorded},
    )


def _plain_signs(
    field: str,
    recorded: str,
    negative: Mapping[str, float],
    fractional: Mapping[str, float],
    odd: Mapping[str, float],
    max_non_integer: float,
) -> list[Finding]:
    """Return what names, values and records say by themselves."""
    findings = []
    if names_correction(field):
        text = f"the evaluated values are {field!r}, a corrected layer"
        findings.append(Finding(status="fail", text=text, fix=FIX))
    if odd:
        findings += worst_slide(
            {name: share for name, share in negative.items() if share > 0},
            lambda slide: f"{percent(negative[slide])} of the values of slide {slide} are negative and "
            f"{percent(fractional.get(slide, 0.0))} are no whole numbers, as after batch correction "
            "or scaling",
            FIX,
        )  # fmt: skip
    if recorded:
        findings += worst_slide(
            odd,
            lambda slide: f"the file records {recorded}, and the values of slide {slide} are no counts",
            FIX,
            max_non_integer,
        )
    return findings


def _recorded(dataset: Subject) -> str:
    """Return the corrections that the reader found recorded in the files, as text."""
    notes: Mapping[str, object] = getattr(dataset, "notes", {}) or {}
    return ", ".join(sorted(note.removeprefix("records:") for note in notes if note.startswith("records:")))


def _unknown(slides: tuple[str, ...]) -> Finding:
    return Finding(
        status="warn",
        text=f"the values of slide {slides[0]} are no counts and the file has no raw ones beside them: "
        f"whether a correction was applied cannot be told{others(slides)}",
        fix="evaluate raw counts (`keys: {counts: ...}`)",
        slides=slides,
    )


def _beside_raw(
    dataset: Subject,
    raw: Subject,
    slides: tuple[str, ...],
    min_effect: float,
    what: str,
    *,
    counts: bool,
) -> list[Finding]:
    there = _effect(raw, counts=True)
    # Where patients do not differ there is nothing that a correction could take out.
    share = _effect(dataset, counts=counts) / there if there > LEAST_EFFECT else 1.0
    if share >= min_effect:
        return []
    return [
        Finding(
            status="fail",
            text=f"{what} patients explain {percent(share)} of what they explain in the raw counts "
            f"({percent(min_effect)} expected at least): the difference between people was taken out",
            fix=FIX,
            statistic=share,
            threshold=min_effect,
            slides=slides,
        )
    ]


def _effect(dataset: Subject, *, counts: bool) -> float:
    """Return the part of a gene's variance between patients, median over genes that vary."""
    patients = {s.slide: str(s.patient) if known(s.patient) else s.slide for s in dataset.samples}
    by_patient: dict[str, list[NDArray[np.float64]]] = {}
    columns: NDArray[np.intp] | None = None
    for slide in dataset.slides():
        if columns is None:
            columns = np.linspace(0, slide.counts.shape[1] - 1, min(MAX_GENES, slide.counts.shape[1])).astype(
                np.intp
            )
        values = as_numbers(slide.counts[:, columns].toarray())
        if counts:
            total = np.maximum(as_numbers(slide.libsize), 1.0)
            values = np.log1p(1e4 * np.maximum(values, 0) / total[:, None])
        who = patients.get(slide.meta.slide_id, slide.meta.slide_id)
        by_patient.setdefault(who, []).append(np.nan_to_num(values))
    groups = [np.vstack(parts) for parts in by_patient.values()]
    if len(groups) < 2:  # one patient differs from nobody
        return 1.0
    sizes = np.array([len(group) for group in groups])[:, None]
    means = np.array([group.mean(axis=0) for group in groups])
    grand = (sizes * means).sum(axis=0) / sizes.sum()
    between = (sizes * (means - grand) ** 2).sum(axis=0)
    total_ss = sum(((group - grand) ** 2).sum(axis=0) for group in groups)
    varies = total_ss > 1e-12 * sizes.sum()
    return float(np.median(between[varies] / total_ss[varies])) if varies.any() else 0.0
