"""A samples table in the place of a data set: what can be judged before any matrix is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_stbench.checks.result import Finding, count, others, percent, ranked
from pytest_stbench.spec.model import DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.splits.table import Sample

GENE_COLUMNS = ("n_genes", "nb_genes")
PITCH_COLUMNS = ("pitch_um", "inter_spot_dist_um")
MANY_MORE = 1.2


@dataclass(frozen=True, kw_only=True)
class SampleTable:
    """The samples of a data set, with its panels where their lists are known, and no slide.

    Checks that need metadata alone judge it as they judge a data set: patients, leakage, missing
    fields, panels; numbers of genes (``n_genes``, ``nb_genes``) and spacings (``pitch_um``,
    ``inter_spot_dist_um``) are taken from further columns of the table.
    """

    name: str
    samples: Sequence[Sample]
    config: DatasetSpec = field(default_factory=lambda: DatasetSpec(source="h5ad"))
    panels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def slides(self) -> Iterator[Slide]:
        """Yield nothing."""
        return iter(())


def number_in(sample: Sample, columns: Sequence[str]) -> float | None:
    """Return the first of `columns` that holds a positive number."""
    for column in columns:
        try:
            value = float(sample.extra.get(column, "nan"))
        except (TypeError, ValueError):
            continue
        if 0 < value < float("inf"):
            return value
    return None


def gene_count_findings(
    samples: Sequence[Sample], panels: Mapping[str, Sequence[str]], *, min_share: float, warn_share: float
) -> list[Finding]:
    """Return what the declared numbers of genes tell: mixed universes, and more genes than the panel.

    Slides without a list of genes are compared by how many they declare; a slide with a list by
    whether it declares over 1.2 times as many, as where controls are counted as genes.
    """
    declared = {s.slide: n for s in samples if (n := number_in(s, GENE_COLUMNS)) is not None}
    findings = []
    extra = ranked(
        {
            slide: n / len(panels[slide])
            for slide, n in declared.items()
            if panels.get(slide) and n > MANY_MORE * len(panels[slide])
        }
    )
    if extra:
        first = extra[0]
        findings.append(
            Finding(
                status="warn",
                text=f"slide {first} is said to have {declared[first]:,.0f} genes and its panel has "
                f"{len(panels[first]):,}: controls seem to be counted as genes{others(extra)}",
                fix="take control probes and codewords out, and count the genes of the panel",
                statistic=declared[first],
                threshold=len(panels[first]),
                slides=extra,
            )
        )
    alone = {slide: n for slide, n in declared.items() if not panels.get(slide)}
    if alone:
        share = min(alone.values()) / max(alone.values())
        if share < warn_share:
            few = tuple(sorted(slide for slide, n in alone.items() if n < warn_share * max(alone.values())))
            findings.append(
                Finding(
                    status="fail" if share < min_share else "warn",
                    text=f"slides list {min(alone.values()):,.0f} to {max(alone.values()):,.0f} genes "
                    f"({percent(share)}; {percent(warn_share)} wanted): other probe sets or annotations are "
                    f"mixed, {count(len(few), 'slide')} with the fewer",
                    fix="evaluate probe sets separately, or only genes that all of them measure",
                    statistic=share,
                    threshold=min_share if share < min_share else warn_share,
                    slides=few,
                )
            )
    return findings
