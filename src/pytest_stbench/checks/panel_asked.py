"""Genes that a task asks of slides that did not measure them; a part of Q01."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.result import Finding, worst_slide
from pytest_stbench.checks.wording import count, percent, ranked

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Genes = frozenset[str]


def requested(
    panels: Mapping[str, Genes],
    union: Genes,
    complete: Mapping[str, bool],
    task_genes: Collection[str] | None,
    max_missing: float,
) -> list[Finding]:
    """Return the slides that lack more genes of the task than is allowed."""
    wanted = frozenset(map(str, task_genes or ()))
    if not wanted:
        return []
    lacking = {slide: wanted - (union if complete[slide] else genes) for slide, genes in panels.items()}
    over = ranked({s: len(genes) for s, genes in lacking.items() if len(genes) / len(wanted) > max_missing})
    if not over:
        return []
    worst = over[0]
    also = f"{count(len(over) - 1, 'other slide')} over {percent(max_missing)} too"
    more = f" ({also})" if len(over) > 1 else ""
    return [
        Finding(
            status="fail",
            text=f"slide {worst} lacks {len(lacking[worst]):,} of {count(len(wanted), 'task gene')} "
            f"({percent(len(lacking[worst]) / len(wanted))}; {percent(max_missing)} allowed){more}",
            fix="leave these slides out, or ask only for genes that every slide measured",
            statistic=len(lacking[worst]) / len(wanted),
            threshold=max_missing,
            slides=over,
            genes=tuple(sorted(lacking[worst])),
        )
    ]


def taken_as_zero(
    panels: Mapping[str, Genes], union: Genes, complete: Mapping[str, bool], max_missing: float
) -> list[Finding]:
    """Report slides of targeted panels on which genes that they did not measure count as zero."""
    lacking = {slide: union - genes for slide, genes in panels.items() if not complete[slide]}
    numbers = {slide: len(genes) for slide, genes in lacking.items() if genes}
    share = max(numbers.values(), default=0) / max(len(union), 1)
    return worst_slide(
        numbers,
        lambda slide: f"`absent_gene: zero` makes {count(numbers[slide], 'gene')} of slide {slide} zero "
        f"({percent(share)}) that its targeted panel did not measure",
        "write `absent_gene: intersect`, or `mask` to score every slide on its own genes",
        max_missing if share > max_missing else 0.0,
        status="fail" if share > max_missing else "warn",
        statistic=share,
        genes={slide: tuple(sorted(genes)) for slide, genes in lacking.items()},
    )  # fmt: skip
