"""How a table of text is written: what separates its cells, and what stands before its header."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

REMARK = "#"


def separator_in(path: Path, header: str) -> str:
    """Return what separates the cells of a table: a tab of ``.tsv``, else a comma.

    A header with semicolons and no comma is that of a csv as spreadsheets write it where a comma
    stands in decimal numbers; one with tabs and no comma that of a table with another ending (GEM).
    """
    tabs = "\t" in header and "," not in header
    if tabs or ".tsv" in (suffix.lower() for suffix in path.suffixes):
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def before_header(path: Path) -> tuple[int, str]:
    """Return how many lines stand before the header of a table, and its separator.

    These are lines such as ``#Selection name: tumour``, which viewers write above what they export, and
    ``#FileFormat=GEMv0.1`` of Stereo-seq.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace") as stream:
        for above, line in enumerate(stream):
            if not (line.startswith(REMARK) and (":" in line or "=" in line)):
                return above, separator_in(path, line)
    return 0, separator_in(path, "")
