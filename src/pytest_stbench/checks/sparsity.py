"""Q09 and Q10: genes that are seen almost nowhere, or everywhere without a pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.measured import Measured, on_measured, tested
from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge, over
from pytest_stbench.checks.sample import sample_units
from pytest_stbench.checks.wording import count, percent, some
from pytest_stbench.extend import check
from pytest_stbench.kernels.graph import cell_graph
from pytest_stbench.kernels.moran_null import moran_permutation_p

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.checks.measured import Measured
    from pytest_stbench.data.slide import Slide

SMALL_UNITS = frozenset({"cell", "transcript", "bin"})
ROUNDING = 1e-9
BLOCK_ELEMENTS = 1 << 22
MIN_SEEN, MIN_SEEN_SMALL = 0.05, 0.01
"""Share of the units in fewer of which a gene is sparse: of spots, and of cells and bins."""
EVERYWHERE, FLAT = 0.95, 0.05
"""Share of the units in more of which a gene is everywhere, and Moran's I below which it has no pattern."""
UNTESTED = "no slide is tested with a gene that it measured"
FIX = "check which slides the splits test, and `preprocess.genes`"
CHANCE = "raise `genes: {min_detection: ...}`: a correlation over so few units is chance"
DEBRIS = "look at these units for debris or a segmentation error, and leave out units or genes"


@check(
    "Q09",
    severity="warn/fail",
    scope="dataset",
    reasons={
        "min_detection": "12% to 58% of the 50 most variable genes lie below it on a section, "
        "0% to 2% of spatially variable ones",
        "min_detection_cells": "27% to 37% of a targeted panel lie below 5% in cells, 0% to 12% below 1%",
        "warn_share": "twice what remains after choosing by `svg` on other patients",
        "fail_share": "the 50 most variable genes, unfiltered, have 34% on the median section",
        "min_positive": "a correlation over fewer units is decided by one of them",
        "max_few": "2 of 50 genes, immunoglobulins of plasma cells, lie in a few spots of a good section",
        "top_units": "the richest hundredth: a few spots of debris or merged cells",
        "max_top_share": "half of a gene's counts in a hundredth of the units is an artefact",
    },
    checklist=("S9",),
    source="Andersson et al. 2021",
    after=("missing_coords", "housekeeping_only_panel"),
)
@on_measured
def gene_sparsity(
    measured: Measured,
    *,
    min_detection: float = MIN_SEEN,
    min_detection_cells: float = MIN_SEEN_SMALL,
    warn_share: float = 0.1,
    fail_share: float = 0.3,
    min_positive: int = 10,
    max_few: float = 0.05,
    top_units: float = 0.01,
    max_top_share: float = 0.5,
) -> CheckResult:
    """Are the evaluated genes seen in enough units to be tested?

    On every tested slide the share of the evaluated genes that less than `min_detection` of the
    units have (`min_detection_cells` for cells and bins) warns above `warn_share` and fails above
    `fail_share`; the worst slide decides and is the statistic. It warns
    when more than `max_few` of the genes have fewer than `min_positive` positive units, or are
    seen often enough and have more than `max_top_share` of their counts in the `top_units`
    richest units: a few genes of one cell type, such as immunoglobulins, may do so.
    """
    shares: dict[str, float] = {}
    limits: dict[str, float] = {}
    rare: dict[str, tuple[float, tuple[str, ...]]] = {}
    sparse: dict[str, tuple[str, ...]] = {}
    spikes: dict[str, tuple[float, tuple[str, ...]]] = {}
    for name, slide, columns in tested(measured):
        limits[name] = min_detection_cells if slide.meta.resolution in SMALL_UNITS else min_detection
        detection = measured.detection(slide)[columns]
        below = detection < limits[name] - ROUNDING
        shares[name] = float(below.mean())
        sparse[name] = _lowest(slide, columns, detection, below)
        often = columns[detection >= max(min_detection, limits[name]) - ROUNDING]
        top = _top_shares(slide, often, top_units)
        few, spiked = detection * slide.n_units < min_positive - 0.5, top > max_top_share
        most = max_few * len(columns) + ROUNDING
        if few.sum() > most:
            rare[name] = float(few.mean()), _lowest(slide, columns, detection, few)
        if spiked.sum() > most:
            spikes[name] = float(spiked.sum() / len(columns)), _lowest(slide, often, -top, spiked)
    if not shares:
        return nothing_to_judge(UNTESTED, FIX)
    findings = over(
        shares,
        lambda slide: f"{percent(shares[slide])} of the evaluated genes of slide {slide} are seen in fewer "
        f"than {percent(limits[slide])} of its units",
        "choose genes by `select: svg` with `min_detection: 0.1`, or list genes that are expressed",
        warn=warn_share, fail=fail_share, genes=sparse,
    )  # fmt: skip
    findings += _many(rare, f"seen in fewer than {min_positive:,} units", CHANCE, max_few)
    seen = f"counted to {percent(max_top_share)} or more in {percent(top_units)} of the units"
    findings += _many(spikes, seen, DEBRIS, max_few)
    return conclude(
        findings,
        passed=f"at most {percent(max(shares.values()))} of the evaluated genes of a slide are seen in too "
        f"few units ({count(len(shares), 'slide')})",
        statistic=max(shares.values()),
        threshold=warn_share,
        details={"below_detection": shares},
    )


