"""Genomes in gene names, and genes of two species; a part of Q16."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from pytest_stbench.checks.result import Finding, count, others, percent, ranked, some

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GENOME = re.compile(
    r"(GRCh3[78]|hg(?:18|19|38)|(?:T2T-)?CHM13(?:v2\.0)?|GRCm3[89]|mm(?:9|10|39)|Rnor_6\.0|mRatBN7\.2|rn[5-7]|"
    r"GRCz1[01]|danRer1[01]|Sscrofa11\.1|Mmul_10|BDGP6|dm6)(?:-\d{4}-[A-Z])?_+.+",
    re.IGNORECASE,
)
"""A gene behind the assembly of its genome, as references of several species name it."""

SPECIES = re.compile(r"(ENS[A-Z]*G)\d+(\.\d+)?")


def genomes(panels: Mapping[str, Sequence[str]], min_share: float) -> list[Finding]:
    """Return findings on slides whose names carry a genome, or are Ensembl ids of several species.

    Each counts from `min_share` of the names of a slide on.
    """
    return [
        *_found(
            panels, GENOME, min_share, "begin with a genome",
            "keep the genes of one species, and take the genome off their names",
        ),
        *_found(
            panels, SPECIES, min_share, "are Ensembl ids of several species",
            "keep the genes of one species: those of the other are of host or graft", several=True,
        ),
    ]  # fmt: skip


def _found(
    panels: Mapping[str, Sequence[str]],
    pattern: re.Pattern[str],
    min_share: float,
    what: str,
    fix: str,
    *,
    several: bool = False,
) -> list[Finding]:
    kinds: dict[str, Counter[str]] = {}
    known: dict[tuple[str, ...], Counter[str]] = {}
    for slide, genes in panels.items():
        key = tuple(genes)
        if key not in known:
            matches = (pattern.fullmatch(name) for name in key)
            times = Counter(match[1] for match in matches if match)
            known[key] = Counter({kind: n for kind, n in times.items() if n >= min_share * len(key)})
        if len(known[key]) > several:
            kinds[slide] = known[key]
    slides = ranked({slide: sum(times.values()) / len(panels[slide]) for slide, times in kinds.items()})
    if not slides:
        return []
    times = kinds[slides[0]]
    share = sum(times.values()) / len(panels[slides[0]])
    listed = some([f"{kind} {n:,}" for kind, n in times.most_common()])
    species = f", so they are of {count(len(times), 'genome')}" if len(times) > 1 else ""
    named = [name for name in panels[slides[0]] if (match := pattern.fullmatch(name)) and match[1] in times]
    return [
        Finding(
            status="fail",
            text=f"{percent(share)} of the names of slide {slides[0]} {what} ({listed}){species}"
            f"{others(slides)}",
            fix=fix,
            statistic=share,
            threshold=min_share,
            slides=slides,
            genes=tuple(sorted(named)),
        )
    ]
