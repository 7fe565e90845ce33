"""Lines as wide as a terminal: prose broken between words, tables with the columns that fit."""

from __future__ import annotations

import os
import shutil
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_WIDTH = 40
CI_WIDTH = 160
"""Characters of a line in a log of CI, which is read on a phone as well."""


def terminal_width() -> int:
    """Return the columns of the terminal, :data:`MIN_WIDTH` at least."""
    return max(shutil.get_terminal_size().columns, MIN_WIDTH)


def line_width(*, watched: bool) -> int | None:
    """Return the width of lines: of the terminal that is `watched`, of a log of CI, or None for any."""
    if watched:
        return terminal_width()
    return CI_WIDTH if os.environ.get("CI") else None


def wrapped(line: str, taken: int = 0, width: int | None = None) -> Sequence[str]:
    """Return a line of prose broken between words to `width`, that of the terminal, less `taken` columns."""
    width = (width or terminal_width()) - taken
    margin = " " * (len(line) - len(line.lstrip()) + 8)
    return (
        textwrap.wrap(line, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False)
        if len(line) > width
        else [line]
    )


def for_ci(line: str) -> list[str]:
    """Return a line in parts of at most :data:`CI_WIDTH` characters."""
    if len(line) <= CI_WIDTH:
        return [line]
    margin = " " * (len(line) - len(line.lstrip()) + 9)
    return textwrap.wrap(line, CI_WIDTH, subsequent_indent=margin, break_on_hyphens=False)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines: the first two columns and the last flush left, the others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    left = {0, 1, len(widths) - 1}
    return [
        " ".join(
            cell.ljust(width) if column in left else cell.rjust(width + 1)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def flush_left(rows: Sequence[Sequence[str]], right_from: int | None = None) -> list[str]:
    """Return rows of cells as lines, flush left; columns from `right_from` on flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = len(widths) if right_from is None else right_from
    return [
        "  ".join(
            cell.ljust(width) if column < right else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def fitted(
    rows: Sequence[Sequence[str]], first: Sequence[str], width: int | None
) -> tuple[list[str], list[str]]:
    """Return the lines of a table whose first row is its header, and the names of columns left out.

    Parameters
    ----------
    rows
        Header and rows, of equally many cells.
    first
        Names of columns in the order in which they are kept, the others after them as they stand; the
        first of all is kept at any width.
    width
        Columns of the terminal that the lines may take; None for any.
    """
    if width is None:
        return aligned(rows), []
    header = rows[0]
    places = sorted(
        range(len(header)),
        key=lambda place: (first.index(header[place]) if header[place] in first else len(first), place),
    )
    kept = places[:1]
    for place in places[1:]:
        lines = _of(rows, sorted([*kept, place]))
        if max(map(len, lines)) <= width:
            kept.append(place)
    return _of(rows, sorted(kept)), [header[place] for place in sorted(places) if place not in kept]


def left_out_line(names: Sequence[str]) -> list[str]:
    """Return the line that names columns left out of a table; none where all are there."""
    return [f"left out for lack of width: {', '.join(names)}"] if names else []


def _of(rows: Sequence[Sequence[str]], places: Sequence[int]) -> list[str]:
    return aligned([[row[place] for place in places] for row in rows])
