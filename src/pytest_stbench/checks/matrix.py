"""Q08 and Q23: matrices that hold no counts, or values that are no numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.result import MAX_GENES, CheckResult, conclude, nothing_to_judge, worst_slide
from pytest_stbench.checks.subject import is_whole_transcriptome
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import count, percent
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide

BLOCK = 4_000_000
MIN_UNITS_CV = 10
FIX = "point `keys: {counts: ...}` at the layer with raw counts; the suite normalises by itself"


@check(
    "Q08",
    severity="fail",
    scope="dataset",
    reasons={
        "tolerance": "counts stored as float32 are exact; a correction for rounding needs no more",
        "max_non_integer": "a few corrected values are tolerable, a scaled matrix has nearly none",
        "min_max_count": "log1p values stay below 15; some gene exceeds 20 counts on a real slide",
        "min_units": "with few units no gene need reach 20 counts",
        "min_library_cv": "totals of real units vary manyfold; equal totals are a normalisation",
    },
    checklist=("S5",),
    skip_fails=True,
    after=("gene_ids",),
)
def normalised_not_counts(
    dataset: Subject,
    *,
    tolerance: float = 1e-3,
    max_non_integer: float = 0.01,
    min_max_count: float = 20,
    min_units: int = 500,
    min_library_cv: float = 0.01,
) -> CheckResult:
    """Does the count matrix hold raw counts, not log or normalised values?

    Fails per slide when more than `max_non_integer` of the non-zero values are further than
    `tolerance` from an integer; when the largest value of a whole-transcriptome slide with more
    than `min_units` units is below `min_max_count`; or when the library sizes of at least 10
    units vary by a coefficient below `min_library_cv`. Values that are not finite are left to
    ``nonfinite_negative``. The statistic is that of the worst slide; without any non-zero value
    the check cannot be computed.
    """
    shares: dict[str, float] = {}
    maxima: dict[str, float] = {}
    low_max: dict[str, float] = {}
    equal: dict[str, float] = {}
    for slide in dataset.slides():
        name = slide.meta.slide_id
        share, largest = _integers(slide, tolerance)
        if share is None:
            continue
        shares[name], maxima[name] = share, largest
        if _is_whole(dataset, slide) and slide.n_units > min_units and largest < min_max_count:
            low_max[name] = largest
        if (variation := _library_cv(slide)) < min_library_cv:
            equal[name] = variation
    if not shares:
        fix = "check which layer holds the raw counts (`keys: {counts: ...}`)"
        return nothing_to_judge("no slide has a count that is not zero", fix)
    findings = [
        *worst_slide(
            {name: share for name, share in shares.items() if share > max_non_integer},
            lambda slide: f"{percent(shares[slide])} of the non-zero values of slide {slide} are not whole "
            "numbers", FIX, max_non_integer,
        ),
        *worst_slide(
            low_max,
            lambda slide: f"the largest count of slide {slide} is {low_max[slide]:.3g}, below "
            f"{min_max_count:g}, which looks like log values", FIX, min_max_count, lowest=True,
        ),
        *worst_slide(
            equal,
            lambda slide: f"all units of slide {slide} have the same total (coefficient of variation "
            f"{equal[slide]:.3g}, below {min_library_cv:g})", FIX, min_library_cv, lowest=True,
        ),
    ]  # fmt: skip
    return conclude(
        findings,
        passed=f"whole numbers on {count(len(shares), 'slide')}, largest count {max(maxima.values()):g}",
        statistic=max(shares.values()),
        threshold=max_non_integer,
        details={"non_integer_share": shares, "largest": maxima},
    )


def _integers(slide: Slide, tolerance: float) -> tuple[float | None, float]:
    """Return the share of non-integers among finite non-zeros (None without any) and the maximum."""
    total = broken = 0
    largest = -np.inf
    for values in _blocks(slide.counts.data):
        block = values[np.isfinite(values) & (values != 0)]
        if block.size:
            total += block.size
            broken += int(np.count_nonzero(np.abs(block - np.rint(block)) > tolerance))
            largest = max(largest, float(block.max()))
    return (broken / total if total else None), largest


def _is_whole(dataset: Subject, slide: Slide) -> bool:
    n_genes = len(dataset.panels.get(slide.meta.slide_id, ()))
    return is_whole_transcriptome(slide.meta.panel_id or dataset.config.panel, n_genes)


def _library_cv(slide: Slide) -> float:
    """Return the coefficient of variation of the positive library sizes, infinite for few units."""
    totals = as_numbers(slide.libsize)
    totals = totals[np.isfinite(totals) & (totals > 0)]
    return float(totals.std() / totals.mean()) if totals.size >= MIN_UNITS_CV else np.inf


@check("Q23", severity="fail", scope="dataset", checklist=("S5",), skip_fails=True)
def nonfinite_negative(dataset: Subject) -> CheckResult:
    """Are all counts and coordinates finite, and no count negative?

    Any of them fails; NaN counts are accepted where the data set says ``allow_nan: true`` (they
    are masked in every metric). Negative coordinates are valid positions. The statistic is the
    number of bad values on all slides; a data set without units cannot be judged.
    """
    allow_nan = dataset.config.allow_nan
    bad: dict[str, dict[str, int]] = {}
    genes: dict[str, None] = {}
    units = n_slides = 0
    for slide in dataset.slides():
        n_slides += 1
        units += slide.n_units
        found = _bad_values(slide, allow_nan=allow_nan)
        if found:
            bad[slide.meta.slide_id] = found
            genes.update(dict.fromkeys(_bad_genes(slide, allow_nan=allow_nan)))
    if not units:
        return nothing_to_judge("the data set has no unit", "check `path:` and the files behind it")
    numbers = {name: sum(found.values()) for name, found in bad.items()}
    only_nan = all(set(found) == {"NaN counts"} for found in bad.values())
    findings = worst_slide(
        numbers,
        lambda slide: f"slide {slide} has {', '.join(f'{n:,} {kind}' for kind, n in bad[slide].items())}",
        "export the raw counts again, or write `allow_nan: true` if they were not measured"
        if only_nan
        else "export raw counts and coordinates again: finite numbers, no negative count",
        statistic=sum(numbers.values()),
        genes=dict.fromkeys(numbers, tuple(genes)),
    )
    return conclude(
        findings,
        passed=f"all counts and coordinates of {count(n_slides, 'slide')} are finite, no count is negative",
        statistic=0.0,
        threshold=0.0,
        details={"bad": bad},
    )


def _bad_values(slide: Slide, *, allow_nan: bool) -> dict[str, int]:
    found = dict.fromkeys(("NaN counts", "infinite counts", "negative counts"), 0)
    for block in _blocks(slide.counts.data):
        found["NaN counts"] += 0 if allow_nan else int(np.isnan(block).sum())
        found["infinite counts"] += int(np.isinf(block).sum())
        found["negative counts"] += int((block < 0).sum())
    xy = as_numbers(slide.xy_um)
    found["NaN coordinates"] = int(np.isnan(xy).sum())
    found["infinite coordinates"] = int(np.isinf(xy).sum())
    if not any(found.values()):
        totals = as_numbers(slide.libsize)
        wrong = np.isinf(totals) | (totals < 0) | (np.isnan(totals) & (not allow_nan))
        found["bad totals over genes outside the data set's list"] = int(wrong.sum())
    return {kind: number for kind, number in found.items() if number}


def _bad_genes(slide: Slide, *, allow_nan: bool) -> list[str]:
    numbers = np.zeros(len(slide.genes), dtype=np.int64)
    start = 0
    for block in _blocks(slide.counts.data):
        wrong = np.isinf(block) | (block < 0) | (np.isnan(block) & (not allow_nan))
        columns = slide.counts.indices[start : start + len(block)][wrong]
        numbers += np.bincount(columns, minlength=len(numbers))
        start += len(block)
    worst = np.argsort(-numbers, kind="stable")[:MAX_GENES]
    return [str(gene) for gene in np.asarray(slide.genes)[worst[numbers[worst] > 0]]]


def _blocks(stored: object) -> Iterator[NDArray[np.float64]]:
    values = np.asarray(stored)
    for start in range(0, len(values), BLOCK):
        yield as_numbers(values[start : start + BLOCK])
