"""Who gained and lost most, in words: the same in a run's summary and in ``stbench compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.gate.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_stbench.results.run_changes import PatientChange

MOST = 3
"""How many are named on each side."""
Pairs = list[tuple[str, float]]
PLURALS = {"niche": "niches", "class": "classes"}


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{'+' if value > 0 else ''}{number(value)}"


def lost_most(pairs: Iterable[tuple[str, float]], most: int = MOST) -> str:
    """Return the largest losses, largest first: ``P02 -0.010, P05 -0.002``; empty where nobody lost."""
    lost = sorted((pair for pair in pairs if pair[1] < 0), key=lambda pair: (pair[1], pair[0]))
    return ", ".join(f"{name} {signed(value)}" for name, value in lost[:most])


def gained_most(pairs: Iterable[tuple[str, float]], most: int = MOST) -> str:
    """Return the largest gains, largest first; empty where nobody gained."""
    gained = sorted((pair for pair in pairs if pair[1] > 0), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name} {signed(value)}" for name, value in gained[:most])


def by_kind(changes: Sequence[PatientChange], named: dict[str, Pairs]) -> dict[str, Pairs]:
    """Return what gained and lost by what it is: patients, slides where a patient has several, then names."""
    kinds = {"patients": [(change.patient, change.difference) for change in changes]}
    if any(len(change.slides) > 1 for change in changes):
        kinds["slides"] = [(one.slide, one.difference) for change in changes for one in change.slides]
    return {**kinds, **{PLURALS.get(level, f"{level}s"): pairs for level, pairs in named.items()}}


def moved_lines(kinds: dict[str, Pairs]) -> list[str]:
    """Return two lines at most: who lost most, and who gained most, of every kind."""
    lines = []
    for title, told in (("lost most", lost_most), ("gained most", gained_most)):
        parts = [f"{kind} {text}" for kind, pairs in kinds.items() if (text := told(pairs))]
        if parts:
            lines.append(f"{title}: {'; '.join(parts)}")
    return lines
