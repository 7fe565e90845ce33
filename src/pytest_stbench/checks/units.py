"""Q06: units that hold nothing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_stbench.checks.gathered import gathered, gathering
from pytest_stbench.checks.result import (
    CheckResult,
    Finding,
    conclude,
    count,
    on_slides,
    others,
    over,
    percent,
    ranked,
)
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.extend import check
from pytest_stbench.spec.defaults import MIN_UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
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
    zeros: dict[str, int] = {}
    gone: list[str] = []
    unknown: list[str] = []
    least: dict[str, int] = {}
    deep: dict[str, tuple[str, ...]] = {}
    held: dict[str, float] = {}
    for slide in dataset.slides():
        name = slide.meta.slide_id
        deep[name], held[name] = gathering(slide, max_depth_ratio, max_held)
        resolution = slide.meta.resolution or dataset.config.resolution
        if resolution not in limits or not slide.n_units:
            unknown.append(name)
            continue
        totals = as_numbers(slide.libsize)
        least[name] = limits[resolution]
        shares[name] = float((~(totals >= limits[resolution])).mean())
        kept = _kept(slide, totals, resolution, limits, unit_filter)
        if not kept.any():
            gone.append(name)
        left_empty = int((kept & ~(totals > 0)).sum())
        if left_empty:
            zeros[name] = left_empty
    findings = gathered(deep, held, max_depth_ratio, max_held)
    if zeros:
        worst = ranked(zeros)
        findings.append(
            Finding(
                status="fail",
                text=f"{count(zeros[worst[0]], 'unit')} of slide {worst[0]} without a count after the filter"
                f"{others(worst)}",
                fix="raise `filter: {min_counts: ...}` above 0, or leave it out to get the default",
                statistic=sum(zeros.values()),
                threshold=0.0,
                slides=worst,
            )
        )
    if gone:
        findings.append(
            Finding(
                status="fail",
                text=f"no unit of slide {sorted(gone)[0]} passes the filter{others(gone)}",
                fix="leave the slide out, or lower `filter:` if the technology is that shallow",
                statistic=len(gone),
                threshold=0.0,
                slides=tuple(sorted(gone)),
            )
        )
    findings += over(
        shares,
        lambda slide: (
            f"{percent(shares[slide])} of the units on {slide} have fewer than {least[slide]:,} counts"
        ),
        "drop units outside the tissue from the files, or leave a failed slide out",
        warn=warn_share,
        fail=fail_share,
    )
    if unknown:
        findings.append(
            Finding(
                status="skip",
                text=f"no units, or no known resolution, on {on_slides(sorted(unknown))}",
                fix=f"write `resolution:` ({', '.join(limits)}) under the data set",
                slides=tuple(sorted(unknown)),
            )
        )
    return conclude(
        findings,
        passed=f"at most {percent(max(shares.values(), default=0.0))} of a slide's units have too few counts "
        f"before the filter, none is empty after it ({count(len(shares), 'slide')})",
        statistic=max(shares.values(), default=None),
        threshold=warn_share,
        details={"below_minimum": shares},
    )


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
