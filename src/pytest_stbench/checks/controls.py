"""Q24: probes that measure no gene among the genes, and antibodies where no file says what features are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.measured import Measured, NothingToScore, asked_anywhere
from pytest_stbench.checks.result import CheckResult, Finding, conclude, worst_slide
from pytest_stbench.checks.subject import normalised
from pytest_stbench.checks.wording import count, others, some
from pytest_stbench.data.features import ANTIBODIES, GENE, kinds_of
from pytest_stbench.data.readers.counts import DUPLICATE
from pytest_stbench.extend import check
from pytest_stbench.resources import gene_symbols

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_stbench.checks.measured import Measured
    from pytest_stbench.checks.subject import Subject


@check("Q24", severity="fail", scope="dataset", checklist=("S1",))
def controls_in_matrix(dataset: Subject, measured: Measured) -> CheckResult:
    """Are all genes genes, and no antibodies, negative probes, blank or unassigned codewords?

    Readers leave out what a file says is no gene. An antibody that is left fails wherever it stands (see
    :func:`~pytest_stbench.checks.controls.antibodies_among`): its counts make up most of a unit's total. A
    control that is evaluated fails; those that are only columns of a file warn: they count into the
    total of each unit. The statistic is the number of such names.
    """
    panels = {str(slide): tuple(map(str, genes)) for slide, genes in dataset.panels.items()}
    names = sorted(set().union(*panels.values()))
    kinds = dict(zip(names, kinds_of(names).tolist(), strict=True))
    controls = {name for name, kind in kinds.items() if kind != GENE and kind not in ANTIBODIES}
    evaluated = _evaluated(measured) & controls if controls else set()
    findings = antibodies_among(panels, getattr(dataset, "renamed", ()), _notes(dataset))
    if evaluated:
        findings.append(
            Finding(
                status="fail",
                text=f"{count(len(evaluated), 'evaluated gene')} {'is' if len(evaluated) == 1 else 'are'} "
                f"no gene but a control ({some(sorted(evaluated))})",
                fix="take controls out of the matrix, or list the genes to evaluate without them",
                statistic=len(evaluated),
                threshold=0.0,
                genes=tuple(sorted(evaluated)),
            )
        )
    elif controls:
        slides = tuple(sorted(slide for slide, genes in panels.items() if not controls.isdisjoint(genes)))
        findings.append(
            Finding(
                status="warn",
                text=f"{count(len(controls), 'control')} among the genes of slide {slides[0]} "
                f"({some(sorted(controls))}){others(slides)}, none of them evaluated",
                fix="take controls out of the matrix: they count into the total of each unit",
                statistic=len(controls),
                threshold=0.0,
                slides=slides,
                genes=tuple(sorted(controls)),
            )
        )
    return conclude(
        findings,
        passed=f"no antibody and no control among {count(len(names), 'gene name')}",
        statistic=0.0,
        threshold=0.0,
        details={"controls": len(controls)},
    )


def _notes(dataset: Subject) -> Mapping[str, Mapping[str, int]]:
    """Return what was counted while the slides were read."""
    if hasattr(dataset, "notes"):
        for _ in dataset.slides():
            pass
        notes: Mapping[str, Mapping[str, int]] = dataset.notes
        return notes
    return {}


def _evaluated(measured: Measured) -> set[str]:
    """Return the names of all genes that are asked in some fold, none where they cannot be chosen."""
    try:
        columns = asked_anywhere(measured.choices())
        first = next(measured.slides(), None)
    except NothingToScore:
        return set()
    return set() if first is None else set(np.asarray(first.genes).astype(str)[columns].tolist())


FIX = (
    'say in `var["feature_types"]` what each feature is (`Gene Expression`, `Antibody Capture`), or take the '
    "antibodies out: they are another molecule on another scale, and count into the total of each unit"
)

NO_GENE = frozenset(
    {
        "panck", "pancytokeratin", "panras", "cd3", "cd8", "cd15", "cd45ra", "cd45rb", "cd45ro", "cd57",
        "hladr", "hladq", "hladp", "hladrdpdq", "hlaabc", "tcrab", "tcrgd", "tcralphabeta", "tcrgammadelta",
        "igd", "igm", "iga", "igg", "iglightchainkappa", "iglightchainlambda", "histoneh3",
    }
)  # fmt: skip
"""Targets of antibodies that are isoforms, groups or sugars: no gene is called so."""

PROTEINS = frozenset(
    {
        "41bb", "b7h3", "bcl2", "betacatenin", "ki67", "pd1", "pdl1", "pdl2", "tim3", "sma", "asma",
        "alphasma", "p53", "her2", "inos", "gitr", "vista", "sting", "vimentin", "fibronectin", "ecadherin",
        "ncadherin", "il18", "il1b", "nfkbp65",
    }
)  # fmt: skip
"""Proteins by names that are no symbols of their genes, as panels of antibodies list them."""

_CLUSTER = re.compile(r"CD\d+[A-Za-z]{0,2}")
"""A cluster of differentiation: where it is no symbol, a protein's name. Mouse genes are called Cd24a."""

