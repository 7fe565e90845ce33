"""Q05 and Q06: units that are there twice, or hold nothing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

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
    some,
)
from pytest_stbench.checks.rows import equal_rows
from pytest_stbench.checks.sections import several_sections, signs_on
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.extend import check
from pytest_stbench.spec.thresholds import MIN_UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.spec.model import FilterSpec

MIN_COUNTS: Mapping[str, int] = MappingProxyType({name: counts for name, (counts, _) in MIN_UNIT.items()})
ROUNDING_UM = 1e-6


@check(
    "Q05",
    severity="fail",
    scope="dataset",
    reasons={
        "max_coordinates": "two spots never share a place, cells share one by rounding at most",
        "tolerance_um": "below the precision of every technology",
        "max_identical": "identical vectors above 50 counts do not occur by chance",
        "min_counts": "shallow units are often identical by chance",
    },
    checklist=("S1",),
)
def duplicate_units(
    dataset: Subject,
    *,
    notes: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
    max_coordinates: float = 0.001,
    tolerance_um: float = 0.1,
    max_identical: float = 0.01,
    min_counts: int = 50,
) -> CheckResult:
    """Does every unit stand once: by name, by place, by counts?

    Any repeated name fails; more than `max_coordinates` of the units with another unit within
    `tolerance_um` fail; more than `max_identical` of the units with more than `min_counts` counts
    whose counts equal those of another unit warn. Shares count every unit that has a double, and
    the worst slide decides. Names may repeat between slides.

    A slide that holds several sections fails as well: its units share array positions, or barcodes but
    for what was added when slides were joined, or those of several batches lie among each other (from
    `notes`, which also name the columns that tell them apart).
    """
    names: dict[str, list[str]] = {}
    places: dict[str, float] = {}
    twins: dict[str, float] = {}
    sections: dict[str, dict[str, float]] = {}
    units = n_slides = 0
    for slide in dataset.slides():
        slide_id = slide.meta.slide_id
        n_slides += 1
        sections[slide_id] = signs_on(slide, notes)
        units += slide.n_units
        if not slide.n_units:
            continue
        repeated = _repeated_names(slide)
        if repeated:
            names[slide_id] = repeated
        places[slide_id] = float(_close(as_numbers(slide.xy_um), tolerance_um).mean())
        twins[slide_id] = _identical_share(slide, min_counts)
    if not units:
        finding = Finding(
            status="skip", text="the data set has no unit", fix="check `path:` and the files behind it"
        )
        return conclude([finding], passed="")
    findings = several_sections(sections, notes)
    if names:
        worst = ranked({name: len(repeated) for name, repeated in names.items()})
        findings.append(
            Finding(
                status="fail",
                text=f"{count(len(names[worst[0]]), 'unit name')} more than once on slide {worst[0]} "
                f"({some(names[worst[0]])}){others(worst)}",
                fix="remove the repeated units, or name every unit once",
                statistic=sum(map(len, names.values())),
                threshold=0.0,
                slides=worst,
            )
        )
    findings += over(
        places,
        lambda slide: (
            f"{percent(places[slide])} of the units of slide {slide} lie within {tolerance_um:g} um "
            "of another unit"
        ),
        "remove repeated units, or check whether two sections lie in one coordinate system",
        fail=max_coordinates,
    )
    findings += over(
        twins,
        lambda slide: (
            f"{percent(twins[slide])} of the units of slide {slide} above {min_counts:,} counts "
            "have exactly the counts of another unit"
        ),
        "find out whether spots were copied or imputed, and remove the copies",
        warn=max_identical,
    )
    return conclude(
        findings,
        passed=f"{count(units, 'unit')} on {count(n_slides, 'slide')}, no name twice, "
        f"at most {percent(max(places.values()))} share a place, {percent(max(twins.values()))} their counts",
        statistic=max(places.values()),
        threshold=max_coordinates,
        details={"same_place": places, "same_counts": twins},
    )


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


def _repeated_names(slide: Slide) -> list[str]:
    found, times = np.unique(np.asarray(slide.unit_names).astype(str), return_counts=True)
    return [str(name) for name in found[times > 1]]


def _close(xy: NDArray[np.float64], tolerance_um: float) -> NDArray[np.bool_]:
    """Return which units have another unit within the tolerance, (n,); unknown places have none.

    Units at exactly one place are merged first: a tree of many equal points is slow.
    """
    close = np.zeros(len(xy), dtype=bool)
    if xy.ndim != 2 or xy.shape[1] != 2:  # coordinates are x and y
        return close
    finite = np.flatnonzero(np.isfinite(xy).all(axis=1))
    if len(finite) < 2:  # one unit has no double
        return close
    places, place, times = np.unique(xy[finite], axis=0, return_inverse=True, return_counts=True)
    near = times > 1
    if len(places) > 1:
        # a rounding error of large coordinates must not move a distance of exactly the tolerance
        distance, _ = cKDTree(places).query(places, k=2, distance_upper_bound=tolerance_um + ROUNDING_UM)
        near |= np.isfinite(distance[:, 1])
    close[finite] = near[place.ravel()]
    return close


def _identical_share(slide: Slide, min_counts: int) -> float:
    """Return the share of units above `min_counts` whose counts equal those of another unit."""
    counts = csr_matrix(slide.counts)
    if not counts.has_canonical_format:
        counts = counts.copy()
        counts.sum_duplicates()
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    deep = np.flatnonzero((totals > min_counts) & np.isfinite(totals))
    return float(equal_rows(counts[deep]).mean()) if len(deep) > 1 else 0.0
