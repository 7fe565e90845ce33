"""Q19: units that are not what they are said to be, or differ between train and test."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.checks.result import CheckResult, Finding, conclude, unjudged, worst_slide
from pytest_stbench.checks.subject import known
from pytest_stbench.checks.values import as_numbers, known_places
from pytest_stbench.checks.wording import count, on_slides, others, percent, ranked, some
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.splits.table import Fold

LATTICES = frozenset({"spot", "xisium", "bin"})
NEAR = 0.2
MIN_UNITS = 20


@check(
    "Q19",
    severity="fail",
    scope="dataset",
    reasons={
        "min_regular": "lattices reach 90% or more even with gaps, cells at most 60%",
        "max_regular": "the distance of a cell to the next varies by a third, that of a spot does not",
    },
    checklist=("S1",),
    after=("controls_in_matrix",),
)
def resolution_mismatch(
    dataset: Subject,
    *,
    allowed: Collection[str] = (),
    min_regular: float = 0.7,
    max_regular: float = 0.9,
) -> CheckResult:
    """Are units what the task is about and what they are declared to be: spots, bins, cells?

    A resolution that is not in `allowed` (empty: the task takes any) fails. So does a slide
    whose units do not stand as declared. Regular is the share of units whose nearest neighbour is
    at the median distance, give or take 20% (the statistic): spots, xisium and bins stand on a
    lattice, so less than `min_regular` fails; cells do not, so more than `max_regular` fails.
    Slides of fewer than 20 units, or without a declared resolution, are not judged by it.
    """
    wrong: dict[str, str] = {}
    regular: dict[str, float] = {}
    scattered: dict[str, float] = {}
    latticed: dict[str, float] = {}
    unknown: list[str] = []
    found: Counter[str] = Counter()
    for slide in dataset.slides():
        name = slide.meta.slide_id
        resolution = slide.meta.resolution or dataset.config.resolution
        if not known(resolution):
            unknown.append(name)
            continue
        found[str(resolution)] += 1
        if allowed and resolution not in allowed:
            wrong[name] = str(resolution)
        share = _regular_share(slide)
        if share is not None:
            regular[name] = share
            if resolution in LATTICES and share < min_regular:
                scattered[name] = share
            if resolution == "cell" and share > max_regular:
                latticed[name] = share
    findings = [
        *_not_asked(wrong, allowed),
        *worst_slide(
            scattered,
            lambda slide: f"units of slide {slide} are declared as a lattice, and only "
            f"{percent(scattered[slide])} have a neighbour at the usual distance "
            f"({percent(min_regular)} needed): they look like cells",
            "declare `resolution: cell`, or check the coordinates", min_regular, lowest=True,
        ),
        *worst_slide(
            latticed,
            lambda slide: f"units of slide {slide} are declared as cells, and {percent(latticed[slide])} "
            "have a neighbour at one same distance: they stand on a lattice, as spots do",
            "declare the resolution they have: `spot`, `xisium` or `bin`", max_regular,
        ),
        *unjudged(
            unknown, lambda slides: f"no resolution is declared for {on_slides(slides)}",
            "write `resolution:` (spot, xisium, bin, cell, transcript) under the data set",
        ),
    ]  # fmt: skip
    least = min(regular.values(), default=None)
    said = ", ".join(f"{count(n, 'slide')} of {name}" for name, n in sorted(found.items())) or "no slide"
    return conclude(findings, passed=said, statistic=least, details={"regular": regular})


def _not_asked(wrong: Mapping[str, str], allowed: Collection[str]) -> list[Finding]:
    if not wrong:
        return []
    slides = tuple(sorted(wrong))
    return [
        Finding(
            status="fail",
            text=f"the task is about {' or '.join(sorted(allowed))}, and the units of {on_slides(slides)} "
            f"are of the resolution {', '.join(sorted(set(wrong.values())))}",
            fix="use data of that resolution, form such units with `bin:`, or choose another family",
            statistic=len(wrong),
            threshold=0.0,
            slides=slides,
        )
    ]


@check(
    "Q19s",
    severity="fail/warn",
    scope="split",
    reasons={
        "across": "this split asks how far a model carries over to another technology",
        "max_ratio": "sections of a study differ tenfold at the extremes, fold medians rarely fivefold",
        "max_pitch": "distortion moves the spacing of a lattice by less than 20%",
    },
    checklist=("S1",),
    after=("controls_in_matrix",),
)
def resolution_split(
    folds: Sequence[Fold],
    subject: Subject,
    *,
    split: str = "",
    across: Collection[str] = ("lotech",),
    max_ratio: float = 5.0,
    max_pitch: float = 0.2,
) -> CheckResult:
    """Are training and test units of one kind, spacing and depth?

    Other resolutions in test than in train fail, and so do several within one of them, unless the split is
    meant for that (`across`). Spacing of lattices that differs by more than `max_pitch`, and a median count
    per unit that differs more than `max_ratio` times, warn. Folds within a slide are not judged.
    """
    judged = [fold for fold in folds if not fold.within and fold.train and fold.test]
    if not judged:
        return conclude([], passed="no fold has training and test slides of their own")
    resolutions: dict[str, str] = {}
    depths: dict[str, float] = {}
    spacings: dict[str, float] = {}
    for slide in subject.slides():
        name = slide.meta.slide_id
        resolution = slide.meta.resolution or subject.config.resolution
        if known(resolution):
            resolutions[name] = str(resolution)
        total = as_numbers(slide.libsize)
        total = total[np.isfinite(total)]
        if len(total) and np.median(total) > 0:
            depths[name] = float(np.median(total))
        if resolution in LATTICES and (spacing := _spacing(slide)) is not None:
            spacings[name] = spacing
    findings = [] if split in across else _mixed(judged, resolutions)
    ratios = {fold.name: _ratio(fold, depths) for fold in judged}
    findings += _apart(
        ratios, max_ratio, "median counts per unit differ {:.3g} times between training and test",
        "check whether files hold the same kind of counts; leave a failed slide out, or report it apart",
    )  # fmt: skip
    pitches = {fold.name: _ratio(fold, spacings) for fold in judged} if split not in across else {}
    findings += _apart(
        pitches, 1 + max_pitch, "spacing of units differs {:.3g} times between training and test",
        "evaluate spacings as separate data sets, or correct the scale of the coordinates",
    )  # fmt: skip
    worst = max(ratios.values(), default=1.0)
    return conclude(
        findings,
        passed=f"same kind of units in train and test ({count(len(judged), 'fold')}), "
        f"counts per unit at most {worst:.2g} times apart",
        statistic=worst,
        threshold=max_ratio,
        details={"depth_ratio": ratios, "spacing_ratio": pitches},
    )


def _mixed(judged: Sequence[Fold], resolutions: Mapping[str, str]) -> list[Finding]:
    """Report folds whose training and test slides are of several resolutions."""
    parts = [(fold, _of(fold.train, resolutions), _of(fold.test, resolutions)) for fold in judged]
    mixed = [found for found in parts if found[1] and found[2] and len(found[1] | found[2]) > 1]
    if not mixed:
        return []
    # A test part of another resolution says more than a mixture on both sides.
    fold, train, test = min(mixed, key=lambda found: found[2] <= found[1])
    numbers = Counter(resolutions.values())
    usual = max(numbers, key=lambda name: (numbers[name], name))
    return [
        Finding(
            status="fail",
            text=f"fold {fold.name} trains on units of {some(sorted(train))} and tests on "
            f"{some(sorted(test))}{others(mixed, 'fold')}",
            fix="split by technology (`lotech`) if that is the question, form one kind of unit with "
            "`bin:`, or evaluate resolutions as separate data sets",
            statistic=len(mixed),
            threshold=0.0,
            slides=tuple(sorted(slide for slide, name in resolutions.items() if name != usual)),
        )
    ]


def _regular_share(slide: Slide) -> float | None:
    """Return the share of units with a neighbour at the median distance; None where that says nothing."""
    distance = _nearest(slide)
    if distance is None or len(distance) < MIN_UNITS:
        return None
    median = float(np.median(distance))
    return float((np.abs(distance / median - 1) <= NEAR).mean()) if median > 0 else None


def _spacing(slide: Slide) -> float | None:
    distance = _nearest(slide)
    return float(np.median(distance)) if distance is not None and np.median(distance) > 0 else None


def _nearest(slide: Slide) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    xy = known_places(slide)
    if xy is None:
        return None
    distance: np.ndarray[tuple[int], np.dtype[np.float64]] = cKDTree(xy).query(xy, k=2)[0][:, 1]
    return distance


def _of(slides: Collection[str], values: Mapping[str, str]) -> set[str]:
    return {values[slide] for slide in slides if slide in values}


def _ratio(fold: Fold, values: Mapping[str, float]) -> float:
    """Return how many times the medians of train and test differ, 1 or more."""
    train = [values[slide] for slide in fold.train if slide in values]
    test = [values[slide] for slide in fold.test if slide in values]
    if not train or not test:
        return 1.0
    ratio = float(np.median(test) / np.median(train))
    return max(ratio, 1 / ratio)


def _apart(ratios: Mapping[str, float], limit: float, what: str, fix: str) -> list[Finding]:
    names = ranked({name: ratio for name, ratio in ratios.items() if ratio > limit})
    if not names:
        return []
    worst = ratios[names[0]]
    return [
        Finding(
            status="warn",
            text=f"fold {names[0]}: {what.format(worst)} ({limit:g} allowed){others(names, 'fold')}",
            fix=fix,
            statistic=worst,
            threshold=limit,
        )
    ]
