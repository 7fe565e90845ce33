"""Q25: signatures, pairs and markers that a task asks and a panel did not measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge
from pytest_stbench.checks.wording import count, percent, some
from pytest_stbench.extend import check
from pytest_stbench.resources import cell_type_markers, lr_pairs, signatures

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Genes = frozenset[str]

NOUNS = {
    "signatures": "signatures",
    "communication": "communication",
    "markers": "markers",
    "cell_types": "cell types",
}
"""What a task may ask, as it is called in messages."""


@check(
    "Q25",
    severity="fail",
    scope="task",
    reasons={
        "min_members": "half of a signature is another signature",
        "min_genes": "the mean of two genes is those two genes",
        "min_evaluable": "a breast panel has 0 of 51 hypoxia genes: the task is made for other panels",
        "min_pairs": "a breast panel has 5 of 193 pairs: a score over them is an anecdote",
        "min_candidates": "lists are a quarter of the candidates: with fewer, under five genes",
    },
    checklist=("S3",),
    after=("panel_split",),
)
def task_gene_coverage(
    *,
    wanted: Collection[str],
    genes: Mapping[str, Genes],
    named: Collection[str] | None = None,
    classes: Callable[[], Mapping[str, Collection[str]]] = dict,
    min_members: float = 0.5,
    min_genes: int = 3,
    min_evaluable: float = 0.5,
    min_pairs: int = 10,
    min_candidates: int = 20,
) -> CheckResult:
    """Are the signatures, markers and ligand-receptor pairs of the task in the panel?

    Parameters
    ----------
    wanted
        What the task looks at: of ``signatures``, ``communication`` (ligand-receptor pairs),
        ``markers`` and ``cell_types``; the rest is left aside.
    genes
        Data set name to the genes that its slides have; data that is not here is left out.
    named
        The signatures that are asked by name; None for all.
    classes
        Gives the cell types that each data set has; where it knows none, all known types are asked for.
    min_members, min_genes
        A signature can be scored with this share of its members and this many of them (all, where
        it has no more).
    min_evaluable
        Fewer of the signatures in a data set fail. Of its cell types whose markers are known, fewer
        that have `min_genes` of them warn: expression then cannot tell them, an image may.
    min_pairs
        Fewer pairs with ligand and receptor fail.
    min_candidates
        Fewer genes to find markers among fail.
    """
    asked = sorted(NOUNS.keys() & set(wanted))
    if not asked:
        return conclude([], passed="the task asks for no signature, no ligand-receptor pair and no marker")
    if not genes:
        return nothing_to_judge("no data set of the task is here", "get the data first")
    types = classes() if "cell_types" in asked else {}
    findings: list[Finding] = []
    details: dict[str, dict[str, object]] = {dataset: {} for dataset in genes}
    for (dataset, there), found in zip(genes.items(), details.values(), strict=True):
        if "signatures" in asked:
            found["signatures"] = covered = _covered(there, named)
            findings += _signatures(dataset, covered, min_members, min_genes, min_evaluable)
        if "communication" in asked:
            found["pairs"] = usable = sum({pair.ligand, pair.receptor} <= there for pair in lr_pairs())
            findings += _few_pairs(dataset, usable, there, min_pairs)
        if "cell_types" in asked:
            found["markers_of_types"] = known = _markers(there, types.get(dataset) or cell_type_markers())
            findings += _types(dataset, known, min_genes, min_evaluable)
        if "markers" in asked:
            found["candidates"] = number = len(there)
            findings += _few_candidates(dataset, number, min_candidates)
    nouns = " and ".join(NOUNS[name] for name in asked)
    what = f"{nouns} ({count(len(genes), 'data set')})"
    return conclude(findings, passed=f"enough genes are measured for {what}", details=details)


def _covered(there: Genes, named: Collection[str] | None) -> dict[str, int]:
    """Return how many genes of each signature that is asked are measured."""
    asked = {name: genes for name, genes in signatures().items() if named is None or name in named}
    return {name: len(there & set(genes)) for name, genes in asked.items()}


def _signatures(
    dataset: str, covered: Mapping[str, int], min_members: float, min_genes: int, min_evaluable: float
) -> list[Finding]:
    sizes = {name: len(members) for name, members in signatures().items()}
    if not covered:
        return []
    lost = sorted(
        name
        for name, n in covered.items()
        if n < min_members * sizes[name] or n < min(min_genes, sizes[name])
    )
    share = 1 - len(lost) / len(covered)
    if share >= min_evaluable:
        return []
    examples = [f"{name} {covered[name]}/{sizes[name]}" for name in lost]
    return [
        Finding(
            status="fail",
            text=f"{percent(share)} of {count(len(covered), 'signature')} can be scored on the genes of "
            f"{dataset} ({percent(min_evaluable)} wanted; lost: {some(examples)})",
            fix="use a larger panel, or a task whose genes this panel measured",
            statistic=share,
            threshold=min_evaluable,
            genes=tuple(sorted({g for name in lost for g in signatures()[name]})),
        )
    ]


def _markers(there: Genes, types: Collection[str]) -> dict[str, int]:
    """Return how many known markers of each type are measured; types without known ones are left out."""
    markers = cell_type_markers()
    return {name: len(there & set(markers[name])) for name in sorted(types) if name in markers}


def _types(dataset: str, known: Mapping[str, int], min_genes: int, min_share: float) -> list[Finding]:
    lost = sorted(name for name, n in known.items() if n < min_genes)
    share = 1 - len(lost) / len(known) if known else 1.0
    if share >= min_share:
        return []
    examples = [f"{name} {known[name]}" for name in lost]
    return [
        Finding(
            status="warn",
            text=f"{percent(share)} of {count(len(known), 'cell type')} have {min_genes} known markers among "
            f"the genes of {dataset} ({percent(min_share)} wanted; fewer: {some(examples)})",
            fix="read cell types of this panel with care, or use a panel with markers of each",
            statistic=share,
            threshold=min_share,
            genes=tuple(sorted({g for name in lost for g in cell_type_markers()[name]})),
        )
    ]


def _few_candidates(dataset: str, number: int, least: int) -> list[Finding]:
    if number >= least:
        return []
    return [
        Finding(
            status="fail",
            text=f"{dataset} has {count(number, 'gene')} to find markers among, fewer than {least:,}",
            fix="leave out the metrics of marker lists on this panel",
            statistic=number,
            threshold=least,
        )
    ]


def _few_pairs(dataset: str, usable: int, there: Genes, min_pairs: int) -> list[Finding]:
    if usable >= min_pairs:
        return []
    absent = sorted({gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor)} - there)
    return [
        Finding(
            status="fail",
            text=f"{dataset} measured ligand and receptor of {usable:,} of {len(lr_pairs()):,} pairs, fewer "
            f"than {min_pairs:,}",
            fix="leave out the metrics of communication on this panel, or add ligands and receptors to it",
            statistic=usable,
            threshold=min_pairs,
            genes=tuple(absent),
        )
    ]