TARGETS = frozenset(
    {
        "ACTA2", "BCL2", "CCR7", "CEACAM8", "CR2", "CTLA4", "CXCR5", "EGFR", "EPCAM", "ERBB2", "FABP4",
        "FCGR3A", "FN1", "FOXP3", "GZMA", "GZMB", "HAVCR2", "HLA-DRA", "ICAM1", "ICOS", "IDO1", "IL2RA",
        "IL7R", "ITGAM", "ITGAX", "KRT5", "LAG3", "LAMP1", "MKI67", "MS4A1", "NCAM1", "PAX5", "PCNA", "PDCD1",
        "PECAM1", "PTPRC", "SDC1", "TCF7", "TNFRSF9", "TP53", "VIM", "VSIR",
    }
)  # fmt: skip
"""Genes of the proteins in panels for spatial assays of 10x and CosMx, beside those that are called CD."""

ON_BOTH_SEX_CHROMOSOMES = frozenset({"CD99", "CD99L2", "CRLF2", "CSF2RA", "IL3RA"})
"""Genes that some annotations list twice."""

_SECOND = re.compile(r"(.+)[._-][1-9]")
"""What ``var_names_make_unique`` and ``make.unique`` make of the second of two equal names."""

MIN_PROTEINS = 2
"""Names of proteins: a single one may be an old symbol of its gene."""


def antibodies_among(
    panels: Mapping[str, Sequence[str]],
    renamed: Iterable[str] = (),
    notes: Mapping[str, Mapping[str, int]] | None = None,
) -> list[Finding]:
    """Return a failure where antibodies stand among the genes.

    They are known by the names that vendors give them, by names of proteins that are no gene's, and
    as second columns of genes whose proteins antibodies are sold for (``CD4-1`` beside ``CD4``, or
    ``CD4`` twice). Isotype controls that a reader left out, without any antibody beside them, tell that
    the others of their panel were taken for genes. `renamed` are symbols of the files that were
    read under others.
    """
    noted = notes or {}
    names = sorted({*renamed, *(name for genes in panels.values() for name in genes)})
    found = {name for name, kind in zip(names, kinds_of(names).tolist(), strict=True) if kind in ANTIBODIES}
    symbols = gene_symbols()
    there = set(names)
    proteins = set()
    for name in names:
        if name.upper() in symbols:
            continue
        plain = normalised(name)
        second = _SECOND.fullmatch(name)
        if plain in NO_GENE or (second is not None and second[1] in there and _is_target(second[1])):
            found.add(name)
        elif plain in PROTEINS or _CLUSTER.fullmatch(name):
            proteins.add(name)
    if len(proteins) >= MIN_PROTEINS:
        found |= proteins
    twice = {name.removeprefix(DUPLICATE) for name in noted if name.startswith(DUPLICATE)}
    found |= {name for name in twice if _is_target(name)}
    if found:
        slides = tuple(sorted(slide for slide, genes in panels.items() if not found.isdisjoint(genes)))
        slides = slides or tuple(sorted(panels))
        return [
            Finding(
                status="fail",
                text=f"{len(found):,} {'antibody' if len(found) == 1 else 'antibodies'} among the genes of "
                f"slide {slides[0]} ({some(sorted(found))}){others(slides)}",
                fix=FIX,
                statistic=len(found),
                threshold=0.0,
                slides=slides,
                genes=tuple(sorted(found)),
            )
        ]
    return _isotypes_alone(noted)


def _is_target(gene: str) -> bool:
    symbol = gene.upper()
    if symbol in ON_BOTH_SEX_CHROMOSOMES:
        return False
    return symbol in TARGETS or _CLUSTER.fullmatch(symbol) is not None


def _isotypes_alone(notes: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    with_targets = {slide for kind in ("antibody", "protein") for slide in notes.get(f"features:{kind}", {})}
    alone = {
        slide: number
        for slide, number in notes.get("features:isotype_control", {}).items()
        if slide not in with_targets
    }
    slide = min(alone, default="")
    return worst_slide(
        dict.fromkeys(alone, 0.0),
        lambda slide: f"slide {slide} has {count(alone[slide], 'isotype control')} and no antibody",
        FIX,
        tail=": those of the same panel stand among the genes",
        statistic=alone.get(slide),
    )
