"""Q27: labels that do not belong to the units they stand beside."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.classes import LABELS, UNDECIDED
from pytest_stbench.checks.label_signal import beaten_by, coherence
from pytest_stbench.checks.result import CheckResult, Finding, conclude, limited, over, worst_slide
from pytest_stbench.checks.subject import known, normalised
from pytest_stbench.checks.wording import count, on_slides, percent, some
from pytest_stbench.data.readers.slide_rows import UNNAMED_CODES as CODES
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide

MIN_CLASS = 5
MAX_P = 0.05
MEASURES = ("matched", "undetermined", "shuffled", "silent", "scattered")
UNEXPLAINED = "explain its expression no better than shuffled ones"


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
    found: dict[str, dict[str, float]] = {name: {} for name in MEASURES}
    matched, undetermined, shuffled, silent, scattered = (found[name] for name in MEASURES)
    slides_there: set[str] = set()
    for slide in dataset.slides():
        slides_there.add(slide.meta.slide_id)
        for label in LABELS:
            if label in slide.labels and slide.n_units:
                _look(slide, label, found, min_coherence)
    rows, stray = notes.get("label_rows", {}), notes.get("label_rows_without_unit", {})
    joined = {name: 1 - stray.get(name, 0) / rows[name] for name in sorted(slides_there & rows.keys())}
    findings = [
        *_orphans(sorted(set(label_slides) - slides_there)),
        *(found for note in sorted(notes) for found in _nameless(note, notes[note])),
        *_unmatched(matched, warn_matched, fail_matched),
        *_unmatched(joined, warn_matched, fail_matched, rows=True),
        *over(
            undetermined,
            lambda slide: f"{percent(undetermined[slide])} of the labels of slide {slide} decide nothing",
            "have the slide annotated further, or leave it out of tasks on labels",
            warn=max_undetermined,
        ),
        *_foreign(shuffled, silent, scattered, min_coherence),
    ]
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


def _look(slide: Slide, label: str, found: Mapping[str, dict[str, float]], min_coherence: float) -> None:
    """Take note of what one kind of label of a slide tells, in the tables `found`, by the worst kind."""
    matched, undetermined, shuffled, silent, scattered = (found[name] for name in MEASURES)
    name = slide.meta.slide_id
    names = [
        str(value) if known(value) and value == value else ""  # nan differs from itself
        for value in slide.labels[label].tolist()
    ]
    named = np.array([bool(text) for text in names])
    if not named.any():
        return
    matched[name] = min(matched.get(name, 1.0), float(named.mean()))
    vague = np.array([bool(text) and normalised(text) in UNDECIDED for text in names])
    undetermined[name] = max(undetermined.get(name, 0.0), float(vague.sum() / named.sum()))
    codes = _codes(names, named & ~vague)
    chance = beaten_by(slide, codes)
    kappa = coherence(slide, codes)
    apart = kappa is not None and kappa < min_coherence
    if chance is not None and chance > MAX_P:
        unexplained = shuffled if apart else silent
        unexplained[name] = max(unexplained.get(name, 0.0), chance)
    if label == "niche" and kappa is not None and apart:
        scattered[name] = kappa


def _orphans(slides: Sequence[str]) -> list[Finding]:
    if not slides:
        return []
    return [
        Finding(
            status="fail",
            text=f"there are labels for {on_slides(slides)}, and no expression",
            fix="add the slide, or say that it is left out: `labels: {leave_out: "
            f"[{some(slides, len(slides))}]}}`",
            statistic=len(slides),
            threshold=0.0,
            slides=tuple(slides),
        )
    ]


def _nameless(note: str, numbers: Mapping[str, int]) -> list[Finding]:
    """Return the slides on which, as a note says, the classes of a kind of label are codes without names."""
    label = note.removeprefix(CODES)
    return worst_slide(
        {slide: float(n) for slide, n in numbers.items() if n and note.startswith(CODES)},
        lambda slide: f"classes of {count(numbers[slide], 'unit')} of slide {slide} are codes without names "
        f"(keys.{label})",
        "write the names of the classes into the files as text; numbers that mean the same in all"
        " files are names too once they are text",
        tail=": 0 of one file need not be 0 of another",
        statistic=sum(numbers.values()),
    )  # fmt: skip


def _unmatched(
    matched: Mapping[str, float], warn_below: float, fail_below: float, *, rows: bool = False
) -> list[Finding]:
    broken = limited(min(matched.values(), default=1.0), warn=warn_below, fail=fail_below, below=True)
    if broken is None:
        return []
    status, limit = broken
    what = (
        "rows of the label table of slide {} name one of its units"
        if rows
        else "units of slide {} have a label"
    )
    return worst_slide(
        {name: share for name, share in matched.items() if share < max(warn_below, fail_below)},
        lambda slide: f"{percent(matched[slide])} of the {what.format(slide)} ({percent(limit)} needed)",
        "check how labels and units were joined (names, array index, rounding of coordinates), or "
        "name unlabelled units `undetermined` if that is what they are",
        limit, status=status, lowest=True,
    )  # fmt: skip


def _foreign(
    shuffled: Mapping[str, float],
    silent: Mapping[str, float],
    scattered: Mapping[str, float],
    min_coherence: float,
) -> list[Finding]:
    fix = "join labels and units by name, not by order or rounded coordinates, and look at one slide"
    return [
        *worst_slide(
            shuffled, lambda slide: f"labels of slide {slide} {UNEXPLAINED} and neighbours hardly share "
            "one: they seem to be those of other units", fix, MAX_P,
        ),
        *worst_slide(
            silent, lambda slide: f"labels of slide {slide} {UNEXPLAINED}: they may be of another section, "
            "or expression has no signal", fix, MAX_P, status="warn",
        ),
        *worst_slide(
            scattered,
            lambda slide: f"neighbouring units of slide {slide} hardly share a niche (kappa "
            f"{scattered[slide]:.2f}, {min_coherence:g} expected at least)",
            fix, min_coherence, status="warn", lowest=True,
        ),
    ]  # fmt: skip


def _codes(names: list[str], usable: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the class of each unit as a number, -1 where it has none or the class is too small."""
    codes = np.full(len(names), -1, dtype=np.intp)
    if usable.any():
        _, inverse, times = np.unique(np.array(names)[usable], return_inverse=True, return_counts=True)
        codes[usable] = np.where(times[inverse] >= MIN_CLASS, inverse, -1)
    return codes
