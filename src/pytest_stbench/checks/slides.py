"""Q04: one section that stands in a data set twice."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from pytest_stbench.checks.result import CheckResult, Finding, conclude
from pytest_stbench.checks.rows import row_hashes
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import count, others, percent, some
from pytest_stbench.data.align import totals
from pytest_stbench.data.checksums import file_sha256
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide

CELLS = frozenset({"cell", "transcript"})
PLACE_DECIMALS = 1
SAME_PIXEL = 1.0
MIN_DETECTED = 5
"""Units with counts in fewer genes are equal by chance."""

MIN_UNITS = 20
"""Slides of fewer shallow units are equal by chance."""

Pair = tuple[str, str]


class _Photo(NamedTuple):
    """The image file of a slide and where its units lie in it."""

    path: Path
    xy: NDArray[np.float64]


@check(
    "Q04",
    severity="fail",
    scope="dataset",
    reasons={
        "max_identical": "units of two sections do not have equal counts above 50; a fifth is a crop",
        "min_counts": "shallow units are often identical by chance",
    },
    checklist=("S7", "S11"),
    after=("label_alignment",),
)
def slide_leakage(dataset: Subject, *, max_identical: float = 0.2, min_counts: int = 50) -> CheckResult:
    """Is every section there once: no copy, crop or second id of another slide?

    A pair fails when at least `max_identical` of the units of the smaller slide that have more
    than `min_counts` counts have exactly the counts of a unit of the other, when the counts of
    all units are the same in whatever order (20 units or more), when two slides of cells have the
    same names at the same places, or when the units of both lie at the same pixels of the same
    image. Sorted names alone say nothing: barcodes are those of the array.
    Serial sections differ in every unit, so that only patient ids keep them on one side.

    The statistic is the largest share of units with a twin on another slide. A single slide
    cannot be judged.
    """
    ids: list[str] = []
    hashes: list[NDArray[np.uint64]] = []
    copies: dict[str, list[str]] = defaultdict(list)
    cells: dict[str, list[str]] = defaultdict(list)
    photos: dict[str, _Photo] = {}
    for position, slide in enumerate(dataset.slides()):
        name = str(slide.meta.slide_id)
        ids.append(name if name not in ids else f"{name} (row {position + 1})")
        found, whole = _hashes(slide, min_counts)
        hashes.append(found)
        if slide.n_units >= MIN_UNITS:
            copies[whole].append(ids[-1])
        if slide.meta.resolution in CELLS and slide.n_units:
            cells[_places_digest(slide)].append(ids[-1])
        if slide.image is not None and slide.image.path is not None and slide.xy_px is not None:
            photos[ids[-1]] = _Photo(slide.image.path, slide.xy_px)
    if len(ids) < 2:
        return conclude([], passed=f"{count(len(ids), 'slide')}: there is no other one to compare with")
    shares = _shared(ids, hashes)
    twins = {pair: share for pair, share in shares.items() if share >= max_identical}
    twins |= _pairs(copies)
    named = _pairs(cells)
    seen = _same_pixels(photos, max_identical)
    findings = [
        *_finding(twins, max_identical, "of the units of {b} have exactly the counts of a unit of {a}"),
        *_finding(named, max_identical, "of the cells of {b} have names and places of those of {a}"),
        *_finding(seen, max_identical, "of the units of {b} lie where units of {a} lie in the same image"),
    ]
    return conclude(
        findings,
        passed=f"no two of {count(len(ids), 'slide')} share more than "
        f"{percent(max(shares.values(), default=0.0))} of their units",
        statistic=max(shares.values(), default=0.0),
        threshold=max_identical,
        details={"pairs": [[*pair, share] for pair, share in sorted(twins.items())]},
    )


def _finding(pairs: Mapping[Pair, float], threshold: float, text: str) -> list[Finding]:
    if not pairs:
        return []
    ordered = sorted(pairs, key=lambda pair: (-pairs[pair], pair))
    a, b = ordered[0]
    slides = tuple(dict.fromkeys(slide for pair in ordered for slide in pair))
    return [
        Finding(
            status="fail",
            text=f"slides {some(ordered[0])}: {percent(pairs[a, b])} "
            f"{text.format(a=f'slide {a}', b=f'slide {b}')}{others(ordered, 'pair')}",
            fix="keep one slide of each pair: a model that saw one knows the other",
            statistic=pairs[a, b],
            threshold=threshold,
            slides=slides,
        )
    ]


def _pairs(groups: Mapping[str, list[str]]) -> dict[Pair, float]:
    """Return each slide of a group beside the first one."""
    return {(group[0], other): 1.0 for group in groups.values() for other in group[1:]}


def _hashes(slide: Slide, min_counts: int) -> tuple[NDArray[np.uint64], str]:
    """Return one hash for each unit deep enough to be told apart, and one for all units together."""
    counts = csr_matrix(slide.counts)
    if not counts.has_canonical_format:
        counts = counts.copy()
        counts.sum_duplicates()
    size, _ = totals(counts)
    deep = (size > min_counts) & np.isfinite(size) & (np.diff(counts.indptr) >= MIN_DETECTED)
    hashes = row_hashes(counts)
    whole = hashlib.sha256(np.sort(hashes).tobytes()).hexdigest()
    return np.unique(hashes[deep]), whole


def _shared(ids: list[str], hashes: Sequence[NDArray[np.uint64]]) -> dict[Pair, float]:
    """Return for each pair of slides with equal units their share of the smaller one: (larger, smaller)."""
    sizes = [len(found) for found in hashes]
    values = np.concatenate([*hashes, np.empty(0, np.uint64)])
    slide = np.repeat(np.arange(len(ids)), sizes)
    _, unit, times = np.unique(values, return_inverse=True, return_counts=True)
    twice = times[unit] > 1
    member = csr_matrix(
        (np.ones(int(twice.sum())), (slide[twice], unit[twice])), shape=(len(ids), len(times))
    )
    common = (member @ member.T).tocoo()
    found: dict[Pair, float] = {}
    for a, b, number in zip(common.row.tolist(), common.col.tolist(), common.data.tolist(), strict=True):
        if a < b:
            larger, smaller = (a, b) if sizes[a] >= sizes[b] else (b, a)
            found[ids[larger], ids[smaller]] = number / sizes[smaller]
    return found


def _places_digest(slide: Slide) -> str:
    """Return what two slides of the same cells have in common, whatever their order."""
    names = np.asarray(slide.unit_names).astype(str)
    xy = np.round(as_numbers(slide.xy_um), PLACE_DECIMALS) + 0.0
    order = np.argsort(names, kind="stable")
    digest = hashlib.sha256("\n".join(names[order].tolist()).encode())
    digest.update(np.ascontiguousarray(xy[order]).tobytes())
    return digest.hexdigest()


def _same_pixels(photos: Mapping[str, _Photo], max_identical: float) -> dict[Pair, float]:
    """Return pairs of slides whose units lie at the same places of one image, and how many do."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for name, photo in photos.items():
        by_size[photo.path.stat().st_size].append(name)
    by_content: dict[str, list[str]] = defaultdict(list)
    for names in by_size.values():
        # Files of different size are different: only the others are read.
        for name in names if len(names) > 1 else ():
            by_content[file_sha256(photos[name].path, None)].append(name)
    found: dict[Pair, float] = {}
    for names in by_content.values():
        for position, a in enumerate(names):
            for b in names[position + 1 :]:
                larger, smaller = (a, b) if len(photos[a].xy) >= len(photos[b].xy) else (b, a)
                share = _near(photos[larger].xy, photos[smaller].xy)
                if share >= max_identical:
                    found[larger, smaller] = share
    return found


def _near(there: NDArray[np.float64], here: NDArray[np.float64]) -> float:
    there, here = there[np.isfinite(there).all(axis=1)], here[np.isfinite(here).all(axis=1)]
    if not len(there) or not len(here):
        return 0.0
    distance, _ = cKDTree(there).query(here, distance_upper_bound=SAME_PIXEL)
    return float(np.isfinite(distance).mean())
