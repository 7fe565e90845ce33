"""Q14 and Q28: genes chosen without regard to space, and slides without any spatial pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.measured import MIN_DETECTION, GeneChoice, Measured, on_measured
from pytest_stbench.checks.result import (
    CheckResult,
    Finding,
    conclude,
    limited,
    nothing_to_judge,
    unjudged,
    worst_slide,
)
from pytest_stbench.checks.sparsity import ROUNDING, spatial_p
from pytest_stbench.checks.wording import count, percent, ranked
from pytest_stbench.extend import check
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.checks.measured import GeneChoice, Measured
    from pytest_stbench.data.slide import Slide

MAX_TESTED = 500
"""Genes tested on a slide: enough for the threshold to stand at its floor."""

CHANCE = 0.05
CHANCE_VARIANCE = 0.0475
WHOLE_PANEL = 0.5
DECIMALS = 9


@check(
    "Q14",
    severity="warn/fail",
    scope="dataset",
    reasons={
        "warn_overlap": "variable genes share 20 to 23 of 50 after a detection filter, 11 to 15 before",
        "fail_overlap": "genes of the plainest variance share 5 of 50",
        "chance_factor": "half more than as many random genes of the panel share",
        "whole_transcriptome": "below it a list is a good part of the panel and overlaps by chance",
    },
    checklist=("S8",),
    source="Andersson et al. 2021",
    after=("missing_coords", "task_truth_coverage"),
)
@on_measured
def hvg_not_svg(
    measured: Measured,
    *,
    warn_overlap: float = 0.3,
    fail_overlap: float = 0.1,
    chance_factor: float = 1.5,
    whole_transcriptome: int = 1000,
) -> CheckResult:
    """Do the evaluated genes vary in space, not only between units?

    Per fold the evaluated genes are compared with as many of the highest mean Moran's I over the
    training slides, among candidates that a tenth of the units of each has. An overlap below
    `warn_overlap` of the list warns, below `fail_overlap` it fails; the worst fold decides and
    its overlap is the statistic. With fewer than `whole_transcriptome` candidates chance alone
    gives k/G, so that less than `chance_factor` times that warns instead. It also fails when the
    median Moran's I of the list (mean over slides) is not above that of all detected genes. A
    list of more than half of the detected candidates chooses nothing and is not judged.
    """
    known = {slide.meta.slide_id: slide for slide in measured.slides()}
    overlaps: dict[str, float] = {}
    medians: dict[str, tuple[float, float]] = {}
    wanted: dict[str, tuple[float, float]] = {}
    misses: dict[str, tuple[str, ...]] = {}
    for choice in measured.choices():
        train = [known[name] for name in choice.train if name in known]
        found = _compare(measured, choice, train)
        if found is None:
            continue
        overlaps[choice.fold], n_detected, *medians_of, misses[choice.fold] = found
        medians[choice.fold] = (medians_of[0], medians_of[1])
        chance = min(1.0, chance_factor * (len(choice.columns) / n_detected))
        targeted = n_detected < whole_transcriptome
        wanted[choice.fold] = (chance, 0.0) if targeted else (warn_overlap, fail_overlap)
    if not overlaps:
        return conclude(
            [],
            passed="the evaluated genes are most of those that the slides detect: nothing was chosen "
            "that could be compared with the spatially variable ones",
        )
    worst = min(overlaps, key=lambda fold: (overlaps[fold] - wanted[fold][0], fold))
    findings = [*_low_overlap(worst, overlaps, wanted, misses), *_low_median(medians, misses)]
    return conclude(
        findings,
        passed=f"{percent(overlaps[worst])} of the evaluated genes or more are among the most spatially "
        f"variable ones ({count(len(overlaps), 'fold')})",
        statistic=overlaps[worst],
        threshold=wanted[worst][0],
        details={
            "overlap": overlaps,
            "median_moran_of_list": {fold: pair[0] for fold, pair in medians.items()},
            "median_moran_of_detected": {fold: pair[1] for fold, pair in medians.items()},
        },
    )


def _compare(
    measured: Measured, choice: GeneChoice, train: Sequence[Slide]
) -> tuple[float, int, float, float, tuple[str, ...]] | None:
    """Return overlap, detected candidates, median Moran's I of list and of all, and genes not shared.

    None where the list is most of what there is to choose from, or nothing has a Moran's I.
    """
    if not train:
        return None
    table = np.stack([measured.morans_i(slide) for slide in train])
    defined = np.isfinite(table)
    absent = np.stack([~slide.measured for slide in train])
    detection = np.stack([measured.detection(slide) for slide in train])
    seen: NDArray[np.bool_] = np.logical_and.reduce(absent | (detection >= MIN_DETECTION - ROUNDING), axis=0)
    pool = choice.candidates[seen[choice.candidates] & np.logical_or.reduce(defined)[choice.candidates]]
    k = len(choice.columns)
    if not len(pool) or not k or k > WHOLE_PANEL * len(pool):
        return None
    mean = _column_means(table[:, pool])
    symbols = np.asarray(train[0].genes).astype(str)
    best = pool[np.lexsort((symbols[pool], -np.round(mean, DECIMALS)))[:k]]
    shared = np.isin(choice.columns, best)
    of_list = [_median(row[choice.columns]) for row in table]
    of_all = [_median(row) for row in table]
    return (
        float(shared.mean()),
        len(pool),
        round(_mean(of_list), DECIMALS),
        round(_mean(of_all), DECIMALS),
        tuple(sorted(symbols[choice.columns[~shared]].tolist())),
    )


def _low_overlap(
    fold: str,
    overlaps: dict[str, float],
    wanted: dict[str, tuple[float, float]],
    misses: dict[str, tuple[str, ...]],
) -> list[Finding]:
    warn, fail = wanted[fold]
    overlap = overlaps[fold]
    broken = limited(overlap, warn=warn, fail=fail, below=True)
    if broken is None:
        return []
    status, limit = broken
    return [
        Finding(
            status=status,
            text=f"{percent(overlap)} of the evaluated genes of fold {fold} are among the most spatially "
            f"variable ones ({percent(limit)} wanted)",
            fix="choose genes by `select: svg`: genes that vary without a pattern in space cannot be learned "
            "from tissue",
            statistic=overlap,
            threshold=limit,
            genes=misses[fold],
        )
    ]


def _low_median(medians: dict[str, tuple[float, float]], misses: dict[str, tuple[str, ...]]) -> list[Finding]:
    low = sorted(
        (fold for fold, (listed, everything) in medians.items() if listed <= everything),
        key=lambda fold: (medians[fold][0] - medians[fold][1], fold),
    )
    if not low:
        return []
    listed, everything = medians[low[0]]
    return [
        Finding(
            status="fail",
            text=f"the evaluated genes of fold {low[0]} have less spatial pattern (median Moran's I "
            f"{listed:.3f}) than all detected genes ({everything:.3f})",
            fix="choose genes by `select: svg`, or write why genes without a pattern are evaluated",
            statistic=listed,
            threshold=everything,
            genes=misses[low[0]],
        )
    ]


@check(
    "Q28",
    severity="warn/fail",
    scope="dataset",
    reasons={
        "min_share": "shuffled sections have 4.5% to 5.7%, real ones 14% to 59%",
        "warn_factor": "the poorest of 36 good sections has 14%, just above 12%",
        "max_p": "by chance 5% of the genes reach it",
    },
    checklist=("S8",),
    source="Andersson et al. 2021",
    after=("missing_coords", "panel_split"),
)
@on_measured
def no_spatial_signal(
    measured: Measured, *, min_share: float = 0.08, warn_factor: float = 1.5, max_p: float = 0.05
) -> CheckResult:
    """Do genes have a spatial pattern on every slide?

    Of the genes that a tenth of the units has (at most 500 of them, at most 5,000 units) the share
    with an add-one permutation p of Moran's I up to `max_p` is compared with
    b = max(`min_share`, 0.05 + 3 sqrt(0.0475 / g)) for g genes: below b fails, below `warn_factor`
    times b warns. The slide that is furthest below decides; its share is the statistic.
    """
    shares: dict[str, float] = {}
    bounds: dict[str, float] = {}
    untested: list[str] = []
    for slide in measured.slides():
        name = slide.meta.slide_id
        p = spatial_p(measured, slide, _tested(measured, slide))
        p = p[np.isfinite(p)]
        if not len(p):
            untested.append(name)
            continue
        shares[name] = float((p <= max_p + ROUNDING).mean())
        bounds[name] = max(min_share, CHANCE + 3 * float(np.sqrt(CHANCE_VARIANCE / len(p))))
    margins = {name: shares[name] / bounds[name] for name in shares}
    findings = _unpatterned(shares, bounds, margins, warn_factor)
    findings += unjudged(
        untested, lambda slides: f"{count(len(slides), 'slide')} without a gene to test (a gene in a tenth "
        "of the units, 20 units with neighbours)",
        "check coordinates and depth of these slides",
    )  # fmt: skip
    if not shares and not untested:
        return nothing_to_judge("no unit of any slide can be looked at", "check `preprocess.filter`")
    lowest = min(margins, key=lambda name: (margins[name], name), default=None)
    return conclude(
        findings,
        passed=f"{percent(min(shares.values(), default=0.0))} of the genes of a slide or more have a spatial "
        f"pattern, chance gives 5% ({count(len(shares), 'slide')})",
        statistic=None if lowest is None else shares[lowest],
        threshold=None if lowest is None else warn_factor * bounds[lowest],
        details={"patterned": shares, "wanted": bounds},
    )


def _unpatterned(
    shares: Mapping[str, float], bounds: Mapping[str, float], margins: Mapping[str, float], warn_factor: float
) -> list[Finding]:
    """Return the slides with too few patterned genes: those that fail, else those that warn."""
    low = {name: margin for name, margin in margins.items() if margin < warn_factor}
    failed = {name: margin for name, margin in low.items() if margin < 1}
    named = ranked({name: -margin for name, margin in (failed or low).items()})
    if not named:
        return []
    worst = named[0]
    limit = bounds[worst] * (1 if failed else warn_factor)
    return worst_slide(
        failed or low,
        lambda slide: f"{percent(shares[slide])} of the genes of slide {slide} have a spatial pattern; "
        f"chance gives 5%, and {percent(limit)} are wanted",
        "check that coordinates and counts belong to the same units (join them by name), "
        "else leave the slide out",
        limit, status="fail" if failed else "warn", lowest=True, statistic=shares[worst],
    )  # fmt: skip


def _tested(measured: Measured, slide: Slide) -> NDArray[np.intp]:
    """Return detected genes, at most ``MAX_TESTED`` of them, the same for any order of genes."""
    detected = np.flatnonzero(measured.detection(slide) >= MIN_DETECTION - ROUNDING)
    if len(detected) <= MAX_TESTED:
        return detected
    by_name = detected[np.argsort(np.asarray(slide.genes).astype(str)[detected], kind="stable")]
    return np.sort(by_name[stream(0, "tested genes").sample(len(by_name), MAX_TESTED)])


def _column_means(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the defined values of each column; every column has one."""
    defined = np.isfinite(table)
    mean: NDArray[np.float64] = np.where(defined, table, 0.0).sum(axis=0) / defined.sum(axis=0)
    return mean


def _median(values: NDArray[np.float64]) -> float:
    defined = values[np.isfinite(values)]
    return float(np.median(defined)) if len(defined) else float("nan")


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")
