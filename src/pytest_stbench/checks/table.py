"""A samples table in the place of a data set: what can be judged before any matrix is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_stbench.checks.result import Finding, limited, worst_slide
from pytest_stbench.checks.wording import count, percent, ranked
from pytest_stbench.spec.model import DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_stbench.checks.subject import Subject
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


def gene_count_findings(dataset: Subject, *, min_share: float, warn_share: float) -> list[Finding]:
    """Return what the declared numbers of genes tell: mixed universes, and more genes than the panel.

    Slides without a list of genes are compared by how many they declare; a slide with a list by
    whether it declares over 1.2 times as many, as where controls are counted as genes.
    """
    panels = dataset.panels
    declared = {s.slide: n for s in dataset.samples if (n := number_in(s, GENE_COLUMNS)) is not None}
    extra = {
        slide: n / len(panels[slide])
        for slide, n in declared.items()
        if panels.get(slide) and n > MANY_MORE * len(panels[slide])
    }
    worst = ranked(extra)[:1]
    findings = worst_slide(
        extra,
        lambda slide: f"slide {slide} is said to have {declared[slide]:,.0f} genes and its panel has "
        f"{len(panels[slide]):,}: controls seem to be counted as genes",
        "take control probes and codewords out, and count the genes of the panel",
        sum(len(panels[slide]) for slide in worst), status="warn",
        statistic=sum(declared[slide] for slide in worst),
    )  # fmt: skip
    alone = {slide: n for slide, n in declared.items() if not panels.get(slide)}
    share = min(alone.values()) / max(alone.values()) if alone else 1.0
    if broken := limited(share, warn=warn_share, fail=min_share, below=True):
        status, limit = broken
        least, most = min(alone.values()), max(alone.values())
        few = tuple(sorted(slide for slide, n in alone.items() if n < warn_share * most))
        findings.append(
            Finding(
                status=status,
                text=f"slides list {least:,.0f} to {most:,.0f} genes "
                f"({percent(share)}; {percent(warn_share)} wanted): other probe sets or annotations are "
                f"mixed, {count(len(few), 'slide')} with the fewer",
                fix="evaluate probe sets separately, or only genes that all of them measure",
                statistic=share,
                threshold=limit,
                slides=few,
            )
        )
    return findings
