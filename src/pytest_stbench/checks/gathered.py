"""Units that gather what lies in no unit: far deeper than all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.result import Finding, count, others, percent, ranked, some
from pytest_stbench.checks.values import as_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.data.slide import Slide

MOST = 0.01
"""Share of the units of a slide that may gather: one a field of view, of many."""


def gathering(slide: Slide, ratio: float, share: float) -> tuple[tuple[str, ...], float]:
    """Return the units that gather what is in none, deepest first, and their share of all counts.

    Those above the first gap of more than `ratio` times between a unit and the next deepest, among the
    deepest hundredth of the units (one at least), if together they hold more than `share`.
    """
    totals = as_numbers(slide.libsize)
    totals = np.where(np.isfinite(totals) & (totals > 0), totals, 0.0)
    n = min(len(totals) - 1, max(1, int(MOST * len(totals))))
    if n < 1:
        return (), 0.0
    order = np.argsort(-totals, kind="stable")[: n + 1]
    deep = totals[order]
    gaps = np.flatnonzero(deep[:-1] > ratio * deep[1:])
    if not len(gaps):
        return (), 0.0
    held = float(deep[: gaps[0] + 1].sum() / totals.sum())
    names = np.asarray(slide.unit_names).astype(str)[order[: gaps[0] + 1]]
    return (tuple(names.tolist()), held) if held > share else ((), held)


def gathered(
    units: Mapping[str, tuple[str, ...]], held: Mapping[str, float], ratio: float, share: float
) -> list[Finding]:
    """Return the finding on slides with such units; none without any."""
    worst = ranked({name: held[name] for name, found in units.items() if found})
    if not worst:
        return []
    names = units[worst[0]]
    verb = "holds" if len(names) == 1 else "hold"
    return [
        Finding(
            status="fail",
            text=f"{count(len(names), 'unit')} of slide {worst[0]} ({some(names)}) {verb} "
            f"{percent(held[worst[0]])} of all counts ({percent(share)} allowed) and over {ratio:g} times "
            f"those of the next{others(worst)}",
            fix="that is no cell but what lies in none: leave it out of the files, or mark its transcripts "
            "as in no cell (docs/formats.md says how)",
            statistic=held[worst[0]],
            threshold=share,
            slides=worst,
        )
    ]
