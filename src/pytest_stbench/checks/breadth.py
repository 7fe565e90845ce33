"""Q30, Q32 and Q33: what a task measures, and over how many organs, sites and panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge
from pytest_stbench.checks.subject import known, normalised
from pytest_stbench.checks.wording import count, some
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_stbench.splits.table import Sample


OPEN_QUESTIONS = frozenset({"expression", "imputation", "signatures"})
"""Families whose answers can be scored in many ways; the others ask for what one group measures."""


@check(
    "Q30",
    severity="warn/fail",
    scope="task",
    needs="spec",
    reasons={
        "min_groups": "a correlation ignores scale, an error rewards the mean: each needs the other",
        "misleading": "genes differ so much in level that the training mean scores about 0.9",
    },
    checklist=("S12",),
    after=("state_across_folds",),
)
def metric_monoculture(
    *,
    metrics: Mapping[str, str],
    family: str = "",
    min_groups: int = 2,
    misleading: Collection[str] = ("pearson_spot", "spearman_spot"),
) -> CheckResult:
    """Are several kinds of metric reported, so that no single one can be tuned to?

    `metrics` maps the name of each to its group: agreement, error, spatial, set, coexpression,
    depth_adjusted, calibration ... Fewer than `min_groups` warn in families whose answers can be scored
    in many ways (expression, imputation, signatures). The family ``expression`` with nothing
    but correlations across the genes of a spot (`misleading`) fails: genes differ so much in level that
    the training mean scores about 0.9 there.
    """
    groups = sorted(set(metrics.values()))
    if not metrics:
        return nothing_to_judge("the task has no metric", "name metrics, or leave `metrics:` out")
    findings = []
    if family == "expression" and set(metrics) <= set(misleading):
        findings.append(
            Finding(
                status="fail",
                text=f"only {some(sorted(metrics))} is reported, where the mean over training slides scores "
                "nearly as well as any model",
                fix="report within-slide correlation per gene (pearson_gene) and an error (rmse) as well",
                statistic=len(groups),
                threshold=min_groups,
            )
        )
    if len(groups) < min_groups and family in OPEN_QUESTIONS:
        findings.append(
            Finding(
                status="warn",
                text=f"{count(len(metrics), 'metric')} of one kind ({some(groups)}): a model can be tuned "
                "to it",
                fix="add an error (rmse), a depth-adjusted score (partial_pearson_gene) or one of spatial "
                "pattern or co-expression",
                statistic=len(groups),
                threshold=min_groups,
            )
        )
    return conclude(
        findings,
        passed=f"{count(len(metrics), 'metric')} of {count(len(groups), 'kind')} ({', '.join(groups)})",
        statistic=len(groups),
        threshold=min_groups,
        details={"groups": groups},
    )


@check(
    "Q32",
    severity="warn/fail",
    scope="task",
    needs="spec",
    reasons={
        "min_organs": "two organs can share what a third does not",
        "min_sites": "staining and handling of one site are part of what a model learns",
    },
    checklist=("S12",),
    after=("state_across_folds",),
)
def narrow_scope(
    *,
    suite: Mapping[str, Sequence[Sample]],
    scope: Collection[str] = (),
    min_organs: int = 3,
    min_sites: int = 2,
) -> CheckResult:
    """Are the data as wide as the claim: organs for pan-cancer, sites for generalisation?

    ``pan-cancer`` with fewer than `min_organs` organs fails; ``generalises`` with fewer than
    `min_sites` sites warns. Organs, sites, technologies and panels are counted over the samples of
    all data sets; what a sample does not say is not counted. Data that is not on this machine
    cannot be counted: skip.
    """
    samples = [sample for table in suite.values() for sample in table]
    kinds = {
        name: sorted({str(v) for s in samples if known(v := getattr(s, name))})
        for name in ("organ", "site", "technology", "panel")
    }
    distinct = {name: len({normalised(value) for value in values}) for name, values in kinds.items()}
    if not samples:
        return nothing_to_judge("no sample of any data set is known", "get the data, or list its samples")
    findings = []
    if "pan-cancer" in scope and distinct["organ"] < min_organs:
        text = (
            f"the task claims pan-cancer and has {count(distinct['organ'], 'organ')}{_named(kinds['organ'])}"
        )
        fix = f"add data sets of {min_organs} organs or more, or take `pan-cancer` out of `scope:`"
        findings.append(
            Finding(status="fail", text=text, fix=fix, statistic=distinct["organ"], threshold=min_organs)
        )
    if "generalises" in scope and distinct["site"] < min_sites:
        sites = f"{count(distinct['site'], 'known site')}{_named(kinds['site'])}"
        text = f"the task claims that scores generalise and has {sites}"
        fix = "add slides of another hospital or laboratory (`site`), or take `generalises` out of `scope:`"
        findings.append(
            Finding(status="warn", text=text, fix=fix, statistic=distinct["site"], threshold=min_sites)
        )
    said = ", ".join(count(distinct[name], name) for name in ("organ", "site", "panel"))
    claims = f"claims {', '.join(sorted(scope))}" if scope else "claims nothing wider than its data"
    return conclude(
        findings,
        passed=f"{said}; the task {claims}",
        statistic=distinct["organ"],
        threshold=min_organs if "pan-cancer" in scope else None,
        details={name: list(values) for name, values in kinds.items()},
    )


@check(
    "Q33",
    severity="warn",
    scope="task",
    needs="spec",
    reasons={
        "independent": "cell types and outlines are asked alike whatever genes were measured",
        "whole": "whole transcriptomes measure the same genes",
        "min_panels": "one panel asks the same genes everywhere",
    },
    checklist=("S4",),
    after=("state_across_folds",),
)
def no_panel_independent_eval(
    *,
    suite: Mapping[str, Sequence[Sample]],
    families: Collection[str],
    independent: Collection[str] = ("T08", "T10"),
    whole: Collection[str] = ("wholetranscriptome", "wta"),
    min_panels: int = 2,
) -> CheckResult:
    """With several panels: is something evaluated that no panel decides, such as cell types?

    From `min_panels` targeted panels on (the statistic), a suite without a family of `independent`
    ones warns: scores on genes then compare different genes. Panels whose name says whole
    transcriptome (`whole`) do not count. `families` are the ids of its family
    and of those of the task files beside it.
    """
    panels = {normalised(s.panel): str(s.panel) for table in suite.values() for s in table if known(s.panel)}
    targeted = sorted(text for key, text in panels.items() if not any(word in key for word in whole))
    there = sorted(set(families) & set(independent))
    findings = []
    if len(targeted) >= min_panels and not there:
        findings.append(
            Finding(
                status="warn",
                text=f"{count(len(targeted), 'panel')} ({some(targeted)}) and no task that is independent of "
                "them: scores on genes compare other genes per panel",
                fix="add a task file on cell types (T08) or segmentation (T10) of the same slides",
                statistic=len(targeted),
                threshold=min_panels,
            )
        )
    return conclude(
        findings,
        passed=f"{count(len(targeted), 'targeted panel')}"
        + (f", and {', '.join(there)} does not depend on them" if there else ""),
        statistic=len(targeted),
        threshold=min_panels,
    )


def _named(values: Sequence[str]) -> str:
    return f" ({some(values)})" if values else ""
