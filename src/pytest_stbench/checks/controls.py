"""Q24: probes that measure no gene among the genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.antibodies import antibodies_among
from pytest_stbench.checks.measured import NothingToScore, asked_anywhere
from pytest_stbench.checks.result import CheckResult, Finding, conclude, count, others, some
from pytest_stbench.data.features import ANTIBODIES, GENE, kinds_of
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.checks.measured import Measured
    from pytest_stbench.checks.subject import Subject


@check("Q24", severity="fail", scope="dataset", checklist=("S1",))
def controls_in_matrix(dataset: Subject, measured: Measured) -> CheckResult:
    """Are all genes genes, and no antibodies, negative probes, blank or unassigned codewords?

    Readers leave out what a file says is no gene. An antibody that is left fails wherever it stands (see
    :func:`~pytest_stbench.checks.antibodies.antibodies_among`): its counts make up most of a unit's total. A
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
