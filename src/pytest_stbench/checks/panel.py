"""Q01: slides that do not measure the same genes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_stbench.checks.panel_asked import Genes, requested, taken_as_zero
from pytest_stbench.checks.panel_joined import joined_with_zeros
from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge, worst_slide
from pytest_stbench.checks.subject import is_whole_transcriptome, panel_of
from pytest_stbench.checks.table import gene_count_findings
from pytest_stbench.checks.wording import count, percent, some
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_stbench.checks.subject import Subject


@check(
    "Q01",
    severity="fail",
    scope="dataset",
    reasons={
        "min_genes": "six targeted panels of 260 to 380 genes share 11: such a score is about 11 genes",
        "min_share": "targeted panels of different tissues share 16% to 47% of the smaller one",
        "warn_share": "four genes in ten of the smallest panel are lost below it",
        "max_missing": "a slide that lacks a fifth of the task's genes answers another question",
        "min_block": "single genes are lost by people and by probes; a panel is lost as a block",
        "min_detection": "a gene in a twentieth of the units of every other slide is no rare one",
    },
    checklist=("S3",),
    after=("shared_corpus",),
)
def panel_mismatch(
    dataset: Subject,
    *,
    task_genes: Collection[str] | None = None,
    min_genes: int = 50,
    min_share: float = 0.3,
    warn_share: float = 0.6,
    max_missing: float = 0.2,
    min_block: int = 5,
    min_detection: float = 0.05,
) -> CheckResult:
    """Do the slides measure the same genes, and those that the task asks for?

    Fails when fewer than `min_genes` genes are shared, when they are less than `min_share` of the
    smallest panel, or when a slide lacks more than `max_missing` of `task_genes` (None: not
    judged); warns below `warn_share`. The statistic is the shared part of the smallest panel.

    Under ``absent_gene: zero`` a gene that a whole-transcriptome slide does not list was measured
    and not seen, so no gene of the task is missing there. That never holds for a targeted panel:
    its slides are judged by the genes they list, and one that lacks genes of the others, which count as
    zero there, warns, above `max_missing` of them it fails. Under ``absent_gene: mask`` slides of several
    panels are scored on the genes of their own; it fails when a slide shares fewer than
    `min_genes` with any other.

    A block of `min_block` genes without a count on a slide that every other slide of its technology has in
    `min_detection` of its units fails: it was not measured there
    (see :func:`~pytest_stbench.checks.panel_joined.joined_with_zeros`).

    Numbers of genes that the samples table declares (``n_genes``) stand in for lists that are not
    known; a slide that declares many more genes than its panel has warns.
    """
    panels = {str(slide): frozenset(map(str, genes)) for slide, genes in dataset.panels.items()}
    declared = gene_count_findings(dataset, min_share=min_share, warn_share=warn_share)
    if not panels:
        nothing = nothing_to_judge("the data set has no slide", "check `path:` and the samples table")
        return conclude(declared, passed="") if declared else nothing
    absent = dataset.config.absent_gene
    union: Genes = frozenset().union(*panels.values())
    complete = _complete(dataset, panels)
    shared, _, share = shared_part(panels)
    findings = [
        *(_alone(panels, min_genes) if absent == "mask" else _overlap(panels, min_genes, min_share)),
        *joined_with_zeros(dataset, min_block=min_block, min_detection=min_detection),
        *requested(panels, union, complete, task_genes, max_missing),
        *(taken_as_zero(panels, union, complete, max_missing) if absent == "zero" else ()),
        *declared,
    ]
    if all(complete.values()):
        findings += _other_probes(panels, union, warn_share)
    elif absent == "mask" or share >= min_share:
        findings += _few_shared(panels, union, warn_share, masked=absent == "mask")
    return conclude(
        findings,
        passed=f"{count(len(shared), 'gene')} shared by {count(len(panels), 'slide')}, "
        f"{percent(share)} of the smallest panel",
        statistic=share,
        threshold=warn_share,
        details=_sizes(panels, shared, union, complete, task_genes),
    )


def _complete(dataset: Subject, panels: Mapping[str, Genes]) -> dict[str, bool]:
    """Return on which slides a gene that is not listed was measured and not seen."""
    zero = dataset.config.absent_gene == "zero"
    return {
        slide: zero and is_whole_transcriptome(panel_of(dataset, slide), len(genes))
        for slide, genes in panels.items()
    }


def _sizes(
    panels: Mapping[str, Genes],
    shared: Genes,
    union: Genes,
    complete: Mapping[str, bool],
    task_genes: Collection[str] | None,
) -> dict[str, int | None]:
    return {
        "shared": len(shared),
        "smallest": min(map(len, panels.values())),
        "union": len(union),
        "panels": len(set(panels.values())),
        "absent_as_zero": all(complete.values()),
        "task_genes": None if task_genes is None else len(set(task_genes)),
    }


def shared_part(panels: Mapping[str, Genes]) -> tuple[Genes, str, float]:
    """Return the genes that all panels have, the name of the smallest panel, and their share of it."""
    shared: Genes = frozenset.intersection(*panels.values())
    smallest = min(panels, key=lambda name: (len(panels[name]), name))
    return shared, smallest, len(shared) / len(panels[smallest]) if panels[smallest] else 0.0


def _few_shared(
    panels: Mapping[str, Genes], union: Genes, warn_share: float, *, masked: bool
) -> list[Finding]:
    """Return a warning where slides share less than is wanted."""
    shared, smallest, share = shared_part(panels)
    if share >= warn_share:
        return []
    genes = count(len(shared), "gene")
    if masked:
        text = (
            f"{genes} of {len(union):,} are measured on all slides: with `absent_gene: mask` every slide is "
        )
        text += "scored on the genes of its own panel"
        fix = "read scores per panel (`panels: separate`), not across panels"
    else:
        text = f"{genes} shared, {percent(share)} of the smallest panel (slide {smallest}, "
        text += f"{count(len(panels[smallest]), 'gene')}; {percent(warn_share)} wanted)"
        fix = "evaluate panels separately, or choose task genes that all panels measure"
    slides = () if masked else (smallest,)
    return [Finding(status="warn", text=text, fix=fix, statistic=share, threshold=warn_share, slides=slides)]


def _overlap(panels: Mapping[str, Genes], min_genes: int, min_share: float) -> list[Finding]:
    shared, smallest, share = shared_part(panels)
    distinct = len(set(panels.values()))
    culprits, gain = _costliest(panels)
    hint = f" (without {some(culprits)}: {count(len(shared) + gain, 'gene')})" if gain else ""
    where = f"{distinct:,} panels" if distinct > 1 else "the panel"
    findings = []
    if len(shared) < min_genes:
        fix = "evaluate panels separately, or use genes common to both"
        if distinct == 1:
            fix = f"use a panel of {min_genes:,} genes or more, or a task without genes (cell types, ...)"
        findings.append(
            Finding(
                status="fail",
                text=f"{count(len(shared), 'gene')} {'shared by' if distinct > 1 else 'in'} {where}, "
                f"fewer than {min_genes:,}{hint}",
                fix=fix,
                statistic=len(shared),
                threshold=min_genes,
                slides=culprits or (smallest,),
                genes=tuple(sorted(shared)),
            )
        )
    if share < min_share:
        findings.append(
            Finding(
                status="fail",
                text=f"{where} share {percent(share)} of the smallest (slide {smallest}, "
                f"{count(len(panels[smallest]), 'gene')}), less than {percent(min_share)}",
                fix="evaluate panels separately, or use genes common to both",
                statistic=share,
                threshold=min_share,
                slides=culprits or (smallest,),
            )
        )
    return findings


def _alone(panels: Mapping[str, Genes], min_genes: int) -> list[Finding]:
    """Under a mask a gene can be learned wherever another slide measured it: slides that have few such."""
    having = Counter(gene for genes in panels.values() for gene in genes)
    common = {slide: sum(having[gene] > 1 for gene in genes) for slide, genes in panels.items()}
    return worst_slide(
        {slide: n for slide, n in common.items() if n < min_genes},
        lambda slide: f"slide {slide} shares {count(common[slide], 'gene')} with any other slide, fewer than "
        f"{min_genes:,}: a model cannot learn the others",
        "leave these slides out, or add slides of the same panel",
        min_genes, lowest=True,
    )  # fmt: skip


def _costliest(panels: Mapping[str, Genes]) -> tuple[tuple[str, ...], int]:
    """Return the slides of the panel whose removal adds most shared genes, and how many."""
    by_panel: dict[Genes, list[str]] = {}
    for slide, genes in panels.items():
        by_panel.setdefault(genes, []).append(slide)
    if len(by_panel) < 2:  # one panel has nothing to be compared with
        return (), 0
    having = Counter(gene for genes in by_panel for gene in genes)
    nearly = frozenset(gene for gene, n in having.items() if n == len(by_panel) - 1)
    costs = {genes: len(nearly - genes) for genes in by_panel}
    worst = max(costs, key=lambda genes: (costs[genes], sorted(by_panel[genes])))
    return (tuple(sorted(by_panel[worst])), costs[worst]) if costs[worst] else ((), 0)


def _other_probes(panels: Mapping[str, Genes], union: Genes, warn_share: float) -> list[Finding]:
    """Slides that list so few of all genes that absent cannot simply mean "not seen"."""
    few = sorted(
        (slide for slide, genes in panels.items() if len(genes) < warn_share * len(union)),
        key=lambda slide: (len(panels[slide]), slide),
    )
    if not few:
        return []
    share = len(panels[few[0]]) / len(union)
    return [
        Finding(
            status="warn",
            text=f"{count(len(few), 'slide')} ({some(few)}) list as little as {percent(share)} of the "
            f"{count(len(union), 'gene')} of the data set: another probe set, or a failed array",
            fix="write `absent_gene: intersect` if probe sets differ, else leave failed arrays out",
            statistic=share,
            threshold=warn_share,
            slides=tuple(few),
        )
    ]
