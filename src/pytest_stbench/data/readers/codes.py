"""Codes that stand where names are missing: numbers that mean another class, or person, in each file."""

from __future__ import annotations

from typing import Any

from pytest_stbench.data.readers import hdf5

NOTE = "codes_without_name:"
"""Before the label whose classes are codes without names, in the notes of a slide."""

MAX_CODES = 200


def without_name(frame: Any, column: str, *, several: bool) -> int:
    """Return how many rows of a column hold a code whose name is missing; 0 for other columns.

    A factor may lack names of its codes. A column of the whole numbers 0, 1 ... is codes too where
    the frame keeps the names of other factors apart, or where `several` files number their own:
    0 of one file need not be 0 of the next.
    """
    missing = hdf5.nameless(frame, column)
    if missing:
        return missing
    apart = hasattr(frame, "keys") and hdf5.CATEGORIES in frame
    if not (apart or several) or not hdf5.is_number(frame, column):
        return 0
    names, codes = hdf5.categories(frame, column)
    counted = len(names) <= MAX_CODES and sorted(names) == sorted(map(str, range(len(names))))
    return int((codes >= 0).sum()) if counted else 0


def notes_of(frame: Any, columns: dict[str, str], *, several: bool) -> dict[str, int]:
    """Return the notes on labels (``niche`` ... by column) whose classes are codes without names."""
    found = {label: without_name(frame, column, several=several) for label, column in columns.items()}
    return {f"{NOTE}{label}": number for label, number in found.items() if number}
