"""Q25d: tissue that shows too little of what a task asks: active pairs, genes for lists."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_stbench.checks.measured import on_measured
from pytest_stbench.checks.result import CheckResult, Finding, conclude, limited
from pytest_stbench.checks.wording import on_slides, percent, ranked
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

NO_NICHE = (
    "no niche has 20 units inside and outside",
    "label more units, or check `filter:` and `keys.niche`",
)
"""The same where no slide has a niche to score at all."""

Accounts = dict[str, dict[str, dict[str, int]]]
"""Metric -> slide -> reason -> number of scores; the empty reason counts those that have a value."""

SHORT = {
    "too_few_pairs": ("too few pairs are detected", "use deeper data or a panel with more pairs"),
    "no_positive": ("too few pairs are active", "use slides on which more pairs are active"),
    "too_few_genes": ("too few genes are left for lists", "ask for more genes (`preprocess.genes`)"),
}
"""Reasons that lie in tissue and panel, in words, and what helps."""


@check(
    "Q25d",
    severity="warn/fail",
    scope="dataset",
    reasons={
        "min_evaluable": "a mean over fewer than half of the slides is one of the slides that were left",
        "warn_evaluable": "a mean over nine of ten slides still speaks of the cohort",
    },
    checklist=("S3",),
    after=("panel_split",),
)
@on_measured
def task_truth_coverage(
    perfect: Callable[[], Accounts],
    primary: str,
    *,
    min_evaluable: float = 0.5,
    warn_evaluable: float = 0.9,
) -> CheckResult:
    """Does the tissue show enough active pairs, and enough genes for lists, to score a model?

    The true expression of every test slide is scored against itself. Where that has no value because too
    few ligand-receptor pairs are detected (10) or active (3), or too few genes are left to list in a niche
    (20), no model has one. The statistic is the share of slides (of niches, for lists) that have a value:
    below `min_evaluable` fails, below `warn_evaluable` warns. Niches of too few units are left aside, unless
    there is no other.
    ``details`` account for every metric of niche lists and pairs; other tasks pass.

    Parameters
    ----------
    perfect
        Makes the account of each metric on each slide.
    primary
        The metric that decides.
    """
    accounts = perfect()
    if primary not in accounts:
        return conclude([], passed=f"{primary} asks for no list of markers and no ligand-receptor pair")
    slides = accounts[primary]
    lost = {slide: sum(account.get(reason, 0) for reason in SHORT) for slide, account in slides.items()}
    valued = sum(account.get("", 0) for account in slides.values())
    share = valued / (valued + sum(lost.values())) if valued else 0.0
    findings = []
    if broken := limited(share, warn=warn_evaluable, fail=min_evaluable, below=True):
        status, limit = broken
        why, fix = _reason(slides.values())
        without = ranked({slide: lost[slide] for slide in slides if lost[slide] or not valued})
        findings.append(
            Finding(
                status=status,
                text=f"{primary} can score the truth itself on {percent(share)} of the data "
                f"({percent(limit)} wanted); not on {on_slides(without)}, where {why}",
                fix=f"{fix}, or leave these slides out of the task (`slides:`)",
                statistic=share,
                threshold=limit,
                slides=without,
            )
        )
    return conclude(
        findings,
        passed=f"{primary} can score the truth itself on {percent(share)} of the data",
        statistic=share,
        threshold=warn_evaluable,
        details={"accounts": accounts},
    )


def _reason(accounts: Iterable[Mapping[str, int]]) -> tuple[str, str]:
    """Return in words what most scores lack, and what helps."""
    totals: Counter[str] = Counter()
    for account in accounts:
        totals.update({reason: number for reason, number in account.items() if reason and number})
    short = [reason for reason, _ in totals.most_common() if reason in SHORT]
    if short:
        return SHORT[short[0]]
    others = [reason for reason, _ in totals.most_common() if reason != "empty_niche"]
    if others:
        return f"scores are undefined ({others[0]})", "check units, places and counts of these slides"
    return NO_NICHE
