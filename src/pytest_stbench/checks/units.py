"""Q06: units that hold nothing, and units that gather what lies in no unit: far deeper than all others."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.result import CheckResult, Finding, conclude, over, unjudged, worst_slide
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import count, on_slides, percent, some
from pytest_stbench.extend import check
from pytest_stbench.spec.defaults import MIN_UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.spec.model import FilterSpec

MIN_COUNTS: Mapping[str, int] = MappingProxyType({name: counts for name, (counts, _) in MIN_UNIT.items()})


@check(
    "Q06",
    severity="fail",
    scope="dataset",
    reasons={
        "warn_share": "her2st sections have 0.6% (median) to 3% of their spots below 200 counts",
        "fail_share": "a third of background spots is a failed array or a missing tissue mask",
        "min_counts": "log-normalised values of shallower units are noise; bins are as small as cells",
        "max_depth_ratio": "the deepest unit of 45 real slides has at most 2.6 times the next's counts",
        "max_held": "what holds less moves no score by itself",
    },
    checklist=("S9", "S10"),
    source="Andersson et al. 2021",
    after=("controls_in_matrix",),
)
def empty_units(
    dataset: Subject,
    *,
    unit_filter: FilterSpec | None = None,
    warn_share: float = 0.1,
    fail_share: float = 0.3,
    min_counts: Mapping[str, int] = MIN_COUNTS,
    max_depth_ratio: float = 20,
    max_held: float = 0.01,
) -> CheckResult:
    """How many units are background, and does the filter leave any empty one?

    A unit with more than `max_depth_ratio` times the counts of the next deepest that holds more than
    `max_held` of all counts of its slide gathers what lies in no unit and fails, also where some such
    units (up to one in a hundred) stand above the same gap.

    Before the filter the share of units below `min_counts` of the resolution (spot 200,
    xisium 50, bin, cell and transcript 10) warns above `warn_share` and fails above `fail_share`; the worst
    slide decides and is the statistic. After the filter (`unit_filter`; what it leaves open is
    the default of the resolution) any unit with zero counts fails, and so does a slide of which
    no unit is left. Slides of unknown resolution cannot be judged.
    """
    limits = dict(min_counts)
    shares: dict[str, float] = {}
    unknown: list[str] = []
    least: dict[str, int] = {}
    deep: dict[str, tuple[str, ...]] = {}
    held: dict[str, float] = {}
    left: dict[str, tuple[int, int]] = {}
    for slide in dataset.slides():
        name = slide.meta.slide_id
        deep[name], held[name] = gathering(slide, max_depth_ratio, max_held)
        resolution = slide.meta.resolution or dataset.config.resolution
        if resolution not in limits or not slide.n_units:
            unknown.append(name)
            continue
        totals = as_numbers(slide.libsize)
        least[name] = limits[resolution]
        shares[name] = float((~(totals >= least[name])).mean())
        kept = _kept(slide, totals, resolution, limits, unit_filter)
        left[name] = int(kept.sum()), int((kept & ~(totals > 0)).sum())
    findings = [
        *gathered(deep, held, max_depth_ratio, max_held),
        *_after_filter(left),
        *_shallow(shares, least, warn_share, fail_share),
        *unjudged(
            unknown, lambda slides: f"no units, or no known resolution, on {on_slides(slides)}",
            f"write `resolution:` ({', '.join(limits)}) under the data set",
        ),
    ]  # fmt: skip
    return conclude(
        findings,
        passed=f"at most {percent(max(shares.values(), default=0.0))} of a slide's units have too few counts "
        f"before the filter, none is empty after it ({count(len(shares), 'slide')})",
        statistic=max(shares.values(), default=None),
        threshold=warn_share,
        details={"below_minimum": shares},
    )


def _shallow(
    shares: Mapping[str, float], least: Mapping[str, int], warn: float, fail: float
) -> list[Finding]:
    return over(
        shares,
        lambda slide: (
            f"{percent(shares[slide])} of the units on {slide} have fewer than {least[slide]:,} counts"
        ),
        "drop units outside the tissue from the files, or leave a failed slide out",
        warn=warn,
        fail=fail,
    )


def _after_filter(left: Mapping[str, tuple[int, int]]) -> list[Finding]:
    """Return the slides on which the filter leaves units without a count, or no unit at all.

    `left` are the numbers of units that pass, and of those among them that are empty.
    """
    empty = {name: zeros for name, (_, zeros) in left.items() if zeros}
    gone = {name: 1 for name, (number, _) in left.items() if not number}
    return [
        *worst_slide(
            empty,
            lambda slide: f"{count(empty[slide], 'unit')} of slide {slide} without a count after the filter",
            "raise `filter: {min_counts: ...}` above 0, or leave it out to get the default",
            statistic=sum(empty.values()),
        ),
        *worst_slide(
            gone,
            lambda slide: f"no unit of slide {slide} passes the filter",
            "leave the slide out, or lower `filter:` if the technology is that shallow",
            statistic=len(gone),
        ),
    ]


def _kept(
    slide: Slide,
    totals: NDArray[np.float64],
    resolution: str,
    limits: Mapping[str, int],
    unit_filter: FilterSpec | None,
) -> NDArray[np.bool_]:
    counts = unit_filter.min_counts if unit_filter else None
    genes = unit_filter.min_genes if unit_filter else None
    least_counts = limits[resolution] if counts is None else counts
    least_genes = MIN_UNIT[resolution][1] if genes is None else genes
    return (totals >= least_counts) & (as_numbers(slide.n_detected) >= least_genes)


MOST = 0.01
"""Share of the units of a slide that may gather: one a field of view, of many."""


def gathering(slide: Slide, ratio: float, share: float) -> tuple[tuple[str, ...], float]:
    """Return the units that gather what is in none, deepest first, and their share of all counts.

    Those above the first gap of more than `ratio` times between a unit and the next deepest, among the
    deepest hundredth of the units (one at least), if together they hold more than `share`.
    """
    totals = as_numbers(slide.libsize)
    totals = np.where(np.isfinite(totals) & (totals > 0), totals, 0.0)
    n = min(len(totals) - 1, max(1, int(MOST * len(totals))))
    if n < 1:
        return (), 0.0
    order = np.argsort(-totals, kind="stable")[: n + 1]
    deep = totals[order]
    gaps = np.flatnonzero(deep[:-1] > ratio * deep[1:])
    if not len(gaps):
        return (), 0.0
    held = float(deep[: gaps[0] + 1].sum() / totals.sum())
    names = np.asarray(slide.unit_names).astype(str)[order[: gaps[0] + 1]]
    return (tuple(names.tolist()), held) if held > share else ((), held)


def gathered(
    units: Mapping[str, tuple[str, ...]], held: Mapping[str, float], ratio: float, share: float
) -> list[Finding]:
    """Return the finding on slides with such units; none without any."""

    def text(slide: str) -> str:
        names = units[slide]
        return (
            f"{count(len(names), 'unit')} of slide {slide} ({some(names)}) "
            f"{'holds' if len(names) == 1 else 'hold'} {percent(held[slide])} of all counts "
            f"({percent(share)} allowed) and over {ratio:g} times those of the next"
        )

    return worst_slide(
        {name: held[name] for name, found in units.items() if found},
        text,
        "that is no cell but what lies in none: leave it out of the files, or mark its transcripts "
        "as in no cell (docs/formats.md says how)",
        share,
    )
