"""Genomes in gene names, genes of two species, and symbols that no annotation knows; parts of Q16."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.checks.result import Finding, worst_slide
from pytest_stbench.checks.wording import count, percent, ranked, some
from pytest_stbench.resources import gene_aliases, gene_symbols

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BUILTIN = "GENCODE 48"
MIN_SYMBOLS = 20
"""Of fewer symbols a few new ones are a large share."""


def unknown_symbols(symbols: Sequence[str], reference: str | None, min_reference: float) -> list[Finding]:
    """Report when less than `min_reference` of 20 symbols or more are known, retired ones included.

    `reference` is a file with one symbol a line or a column ``gene``; None: GENCODE release 48.
    """
    if len(symbols) < MIN_SYMBOLS:
        return []
    try:
        listed = gene_symbols() if reference is None else _read_list(Path(reference))
    except (OSError, UnicodeDecodeError) as error:
        return [
            Finding(
                status="warn",
                text=f"the list of reference symbols {reference} cannot be read ({type(error).__name__})",
                fix="give `reference:` the path of a text file with one symbol a line",
            )
        ]
    absent = [name for name in symbols if name not in listed and gene_aliases().get(name) not in listed]
    share = 1 - len(absent) / len(symbols)
    if share >= min_reference:
        return []
    return [
        Finding(
            status="warn",
            text=f"{percent(share)} of {count(len(symbols), 'symbol')} are known ({reference or BUILTIN}), "
            f"less than {percent(min_reference)} (not: {some(absent)})",
            fix="name genes by HGNC symbol, human ones alone, or list the symbols of your annotation in a "
            "file (`reference: FILE`)",
            statistic=share,
            threshold=min_reference,
            genes=tuple(absent),
        )
    ]


def _read_list(path: Path) -> frozenset[str]:
    """Return the genes of a file with one a line, or of its column ``gene``."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = [cell.strip() for cell in lines[0].split(",")] if lines else []
    if "gene" in header:
        return frozenset(row["gene"].strip() for row in csv.DictReader(lines) if row["gene"])
    return frozenset(line.strip() for line in lines if line.strip())


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
    shares = {slide: sum(times.values()) / len(panels[slide]) for slide, times in kinds.items()}

    def text(slide: str) -> str:
        times = kinds[slide]
        listed = some([f"{kind} {n:,}" for kind, n in times.most_common()])
        species = f", so they are of {count(len(times), 'genome')}" if len(times) > 1 else ""
        return f"{percent(shares[slide])} of the names of slide {slide} {what} ({listed}){species}"

    def named(slide: str) -> tuple[str, ...]:
        matches = ((name, pattern.fullmatch(name)) for name in panels[slide])
        return tuple(sorted(name for name, match in matches if match and match[1] in kinds[slide]))

    return worst_slide(shares, text, fix, min_share, genes={name: named(name) for name in ranked(shares)[:1]})
