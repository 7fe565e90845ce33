"""Q38: a reference atlas that does not fit the data, or that tells of the tested patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.genes import ENSEMBL, TITLE_CASE
from pytest_stbench.checks.result import CheckResult, Finding, conclude
from pytest_stbench.checks.subject import known, normalised
from pytest_stbench.checks.wording import count, percent, some
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from pytest_stbench.data.reference import Atlas

ODD = 0.5
"""From this share on names are of another kind: ids, or of another species."""


@check(
    "Q38",
    severity="fail",
    scope="task",
    reasons={
        "min_shared": "with less than half of the genes a model is told of other genes than it is asked for",
        "min_labels": "one label tells cells apart from nothing",
    },
    checklist=("S11",),
)
def reference_atlas(
    *,
    atlas: Callable[[], Atlas | None],
    genes: Mapping[str, Collection[str]],
    tested_patients: Collection[str] = (),
    min_shared: float = 0.5,
    min_labels: int = 2,
) -> CheckResult:
    """Does the reference atlas fit: its genes, species, counts and labels, and are its donors others?

    Fails where the atlas has less than `min_shared` of the genes of a data set (the statistic, the lowest),
    and says so where its names are those of another species or ids; where its values are no raw counts
    (negative, not finite, or fractions); where it has fewer than `min_labels` labels; and where a donor
    (``reference.patient``) is a tested patient by name, apart from spelling. Donors that the file does not
    name are not compared, and cells without a label, which are left out, are counted. Tasks without a
    reference pass.
    """
    found = atlas()
    if found is None:
        return conclude([], passed="no reference is declared")
    shares = {
        name: len(set(own) & set(found.genes.tolist())) / len(own) for name, own in genes.items() if own
    }
    findings = [
        *_values(found),
        *_names(found, shares, genes, min_shared),
        *_labels(found, min_labels),
        *_donors(found, tested_patients),
    ]
    lowest = min(shares.values(), default=1.0)
    told = (
        f"{count(len(found.patients), 'donor')}, none of them tested"
        if found.patients
        else "donors not named"
    )
    return conclude(
        findings,
        passed=f"{count(len(found.labels), 'cell')} of {found.n_cells:,} in the file, "
        f"{count(len(set(found.labels.tolist())), 'label')}, {percent(lowest)} or more of the genes of the "
        f"data, {told}",
        statistic=lowest,
        threshold=min_shared,
        details={"shared": shares, "cells": found.n_cells, "without_label": found.unlabelled},
    )


def _values(atlas: Atlas) -> Iterator[Finding]:
    values = atlas.counts.data
    finite = np.isfinite(values)
    wrong = {
        "not finite": int((~finite).sum()),
        "below 0": int((values[finite] < 0).sum()),
        "fractions": int((values[finite] != np.rint(values[finite])).sum()),
    }
    odd = {name: number for name, number in wrong.items() if number}
    if odd or not len(values):
        told = ", ".join(f"{number:,} of {len(values):,} are {name}" for name, number in odd.items())
        yield Finding(
            status="fail",
            text=f"the values of the reference are no raw counts: {told or 'all are 0'}",
            fix="name the matrix of the file that holds counts, for example `reference: {counts: raw}`",
            statistic=max(odd.values(), default=0) / max(len(values), 1),
            threshold=0.0,
        )


def _names(
    atlas: Atlas, shares: Mapping[str, float], genes: Mapping[str, Collection[str]], limit: float
) -> Iterator[Finding]:
    for name, share in sorted(shares.items(), key=lambda item: (item[1], item[0])):
        if share >= limit:
            return
        names = atlas.genes.tolist()
        upper = {gene.upper() for gene in names}
        alike = sum(gene.upper() in upper for gene in genes[name]) / len(genes[name])
        why, fix = "", "take an atlas of the whole transcriptome, or one of the same panel"
        if np.mean([ENSEMBL.fullmatch(gene) is not None for gene in names]) >= ODD:
            why = ": its names are Ensembl ids"
            fix = "name the column of `var` with the symbols: `reference: {gene: ...}`"
        elif alike >= limit and np.mean([TITLE_CASE.fullmatch(gene) is not None for gene in names]) >= ODD:
            why, fix = ": its names are those of another species", "take an atlas of the species of the data"
        elif alike >= limit:
            why, fix = ": its names are in another case", "write its symbols as the data does"
        yield Finding(
            status="fail",
            text=f"the reference has {percent(share)} of the {count(len(genes[name]), 'gene')} of {name} "
            f"({percent(limit)} wanted){why}",
            fix=fix,
            statistic=share,
            threshold=limit,
            genes=tuple(sorted(set(genes[name]) - set(names))),
        )


def _labels(atlas: Atlas, least: int) -> Iterator[Finding]:
    labels = sorted(set(atlas.labels.tolist()))
    if len(labels) < least:
        yield Finding(
            status="fail",
            text=f"the cells of the reference have {count(len(labels), 'label')} ({some(labels)})",
            fix="name the column of `obs` that tells cells apart: `reference: {labels: ...}`",
            statistic=len(labels),
            threshold=least,
        )


def _donors(atlas: Atlas, tested: Collection[str]) -> Iterator[Finding]:
    people = {normalised(who): who for who in tested if known(who)}
    both = sorted(people[normalised(who)] for who in atlas.patients if normalised(who) in people)
    if both:
        yield Finding(
            status="fail",
            text=f"{count(len(both), 'tested patient')} of the data gave cells to the reference "
            f"({some(both)})",
            fix="leave these donors out of the atlas, or these patients out of the data",
            statistic=len(both),
            threshold=0.0,
        )
