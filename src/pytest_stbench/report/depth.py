"""The same sample at several resolutions: depth side by side."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from pytest_stbench.report.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_stbench.results.provenance import DatasetRecord

COLUMNS = ("libsize_median", "genes_median", "zero_share", "cells_median")
HEADER = ("units as", "resolution", "units", "counts", "genes", "zeros", "cells", "transcripts")


def depth_lines(datasets: Iterable[DatasetRecord]) -> list[str]:
    """Return one line for each way in which the units of a data set were formed.

    Counts, genes, zeros and cells are medians over slides of the slide's median over its units.
    Data sets with one kind of unit have no lines.
    """
    by_name: dict[tuple[str, str], list[DatasetRecord]] = {}
    for dataset in datasets:
        by_name.setdefault((dataset.task, dataset.name.partition("+")[0]), []).append(dataset)
    lines: list[str] = []
    for (_, name), views in by_name.items():
        if len(views) > 1:
            lines += [f"resolutions of {name} (median over slides, per unit)"]
            lines += [f"  {line}" for line in aligned([list(HEADER), *map(_row, views)])]
    return lines


def _row(view: DatasetRecord) -> list[str]:
    cells = [view.name, view.resolution or "-", f"{view.n_units:,}"]
    for column in COLUMNS:
        values = [found[column] for found in view.depth.values() if found.get(column) is not None]
        middle = median(value for value in values if value is not None) if values else None
        cells.append(
            "-" if middle is None else f"{middle:.2f}" if column == "zero_share" else f"{middle:,.0f}"
        )
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
