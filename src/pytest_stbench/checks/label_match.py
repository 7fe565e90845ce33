"""Q27: labels that do not belong to the units they stand beside."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.classes import LABELS, UNDECIDED
from pytest_stbench.checks.label_signal import beaten_by, coherence
from pytest_stbench.checks.result import (
    CheckResult,
    Finding,
    conclude,
    count,
    on_slides,
    others,
    percent,
    ranked,
    some,
)
from pytest_stbench.checks.subject import known, normalised
from pytest_stbench.data.readers.codes import NOTE as CODES
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject

MIN_CLASS = 5


@check(
    "Q27",
    severity="fail/warn",
    scope="dataset",
    reasons={
        "warn_matched": "a join by name loses nothing; rounding of coordinates loses single units",
        "fail_matched": "a fifth of units without label is a wrong join",
        "max_undetermined": "a score would be of the tissue that is easy to name",
        "min_coherence": "regions are larger than a unit: their kappa is 0.54 to 0.85 on her2st",
    },
    checklist=("S4",),
)
def label_alignment(
    dataset: Subject,
    *,
    label_slides: Collection[str] = (),
    notes: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    warn_matched: float = 0.95,
    fail_matched: float = 0.8,
    max_undetermined: float = 0.3,
    min_coherence: float = 0.3,
) -> CheckResult:
    """Do labels belong to the units they stand beside, and have units their labels?

    On a slide that has labels, fewer than `warn_matched` of the units with one warn and fewer than
    `fail_matched` fail (the statistic, worst slide); slides without any label are not judged.
    The same holds for the rows of a table of labels that name a unit of the slide (from `notes`).
    More than `max_undetermined` of the labels that decide nothing (``undetermined`` ...) warn. A
    table of labels for a slide that the data set does not have (`label_slides`) fails, and so do classes
    that are codes without their names (from `notes`): each file numbers its own.

    Shifted keys leave every unit with a label, of another unit. Labels that explain no more of the
    expression than 95 of 99 random permutations of them (seed 0) warn, and fail where neighbouring units
    share one hardly more often than by chance as well: Cohen's kappa below `min_coherence`, which for a
    ``niche`` warns by itself. Slides with fewer than 50 labelled units are not judged by these.
    """
    matched: dict[str, float] = {}
    undetermined: dict[str, float] = {}
    shuffled: dict[str, float] = {}
    silent: dict[str, float] = {}
    scattered: dict[str, float] = {}
    slides_there: set[str] = set()
    for slide in dataset.slides():
        name = slide.meta.slide_id
        slides_there.add(name)
        for label in LABELS:
            values = slide.labels.get(label)
            if values is None or not slide.n_units:
                continue
            names = [
                str(v) if known(v) and v == v else "" for v in values.tolist()
            ]  # nan differs from itself
            named = np.array([bool(text) for text in names])
            if not named.any():
                continue
            matched[name] = min(matched.get(name, 1.0), float(named.mean()))
            vague = np.array([bool(text) and normalised(text) in UNDECIDED for text in names])
            undetermined[name] = max(undetermined.get(name, 0.0), float(vague.sum() / named.sum()))
            codes = _codes(names, named & ~vague)
            chance = beaten_by(slide, codes)
            kappa = coherence(slide, codes)
            apart = kappa is not None and kappa < min_coherence
            if chance is not None and chance > 0.05:
                unexplained = shuffled if apart else silent
                unexplained[name] = max(unexplained.get(name, 0.0), chance)
            if label == "niche" and kappa is not None and apart:
                scattered[name] = kappa
    orphans = sorted(set(label_slides) - slides_there)
    findings: list[Finding] = []
    if orphans:
        findings.append(
            Finding(
                status="fail",
                text=f"there are labels for {on_slides(orphans)}, and no expression",
                fix="add the slide, or say that it is left out: `labels: {leave_out: "
                f"[{some(orphans, len(orphans))}]}}`",
                statistic=len(orphans),
                threshold=0.0,
                slides=tuple(orphans),
            )
        )
    rows, stray = notes.get("label_rows", {}), notes.get("label_rows_without_unit", {})
    joined = {name: 1 - stray.get(name, 0) / rows[name] for name in slides_there & rows.keys()}
    findings += _nameless(notes)
    findings += _unmatched(matched, warn_matched, fail_matched)
    findings += _unmatched(joined, warn_matched, fail_matched, rows=True)
    findings += _vague(undetermined, max_undetermined)
    findings += _foreign(shuffled, silent, scattered, min_coherence)
    worst = min(matched.values(), default=None)
    return conclude(
        findings,
        passed=f"{count(len(matched), 'slide')} with labels, at least {percent(worst)} of the units matched"
        if worst is not None
        else "no slide has labels",
        statistic=worst,
        threshold=None if worst is None else warn_matched,
        details={"matched": matched, "rows_matched": joined, "undetermined": undetermined},
    )


def _nameless(notes: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """Return the slides whose classes are codes without names, one finding for each kind of label."""
    findings = []
    for note, numbers in sorted(notes.items()):
        slides = ranked({slide: float(n) for slide, n in numbers.items() if n})
        if not note.startswith(CODES) or not slides:
            continue
        label = note.removeprefix(CODES)
        findings.append(
            Finding(
                status="fail",
                text=f"classes of {count(numbers[slides[0]], 'unit')} of slide {slides[0]} are "
                f"codes without names (keys.{label}){others(slides)}: 0 of one file need not be 0 of another",
                fix="write the names of the classes into the files as text; numbers that mean the same in all"
                " files are names too once they are text",
                statistic=sum(numbers.values()),
                threshold=0.0,
                slides=slides,
            )
        )
    return findings


def _unmatched(
    matched: Mapping[str, float], warn_below: float, fail_below: float, *, rows: bool = False
) -> list[Finding]:
    low = ranked({name: 1 - share for name, share in matched.items() if share < max(warn_below, fail_below)})
    if not low:
        return []
    share = matched[low[0]]
    failed = share < fail_below
    limit = fail_below if failed else warn_below
    return [
        Finding(
            status="fail" if failed else "warn",
            text=f"{percent(share)} of the rows of the label table of slide {low[0]} name one of its units "
            f"({percent(limit)} needed){others(low)}"
            if rows
            else f"{percent(share)} of the units of slide {low[0]} have a label ({percent(limit)} needed)"
            f"{others(low)}",
            fix="check how labels and units were joined (names, array index, rounding of coordinates), or "
            "name unlabelled units `undetermined` if that is what they are",
            statistic=share,
            threshold=limit,
            slides=low,
        )
    ]


def _vague(undetermined: Mapping[str, float], limit: float) -> list[Finding]:
    over = ranked({name: share for name, share in undetermined.items() if share > limit})
    if not over:
        return []
    return [
        Finding(
            status="warn",
            text=f"{percent(undetermined[over[0]])} of the labels of slide {over[0]} decide nothing "
            f"({percent(limit)} allowed){others(over)}",
            fix="have the slide annotated further, or leave it out of tasks on labels",
            statistic=undetermined[over[0]],
            threshold=limit,
            slides=over,
        )
    ]


def _foreign(
    shuffled: Mapping[str, float],
    silent: Mapping[str, float],
    scattered: Mapping[str, float],
    min_coherence: float,
) -> list[Finding]:
    findings = []
    fix = "join labels and units by name, not by order or rounded coordinates, and look at one slide"
    for found, status, seem in (
        (shuffled, "fail", " and neighbours hardly share one: they seem to be those of other units"),
        (silent, "warn", ": they may be of another section, or expression has no signal"),
    ):
        if not found:
            continue
        slides = ranked(found)
        findings.append(
            Finding(
                status="fail" if status == "fail" else "warn",
                text=f"labels of slide {slides[0]} explain its expression no better than shuffled ones"
                f"{seem}{others(slides)}",
                fix=fix,
                statistic=found[slides[0]],
                threshold=0.05,
                slides=slides,
            )
        )
    if scattered:
        slides = tuple(sorted(scattered, key=lambda name: (scattered[name], name)))
        findings.append(
            Finding(
                status="warn",
                text=f"neighbouring units of slide {slides[0]} hardly share a niche (kappa "
                f"{scattered[slides[0]]:.2f}, {min_coherence:g} expected at least){others(slides)}",
                fix=fix,
                statistic=scattered[slides[0]],
                threshold=min_coherence,
                slides=slides,
            )
        )
    return findings


def _codes(names: list[str], usable: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the class of each unit as a number, -1 where it has none or the class is too small."""
    codes = np.full(len(names), -1, dtype=np.intp)
    if usable.any():
        _, inverse, times = np.unique(np.array(names)[usable], return_inverse=True, return_counts=True)
        codes[usable] = np.where(times[inverse] >= MIN_CLASS, inverse, -1)
    return codes
