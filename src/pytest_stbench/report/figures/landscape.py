"""The field's benchmarks as a table, read from the page of the documentation that holds it."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd

from pytest_stbench.report.figures.figure import INK, PAGE, PALE, QUIET, SMALL, Made, page
from pytest_stbench.resources import landscape_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from pytest_stbench.results.provenance import DatasetRecord

NAME = "landscape"
TITLE = "Benchmarks of expression from H&E"
SECTIONS = ("Data and patients", "Panels and genes", "Metrics and uncertainty")
"""Headings of the page; the first table below each is taken."""
YOURS = "your data"
FIRST_MM = 22.0
LINE_MM = 2.55
PER_MM = 0.86
"""Letters of the smallest size that fit on a millimetre."""


def landscape(records: Sequence[DatasetRecord] = ()) -> Made:
    """Return the figure; `records` are the data sets of the user, which get a column of their own."""
    table = landscape_table(landscape_page(), records)
    return Made(
        name=NAME,
        title=TITLE,
        caption=(
            "Data, splits, genes and metrics of published benchmarks, as docs/landscape.md of this package "
            "states them with links and snapshots. [C] read in code or data files, [D] in README, data card "
            "or abstract, [I] in an issue, [R] computed, [?] not found or not verified"
            f"{'; the last column is what the checks read of your data' if records else ''}. Projects "
            "change: check the current version before you rely on a cell."
        ),
        tables={"": table},
        draw=lambda: _draw(table),
    )


def landscape_table(text: str, records: Sequence[DatasetRecord] = ()) -> pd.DataFrame:
    """Return aspects by benchmarks out of the tables of the page, cells as plain text."""
    parts: list[pd.DataFrame] = []
    for section in SECTIONS:
        (_, *heads), *rows = _table_below(text, section)
        part = pd.DataFrame(
            [row[1:] for row in rows],
            index=[short(row[0]) for row in rows],
            columns=[short(h) for h in heads],
        )
        # The first table has a column for each benchmark, others a row.
        part = part.T if parts and set(part.index) == set(parts[0].columns[2:]) else part
        part.insert(0, "aspect", part.index)
        part.insert(0, "section", section)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    if records:
        table[YOURS] = [_yours(aspect, records) for aspect in table["aspect"]]
    return table


def _table_below(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, its head first."""
    _, _, below = text.partition(f"\n## {heading}\n")
    lines = below.split("\n## ", 1)[0].splitlines()
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            rows.append([plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]])
        elif rows:
            break
    return [rows[0], *rows[2:]]


def short(name: str) -> str:
    """Return the name of a benchmark without its citation."""
    return re.sub(r"\s*(\(.*\)| \d{4})$", "", name)


def plain(cell: str) -> str:
    """Return a cell without the marks of Markdown: links become their text."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", cell)
    return re.sub(r"[`*]", "", text).strip()


def _yours(aspect: str, records: Sequence[DatasetRecord]) -> str:
    """Return what is known of the user's data."""

    def said(values: Any) -> str:
        return ", ".join(dict.fromkeys(value for value in values if value)) or "not said"

    people = len({who for record in records for who in record.patients.values()})
    if aspect == "technologies":
        return said(record.technology for record in records)
    if aspect == "resolution":
        return said(record.resolution for record in records)
    if aspect == "slides, patients":
        slides = sum(record.n_slides for record in records)
        return f"{slides:,} slide{'s'[: slides != 1]} of {people:,} patient{'s'[: people != 1]}"
    if aspect == "panels":
        return said(panel for record in records for panel in record.panels)
    return ""


def _draw(table: pd.DataFrame) -> Figure:
    names = [name for name in table.columns if name not in ("section", "aspect")]
    width = (PAGE - FIRST_MM) / len(names)
    letters = int(width * PER_MM) - 1
    rows: list[tuple[str, list[str]]] = [("", names)]
    section = ""
    for _, row in table.iterrows():
        if row["section"] != section:
            section = row["section"]
            rows.append((section, []))
        rows.append((row["aspect"], [row[name] for name in names]))
    wrapped = [
        (
            textwrap.fill(first, int(FIRST_MM * PER_MM) - 1) if cells else first,
            [textwrap.fill(c, letters) for c in cells],
        )
        for first, cells in rows
    ]
    heights = [
        max(text.count("\n") + 1 for text in (first, *cells)) * LINE_MM + 1.4 for first, cells in wrapped
    ]
    total = sum(heights) + 2
    figure = page(PAGE, total)
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_xlim(0, PAGE)
    ax.set_ylim(total, 0)
    ax.set_axis_off()
    y = 1.0
    for (first, cells), height in zip(wrapped, heights, strict=True):
        if not cells:
            ax.axhspan(y, y + height, color=PALE, linewidth=0)
        how: dict[str, Any] = {"va": "top", "fontsize": SMALL, "color": INK, "linespacing": 1.1}
        head = y == 1.0
        ax.text(1, y + 0.6, first, fontweight="bold" if not cells else "normal", **how)
        for place, text in enumerate(cells):
            ax.text(FIRST_MM + place * width, y + 0.6, text, fontweight="bold" if head else "normal", **how)
        y += height
        ax.axhline(y, color=QUIET, linewidth=0.3)
    return figure
