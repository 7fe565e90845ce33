"""Markdown of text that somebody else wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SIGNS = "\\|<*_`["


def plain(text: str) -> str:
    """Return text on one line that Markdown shows as it is."""
    for sign in _SIGNS:
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of text."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(plain, cells))} |" for cells in lines)
