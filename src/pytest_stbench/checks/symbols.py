"""Gene symbols that no annotation knows: another species, another naming, or invented."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.checks.result import Finding, count, percent, some
from pytest_stbench.resources import gene_aliases, gene_symbols

if TYPE_CHECKING:
    from collections.abc import Sequence

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
