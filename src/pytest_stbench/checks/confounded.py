"""Q31s: panels that stand on one side of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.result import CheckResult, Finding, conclude
from pytest_stbench.checks.subject import known, normalised
from pytest_stbench.checks.wording import count, some
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_stbench.splits.table import Fold, Sample


@check(
    "Q31s",
    severity="fail/warn",
    scope="split",
    needs="metadata",
    reasons={"across": "this split asks how far a model carries over to another panel"},
    checklist=("S3",),
    after=("split_within_slide",),
)
def panel_split(
    folds: Sequence[Fold],
    samples: Sequence[Sample],
    *,
    split: str = "",
    across: Collection[str] = ("lopanel",),
) -> CheckResult:
    """Is each panel in training and in test, so that panels and patients can be told apart?

    Fails where in every fold no panel of the test slides is in training, unless the split asks that
    (`across`); warns where that holds for some folds only. The statistic is the share of folds. Slides
    without a panel, and folds within a slide, are not judged.
    """
    panels = {s.slide: normalised(s.panel) for s in samples if known(s.panel)}
    names = {normalised(s.panel): str(s.panel) for s in samples if known(s.panel)}
    judged = [f for f in folds if not f.within and _known(f.train, panels) and _known(f.test, panels)]
    if len(names) < 2 or not judged:
        return conclude([], passed="one panel, or none is known" if len(names) < 2 else "no fold to judge")
    apart = [f for f in judged if not _known(f.train, panels) & _known(f.test, panels)]
    share = len(apart) / len(judged)
    findings = []
    if apart and split not in across:
        train, test = (
            sorted(names[p] for p in _known(part, panels)) for part in (apart[0].train, apart[0].test)
        )
        findings.append(
            Finding(
                status="fail" if len(apart) == len(judged) else "warn",
                text=f"in {len(apart):,} of {count(len(judged), 'fold')} the panel of the test slides is "
                "in no "
                f"training slide (fold {apart[0].name}: {some(train)} against {some(test)}): patients and "
                "panels "
                "cannot be told apart",
                fix="have every panel on both sides, evaluate panels separately (`panels: separate`), or "
                "split "
                "by panel on purpose (`lopanel`)",
                statistic=share,
                threshold=0.0,
                slides=tuple(apart[0].test),
            )
        )
    return conclude(
        findings,
        passed=f"test panels are in training too ({count(len(judged), 'fold')})"
        if not apart
        else "the split is meant to leave panels out",
        statistic=share,
        threshold=0.0,
    )


def _known(slides: Collection[str], panels: Mapping[str, str]) -> set[str]:
    return {panels[slide] for slide in slides if slide in panels}
