"""Q05: units that are there twice, and several sections in what is called one slide."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge, over, worst_slide
from pytest_stbench.checks.rows import equal_rows
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import count, percent, ranked, some
from pytest_stbench.data.align import totals
from pytest_stbench.data.readers.slide_rows import APART, LIBRARIES, SIGN
from pytest_stbench.data.sections import MAX_TWICE, signs_of_sections
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
        if slide.n_units:
            names[slide_id] = _repeated_names(slide)
            places[slide_id] = float(_close(as_numbers(slide.xy_um), tolerance_um).mean())
            twins[slide_id] = _identical_share(slide, min_counts)
    if not units:
        return nothing_to_judge("the data set has no unit", "check `path:` and the files behind it")
    findings = several_sections(sections, notes) + _repeated(names)
    findings += over(
        places,
        lambda slide: f"{percent(places[slide])} of the units of slide {slide} lie within {tolerance_um:g} "
        "um of another unit",
        "remove repeated units, or check whether two sections lie in one coordinate system",
        fail=max_coordinates,
    )  # fmt: skip
    findings += over(
        twins,
        lambda slide: f"{percent(twins[slide])} of the units of slide {slide} above {min_counts:,} counts "
        "have exactly the counts of another unit",
        "find out whether spots were copied or imputed, and remove the copies",
        warn=max_identical,
    )  # fmt: skip
    return conclude(
        findings,
        passed=f"{count(units, 'unit')} on {count(n_slides, 'slide')}, no name twice, "
        f"at most {percent(max(places.values()))} share a place, {percent(max(twins.values()))} their counts",
        statistic=max(places.values()),
        threshold=max_coordinates,
        details={"same_place": places, "same_counts": twins},
    )


def _repeated(names: Mapping[str, list[str]]) -> list[Finding]:
    numbers = {slide: len(repeated) for slide, repeated in names.items() if repeated}
    return worst_slide(
        numbers,
        lambda slide: (
            f"{count(numbers[slide], 'unit name')} more than once on slide {slide} ({some(names[slide])})"
        ),
        "remove the repeated units, or name every unit once",
        statistic=sum(numbers.values()),
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
    size, _ = totals(counts)
    deep = np.flatnonzero((size > min_counts) & np.isfinite(size))
    if len(deep) < 2:
        return 0.0
    return float(equal_rows(counts if len(deep) == slide.n_units else counts[deep]).mean())


def signs_on(slide: Slide, notes: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Return the signs that a slide is several sections, with the share of its units that shows each.

    Array positions that are not declared, places and batches are known from the `notes` of reading.
    """
    if not slide.n_units:
        return {}
    names = np.asarray(slide.unit_names).astype(np.str_)
    found = {sign.text: sign.share for sign in signs_of_sections(names, slide.array_index)}
    for note, numbers in notes.items():
        units = numbers.get(slide.meta.slide_id, 0)
        if note.startswith(SIGN) and units:
            found.setdefault(note.removeprefix(SIGN), units / slide.n_units)
    return found


def several_sections(
    signs: Mapping[str, Mapping[str, float]], notes: Mapping[str, Mapping[str, int]]
) -> list[Finding]:
    """Return one finding on the slides that seem to be several sections, another on libraries alone."""
    shares = {slide: max(found.values()) for slide, found in signs.items() if found}
    alone = {slide: float(n) for slide, n in notes.get(LIBRARIES, {}).items() if n and slide not in shares}
    columns = [
        note.removeprefix(APART)
        for note, numbers in notes.items()
        if note.startswith(APART) and any(numbers.get(slide) for slide in ranked(shares)[:1])
    ]
    apart = f"; {some([f'obs[{name!r}]' for name in columns])} tells them apart" if columns else ""

    def seen(slide: str) -> str:
        return ", ".join(f"{percent(share)} {text}" for text, share in signs[slide].items())

    return [
        *worst_slide(
            shares, lambda slide: f"slide {slide} seems to be several sections: {seen(slide)}{apart}",
            f"name the slides by `keys: {{slide: {columns[0]}}}` (--slide {columns[0]})"
            if columns
            else "write the section of each unit into a column of obs: `keys: {slide: COLUMN}`",
            MAX_TWICE,
        ),
        *worst_slide(
            alone, lambda slide: f"uns['spatial'] of slide {slide} has {alone[slide]:.0f} libraries",
            "name the column with the section of each unit by `keys: {slide: ...}`, or remove the "
            "libraries that are not of the slide",
            1.0, status="warn", tail=": it may be several sections",
        ),
    ]  # fmt: skip