def _many(
    found: Mapping[str, tuple[float, tuple[str, ...]]], seen: str, fix: str, limit: float
) -> list[Finding]:
    """Report slides by the share of the evaluated genes that is `seen` so, and these genes."""
    shares = {slide: share for slide, (share, _) in found.items()}
    genes = {slide: names for slide, (_, names) in found.items()}
    return over(
        shares,
        lambda slide: (
            f"{percent(shares[slide])} of the evaluated genes of slide {slide} are {seen}: "
            f"{some(genes[slide])}"
        ),
        fix,
        warn=limit,
        genes=genes,
    )


def _lowest(
    slide: Slide, columns: NDArray[np.intp], values: NDArray[np.float64], which: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Return the genes `which`, lowest value first, equal ones by name."""
    names = np.asarray(slide.genes).astype(str)[columns[which]]
    return tuple(names[np.lexsort((names, values[which]))].tolist())


def _top_shares(slide: Slide, columns: NDArray[np.intp], top_units: float) -> NDArray[np.float64]:
    """Return the share of each gene's counts that lies in the richest units, (g,)."""
    shares = np.zeros(len(columns))
    k = max(1, int(np.ceil(top_units * slide.n_units - ROUNDING)))
    by_gene = slide.counts.tocsc()
    width = max(1, BLOCK_ELEMENTS // slide.n_units)
    for start in range(0, len(columns), width):
        block = by_gene[:, columns[start : start + width]].toarray().T
        top = np.partition(block, block.shape[1] - k, axis=1)[:, -k:].sum(axis=1, dtype=np.float64)
        total = block.sum(axis=1, dtype=np.float64)
        shares[start : start + width] = np.divide(top, total, out=np.zeros(len(total)), where=total > 0)
    return shares


@check(
    "Q10",
    severity="warn/fail",
    scope="dataset",
    reasons={
        "min_detection": "78 genes of a section (median) exceed it: alone it is no reason to drop a gene",
        "min_moran": "all detected genes of a section have a median of 0.02 to 0.03",
        "max_p": "99 exchanges of places",
        "warn_share": "0% to 10% of genes chosen by `svg` are flagged on a section",
        "fail_share": "a third of genes that a constant predicts makes any error small",
    },
    checklist=("S9", "S8"),
    source="Andersson et al. 2021",
    after=("missing_coords", "housekeeping_only_panel"),
)
@on_measured
def ubiquitous_low_variability(
    measured: Measured,
    *,
    min_detection: float = EVERYWHERE,
    min_moran: float = FLAT,
    max_p: float = 0.05,
    warn_share: float = 0.1,
    fail_share: float = 0.3,
) -> CheckResult:
    """Do evaluated genes that are everywhere vary in space?

    A gene counts on a tested slide when more than `min_detection` of the units have it and its
    Moran's I is below `min_moran`, or is not above what exchanged places give (add-one p above
    `max_p`, 99 exchanges, at most 5,000 units). The share of the evaluated genes warns above
    `warn_share` and fails above `fail_share`; the worst slide decides and is the statistic.
    Detection alone is no fault: HLA, keratins and collagens can be everywhere and vary.
    """
    shares: dict[str, float] = {}
    flat: dict[str, tuple[str, ...]] = {}
    everywhere: dict[str, float] = {}
    for name, slide, columns in tested(measured):
        candidates = columns[measured.detection(slide)[columns] > min_detection + ROUNDING]
        everywhere[name] = len(candidates) / len(columns)
        moran = measured.morans_i(slide)[candidates]
        # Where Moran's I is undefined (too few neighbours) nothing is said of the pattern.
        weak = moran < min_moran
        doubtful = candidates[moran >= min_moran]
        by_chance = spatial_p(measured, slide, doubtful) > max_p
        found = np.concatenate([candidates[weak], doubtful[by_chance]])
        shares[name] = len(found) / len(columns)
        flat[name] = tuple(sorted(np.asarray(slide.genes).astype(str)[found].tolist()))
    if not shares:
        return nothing_to_judge(UNTESTED, FIX)
    findings = over(
        shares,
        lambda slide: (
            f"{percent(shares[slide])} of the evaluated genes of slide {slide} are in nearly every "
            "unit and have no spatial pattern"
        ),
        "choose genes by `select: svg`, or take these genes off the list: a constant fits them",
        warn=warn_share,
        fail=fail_share,
        genes=flat,
    )
    return conclude(
        findings,
        passed=f"at most {percent(max(shares.values()))} of the evaluated genes of a slide are everywhere "
        f"without a spatial pattern ({count(len(shares), 'slide')})",
        statistic=max(shares.values()),
        threshold=warn_share,
        details={"flat": shares, "detected_everywhere": everywhere},
    )


def thresholds_of(slide: Slide) -> tuple[float, float, float]:
    """Return the default thresholds of both checks on a slide.

    The share of the units below which a gene is sparse, that above which it is everywhere, and Moran's I
    below which it has no pattern.
    """
    return MIN_SEEN_SMALL if slide.meta.resolution in SMALL_UNITS else MIN_SEEN, EVERYWHERE, FLAT


def spatial_p(measured: Measured, slide: Slide, columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the permutation p of Moran's I of some genes on a sample of the slide, (g,)."""
    if not len(columns):
        return np.empty(0)
    part = sample_units(slide)
    # A sample of a lattice has few neighbours at one pitch; its nearest units are still near.
    graph = measured.graph(part) if part.n_units == slide.n_units else cell_graph(part.xy_um)
    return moran_permutation_p(measured.values(part, columns), graph)
