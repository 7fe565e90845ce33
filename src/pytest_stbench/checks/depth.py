"""Q12: genes whose pattern is that of the total count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_matrix

from pytest_stbench.checks.measured import Measured, on_measured, tested
from pytest_stbench.checks.result import (
    CheckResult,
    Finding,
    conclude,
    limited,
    nothing_to_judge,
    over,
    worst_slide,
)
from pytest_stbench.checks.sample import class_codes, sample_units
from pytest_stbench.checks.wording import count, percent
from pytest_stbench.extend import check
from pytest_stbench.kernels.group_variance import variance_between
from pytest_stbench.kernels.sparse_ranks import spearman_with

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.checks.measured import Measured
    from pytest_stbench.data.slide import Slide

BLOCK_ELEMENTS = 1 << 22
MAX_PC_GENES = 500
STRONG = 0.5
ROUNDING = 1e-9
NOTHING_VARIES = "no tested slide has a gene and a total count that vary"
READ = "read `partial_pearson_gene` or `partial_spearman_gene` beside the score"
NORMALISE = "normalise (`log1p_cp10k`, `log1p_median`) and add `partial_pearson_gene` to `metrics:`"


@check(
    "Q12",
    severity="warn/fail",
    scope="dataset",
    reasons={
        "warn_median": "normalised values of genes that a tenth of the spots has: 0.22 (0.10 to 0.46)",
        "fail_median": "raw log counts reach 0.63 (0.41 to 0.79), normalised ones never 0.5",
        "max_strong": "a tenth of the genes may be tied to cellularity by their biology",
    },
    checklist=("S10",),
    source="Andersson et al. 2021",
    after=("missing_coords", "class_imbalance"),
)
@on_measured
def library_size_confounding(
    measured: Measured,
    *,
    depth_adjusted: bool = False,
    warn_median: float = 0.3,
    fail_median: float = 0.5,
    max_strong: float = 0.1,
) -> CheckResult:
    """Do the evaluated genes follow a programme, and not the total count of the unit?

    Per tested slide (at most 5,000 units) the absolute Spearman correlation of each evaluated
    gene, on the task's scale, with the total count. The slide with the highest median decides;
    it is the statistic. Above `fail_median` it fails, unless a metric adjusted for depth is
    declared (`depth_adjusted`); above `warn_median` it warns, and so does a slide where more
    than `max_strong` of the genes are above 0.5.

    ``details`` give, without a verdict, the correlation of the first principal component with the
    total count and the share of the variance of log counts that lies between niches.
    """
    medians: dict[str, float] = {}
    strong: dict[str, float] = {}
    components: dict[str, float | None] = {}
    niches: dict[str, float | None] = {}
    worst_genes: dict[str, tuple[str, ...]] = {}
    for name, slide, columns in tested(measured):
        part = sample_units(slide)
        strength = follows_depth(measured, part, columns)
        defined = strength[np.isfinite(strength)]
        if not len(defined):
            continue
        medians[name] = round(float(np.median(defined)), 9)
        strong[name] = float((defined > STRONG).mean())
        names = np.asarray(part.genes).astype(str)[columns]
        worst_genes[name] = tuple(names[np.lexsort((names, -np.nan_to_num(strength)))][:20].tolist())
        components[name] = _first_component(measured, part, columns[:MAX_PC_GENES])
        niches[name] = _between_niches(part)
    if not medians:
        return nothing_to_judge(NOTHING_VARIES, "check which slides the splits test")
    findings = [
        *_deep(medians, worst_genes, warn_median, fail_median, depth_adjusted=depth_adjusted),
        *over(
            {name: share for name, share in strong.items() if share > max_strong + ROUNDING},
            lambda slide: f"{percent(strong[slide])} of the evaluated genes of slide {slide} correlate with "
            f"the total count above {STRONG:g}",
            READ if depth_adjusted else NORMALISE, warn=max_strong, genes=worst_genes,
        ),
    ]  # fmt: skip
    return conclude(
        findings,
        passed=f"median Spearman of the evaluated genes with the total count at most "
        f"{max(medians.values()):.2f} ({count(len(medians), 'slide')})",
        statistic=max(medians.values()),
        threshold=warn_median,
        details={
            "median": medians,
            "strong": strong,
            "first_component": components,
            "depth_between_niches": niches,
        },
    )


def _deep(
    medians: Mapping[str, float],
    genes: Mapping[str, tuple[str, ...]],
    warn: float,
    fail: float,
    *,
    depth_adjusted: bool,
) -> list[Finding]:
    """Return the slides whose genes follow the total count; no failure where scores are adjusted for it."""
    broken = limited(max(medians.values()), warn=warn, fail=fail)
    if broken is None:
        return []
    status, limit = broken
    adjusted = " although a metric adjusted for depth is scored" if depth_adjusted else ""
    return worst_slide(
        {name: value for name, value in medians.items() if value > min(warn, fail)},
        lambda slide: f"the evaluated genes of slide {slide} follow the total count of the unit: median "
        f"Spearman {medians[slide]:.2f} ({limit:g} allowed){adjusted}",
        READ if depth_adjusted else NORMALISE,
        limit, status="warn" if depth_adjusted else status, genes=genes,
    )  # fmt: skip


def follows_depth(measured: Measured, slide: Slide, columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the absolute Spearman correlation of some genes with the total count of the unit, (g,).

    On the task's scale; nan where the gene or the total does not vary.
    """
    found = np.empty(len(columns))
    width = max(1, BLOCK_ELEMENTS // max(slide.n_units, 1))
    for start in range(0, len(columns), width):
        values = measured.values(slide, columns[start : start + width])
        found[start : start + width] = spearman_with(csc_matrix(values), slide.libsize)
    return np.abs(found)


def _first_component(measured: Measured, slide: Slide, columns: NDArray[np.intp]) -> float | None:
    """Return the absolute Spearman correlation of the first component with the total count."""
    from scipy.linalg import eigh

    values = measured.values(slide, columns)
    values = values - values.mean(axis=0)
    last = values.shape[1] - 1
    _, axis = eigh(values.T @ values, subset_by_index=[last, last])
    found = spearman_with(np.round(values @ axis, 9), slide.libsize)[0]
    return round(abs(float(found)), 6) if np.isfinite(found) else None


def _between_niches(slide: Slide) -> float | None:
    """Return eta2 of log total counts over the niches of the slide, None with fewer than two."""
    codes, classes = class_codes(slide.labels.get("niche", np.full(slide.n_units, None)))
    there = (codes >= 0) & (slide.libsize > 0)
    if len(classes) < 2 or there.sum() < 2:
        return None
    found = variance_between(np.log(slide.libsize[there])[:, None], codes[there], len(classes))[0]
    return round(float(found), 6) if np.isfinite(found) else None
