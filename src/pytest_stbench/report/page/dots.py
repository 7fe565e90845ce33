"""Values of patients on one scale, between the trivial and the simple baseline and the ceiling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count
from pytest_stbench.report.page.render import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_stbench.report.page.boards import Board, Entry

MARGIN = 2.0
"""Percent of the width left free at both ends."""
TICKS = 5
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
APART = 9.0
"""Percent of the width that two labels of lines need between them."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across all rows: T, S or the ceiling."""

    name: str
    what: str
    x: str
    level: int


@dataclass(frozen=True, slots=True)
class Row:
    """One model: its patients, mean and interval, as percentages of the width."""

    entry: Entry
    kind: str
    dots: tuple[tuple[str, str, str], ...]
    mean: str
    low: str
    span: str
    said: str


@dataclass(frozen=True, slots=True)
class Dots:
    """The chart of one board."""

    rows: tuple[Row, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[str, str], ...]


def dots_of(board: Board) -> Dots | None:
    """Return the chart of the primary metric; None where it is undefined everywhere."""
    entries = [entry for entry in board.head() if entry.score.role != "control"]
    entries = [e for e in entries if e.score.value is not None and e.same_as != e.label]
    if not entries:
        return None
    lines = _lines(board, entries)
    points = [value for _, _, value in lines]
    for entry in entries:
        score = entry.score
        points += [value for value in score.per_patient.values() if value is not None]
        points += [value for value in (score.ci_low, score.ci_high) if value is not None]
    low, high = min(points), max(points)
    width = (high - low) or abs(high) or 1.0

    def at(value: float) -> str:
        return f"{MARGIN + (100 - 2 * MARGIN) * (value - low) / width:.2f}"

    marks: list[Mark] = []
    for name, what, value in sorted(lines, key=lambda line: line[2]):
        x = at(value)
        near = {mark.level for mark in marks if float(x) - float(mark.x) < APART}
        marks.append(Mark(name, what, x, next(level for level in range(9) if level not in near)))
    ordered = sorted(entries, key=lambda entry: entry.score.role != "model")
    return Dots(
        tuple(_row(entry, at) for entry in ordered),
        tuple(marks),
        tuple((at(tick), text) for tick, text in ticks(low, low + width)),
    )


def _lines(board: Board, entries: Sequence[Entry]) -> list[tuple[str, str, float]]:
    lines = []
    for name, which in (("T", "trivial"), ("S", "simple")):
        entry = board.reference(which)
        if entry is not None and entry.score.value is not None:
            lines.append((name, entry.score.model, entry.score.value))
    ceiling = next((entry.score.ceiling for entry in entries if entry.score.ceiling is not None), None)
    return (
        [*lines, ("ceiling", "what the noise of the truth allows", ceiling)] if ceiling is not None else lines
    )


def _row(entry: Entry, place: Callable[[float], str]) -> Row:
    score = entry.score
    value = score.value or 0.0
    dots = tuple(
        (patient, place(found), shown(found))
        for patient, found in score.per_patient.items()
        if found is not None
    )
    low = high = value
    said = f"{entry.label}: {shown(score.value)}, {count(score.n_patients, 'patient')}"
    if score.ci_low is not None and score.ci_high is not None:
        low, high = score.ci_low, score.ci_high
        said += f", 95% interval {shown(low)} to {shown(high)}"
    span = f"{float(place(high)) - float(place(low)):.2f}"
    return Row(entry, score.role, dots, place(value), place(low), span, said)


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return about five round values from `low` to `high` with their text."""
    rough = (high - low) / TICKS
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * scale for factor in STEPS if factor * scale >= rough)
    places = max(0, -math.floor(math.log10(step) + 1e-9)) + (1 if step / scale == STEPS[2] else 0)
    first = math.ceil(low / step)
    return [
        (n * step, shown(n * step, places) if n else "0")
        for n in range(first, first + 2 * TICKS)
        if n * step <= high + 1e-9 * step
    ]
