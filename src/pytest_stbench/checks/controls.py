"""Q24: probes that measure no gene among the genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.measured import NothingToScore, asked_anywhere
from pytest_stbench.checks.result import CheckResult, Finding, conclude, count, others, some
from pytest_stbench.data.controls import is_control

if TYPE_CHECKING:
    from pytest_stbench.checks.measured import Measured
    from pytest_stbench.checks.subject import Subject


def controls_in_matrix(dataset: Subject, measured: Measured) -> CheckResult:
    """Q24: negative probes, blank and unassigned codewords that stand among the genes.

    Any that is evaluated fails. Those that are only columns of a file warn: they count into the
    total of each unit. The statistic is the number of such names.
    """
    panels = {str(slide): tuple(map(str, genes)) for slide, genes in dataset.panels.items()}
    names = sorted(set().union(*panels.values()))
    controls = {name for name, found in zip(names, is_control(names), strict=True) if found}
    evaluated = _evaluated(measured) & controls if controls else set()
    findings = []
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
        passed=f"no control probe among {count(len(names), 'gene name')}",
        statistic=0.0,
        threshold=0.0,
        details={"controls": len(controls)},
    )


def _evaluated(measured: Measured) -> set[str]:
    """Return the names of all genes that are asked in some fold, none where they cannot be chosen."""
    try:
        columns = asked_anywhere(measured.choices())
        first = next(measured.slides(), None)
    except NothingToScore:
        return set()
    return set() if first is None else set(np.asarray(first.genes).astype(str)[columns].tolist())
