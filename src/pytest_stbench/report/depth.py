"""The same sample at several resolutions: depth side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.report.width import fitted, left_out_line
from pytest_stbench.results.checklist import depth_median

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.results.provenance import DatasetRecord

COLUMNS = ("libsize_median", "genes_median", "zero_share", "cells_median")
HEADER = (
    "units as", "resolution", "units", "counts", "genes", "zeros", "cells", "follows depth", "same genes",
    "transcripts",
)  # fmt: skip
FIRST = ("units as", "units", "counts", "follows depth", "genes", "zeros", "same genes")
"""Columns in the order in which they are kept where a terminal is narrow."""


def depth_lines(datasets: Iterable[DatasetRecord], width: int | None = None) -> list[str]:
    """Return one line for each way in which the units of a data set were formed.

    Counts, genes, zeros and cells are medians over slides of the slide's median over its units. How far
    genes follow the total count of the unit is an absolute Spearman correlation, median over genes, then
    slides; `same genes` has it for the genes that the first kind of unit detects too, here and there.
    Data sets with one kind of unit have no lines. With a `width` the columns that do not fit are named.
    """
    by_name: dict[tuple[str, str], list[DatasetRecord]] = {}
    for dataset in datasets:
        by_name.setdefault((dataset.task, dataset.name.partition("+")[0]), []).append(dataset)
    lines: list[str] = []
    for (_, name), views in by_name.items():
        if len(views) > 1:
            lines += [f"resolutions of {name} (median over slides, per unit)"]
            table, left_out = fitted([list(HEADER), *map(_row, views)], FIRST, width and width - 2)
            lines += [f"  {line}" for line in (*table, *left_out_line(left_out))]
    return lines


def _row(view: DatasetRecord) -> list[str]:
    cells = [view.name, view.resolution or "-", f"{view.n_units:,}"]
    for column in COLUMNS:
        middle = depth_median(view.depth.values(), column)
        cells.append(
            "-" if middle is None else f"{middle:.2f}" if column == "zero_share" else f"{middle:,.0f}"
        )
    follows = ("follows_depth", "follows_depth_paired", "follows_depth_first")
    own, here, there = (depth_median(view.depth.values(), name) for name in follows)
    cells.append("-" if own is None else f"{own:.2f}")
    cells.append("-" if here is None or there is None else f"{here:.2f}, was {there:.2f}")
    return [*cells, _transcripts(view.notes)]


def _transcripts(notes: Mapping[str, int]) -> str:
    """Return where the transcripts went: all that were read, and how many for each reason."""
    parts = {
        note.removeprefix("transcripts_").replace("_", " "): n
        for note, n in notes.items()
        if note.startswith("transcripts_")
    }
    read = parts.pop("read", None)
    if read is None:
        return ""
    return f"{read:,} read: " + ", ".join(f"{n:,} {what}" for what, n in parts.items())
