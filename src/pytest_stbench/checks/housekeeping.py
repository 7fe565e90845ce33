"""Q11: evaluated genes that say nothing of biology."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_stbench.checks.measured import Measured, asked_anywhere, on_measured
from pytest_stbench.checks.result import CheckResult, Finding, conclude, limited, nothing_to_judge
from pytest_stbench.checks.sample import class_codes, sample_units
from pytest_stbench.checks.wording import count, percent
from pytest_stbench.extend import check
from pytest_stbench.kernels.group_variance import variance_between
from pytest_stbench.resources import housekeeping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.checks.measured import Measured
    from pytest_stbench.data.slide import Slide

FAMILIES = re.compile(r"(RPL|RPS(?!6K)|MRPL|MRPS|EEF)\d|RPLP\d|RPSA$|MT-")
"""Ribosomal proteins (not the kinases RPS6K), elongation factors, mitochondrial genes."""

LABELS = ("niche", "cell_type")
MIN_LABELLED = 100
DECIMALS = 9


@check(
    "Q11",
    severity="fail",
    scope="dataset",
    reasons={
        "warn_listed": "standard targeted panels hold 0 to 2 of the 21 genes of the lists",
        "fail_listed": "a score over mostly housekeeping genes says nothing of tissue",
        "min_eta2": "a gene of which niches explain less than a twentieth is no marker of any",
        "min_moran": "the 50 best genes of a section have 0.23 to 0.29, all detected ones 0.02",
        "warn_biology": "most genes chosen for space or from signatures reach it",
        "fail_biology": "about what names alone miss: unlisted genes that are constant in tissue",
    },
    checklist=("S3",),
    after=("missing_coords", "task_truth_coverage"),
)
@on_measured
def housekeeping_only_panel(
    measured: Measured,
    *,
    every_gene: bool = False,
    warn_listed: float = 0.2,
    fail_listed: float = 0.5,
    min_eta2: float = 0.05,
    min_moran: float = 0.1,
    warn_biology: float = 0.3,
    fail_biology: float = 0.1,
) -> CheckResult:
    """Do the evaluated genes differ between tissues, or are they housekeeping?

    Fails when `fail_listed` or more of the genes of a fold are in the housekeeping lists or their
    families (``RPL*``, ``RPS*``, ``MRPL*``, ``EEF*``, ``MT-*``), warns from `warn_listed`. Fails
    when less than `fail_biology` of them show biology, warns below `warn_biology`: they differ
    between niches or cell types (eta2 of at least `min_eta2` after the share that chance gives is
    taken off, mean over slides with 100 labelled units or more) or have a spatial pattern (mean
    Moran's I of at least `min_moran`). The worst fold decides; its share is the statistic. Where a task asks
    for all genes of a whole transcriptome, most of which are rare, few genes with biology are what is asked
    for and warn alone.
    """
    choices = measured.choices()
    union = asked_anywhere(choices)
    names, strength, moran = _looked_at(measured, union)
    if names is None or not len(union):
        return nothing_to_judge("no slide has units and genes to look at", "check `preprocess:`")
    varies = np.round(_mean(moran), DECIMALS) >= min_moran
    if strength:
        varies |= np.round(_mean(strength), DECIMALS) >= min_eta2
    kept = _housekeeping(names[union])
    listed, biology = {}, {}
    for choice in choices:
        places = np.searchsorted(union, choice.columns)
        listed[choice.fold] = float(kept[places].mean())
        biology[choice.fold] = float(varies[places].mean())
    most = max(listed, key=lambda fold: (listed[fold], fold))
    least = min(biology, key=lambda fold: (biology[fold], fold))
    how = "differ between niches or cell types or have a spatial pattern"
    if not strength:
        how = f"have a spatial pattern (Moran's I of {min_moran:g} or more)"
    findings = []
    if listed[most] >= min(warn_listed, fail_listed):
        failed = listed[most] >= fail_listed
        limit = fail_listed if failed else warn_listed
        text = f"are housekeeping genes ({percent(limit)} is the limit)"
        status: Literal["warn", "fail"] = "fail" if failed else "warn"
        findings.append(_finding(status, most, listed, text, limit, names[union[kept]]))
    if broken := limited(
        biology[least], warn=warn_biology, fail=0.0 if every_gene else fail_biology, below=True
    ):
        status, limit = broken
        text = f"{how} ({percent(limit)} wanted)"
        findings.append(_finding(status, least, biology, text, limit, names[union[~varies]]))
    return conclude(
        findings,
        passed=f"{percent(listed[most])} of the evaluated genes are housekeeping genes, "
        f"{percent(biology[least])} or more {how} ({count(len(choices), 'fold')})",
        statistic=listed[most],
        threshold=warn_listed,
        details={"listed": listed, "biology": biology, "labelled_slides": len(strength)},
    )


def _looked_at(
    measured: Measured, columns: NDArray[np.intp]
) -> tuple[NDArray[np.str_] | None, list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return gene names, and eta2 over classes and Moran's I of some genes on each slide that has them."""
    names = None
    strength: list[NDArray[np.float64]] = []
    moran: list[NDArray[np.float64]] = []
    for slide in measured.slides():
        names = np.asarray(slide.genes).astype(str)
        strength.extend(_between_classes(measured, slide, columns))
        moran.append(measured.morans_i(slide)[columns])
    return names, strength, moran


def _housekeeping(genes: NDArray[np.str_]) -> NDArray[np.bool_]:
    known = housekeeping()
    return np.array([gene in known or FAMILIES.match(gene) is not None for gene in genes], dtype=bool)


def _finding(
    status: Literal["warn", "fail"],
    fold: str,
    shares: Mapping[str, float],
    text: str,
    limit: float,
    genes: NDArray[np.str_],
) -> Finding:
    return Finding(
        status=status,
        text=f"{percent(shares[fold])} of the evaluated genes (fold {fold}) {text}",
        fix="evaluate genes that differ between tissues: `select: svg`, or signature genes",
        statistic=shares[fold],
        threshold=limit,
        genes=tuple(sorted(genes.tolist())),
    )


def _between_classes(
    measured: Measured, slide: Slide, columns: NDArray[np.intp]
) -> Iterator[NDArray[np.float64]]:
    """Yield eta2 of the genes over the classes of the slide, less what chance gives, (g,)."""
    part = sample_units(slide)
    for label in LABELS:
        if label not in part.labels:
            continue
        codes, classes = class_codes(part.labels[label])
        there = codes >= 0
        n, k = int(there.sum()), len(classes)
        if n < MIN_LABELLED or k < 2 or n <= k:
            continue
        values = measured.values(part, columns)[there]
        eta2 = variance_between(values, codes[there], k)
        eta2[~slide.measured[columns]] = np.nan
        yield 1 - (1 - eta2) * (n - 1) / (n - k)
        return


def _mean(rows: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean over slides, slides on which a value is undefined left out; 0 without any."""
    table = np.stack(rows)
    defined = np.isfinite(table)
    number = defined.sum(axis=0)
    total = np.where(defined, table, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(total, number, out=np.zeros(len(number)), where=number > 0)
    return mean
