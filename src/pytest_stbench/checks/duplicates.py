"""Q05: units that are there twice."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from pytest_stbench.checks.result import (
    CheckResult,
    Finding,
    conclude,
    count,
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide


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
    after=("controls_in_matrix",),
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
