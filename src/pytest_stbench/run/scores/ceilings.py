"""Ceilings of scores: computed once a fold and kept in the store, since no model changes them.

A ceiling stands beside scores and moves none of them, so that ten repeats are enough: their standard error is
shown with it. A score that is read between floor and ceiling has the ceiling 1, whatever the ten repeats
say of it: what they leave open is in the score.
"""

from __future__ import annotations

import math
from itertools import islice
from statistics import stdev
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_stbench.models.identity import digest_of
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Truth
    from pytest_stbench.run.scores.scoring import Scorer
    from pytest_stbench.store.store import Store

    Stored = list[float | None]

KIND = "ceilings"
REPEATS = 10
MIN_HEADROOM = 0.02
TOLERANCE = 1e-9

BySlide = dict[str, "Ceiling"]


class Ceiling(NamedTuple):
    """Mean over repeats and the standard error of that mean; nan where there is none."""

    value: float
    error: float


class Ceilings:
    """Scores repeated measurements, one as the prediction of the other."""

    def __init__(self, scorer: Scorer, store: Store) -> None:
        self._scorer = scorer
        self._store = store

    def of(self, fold: FoldData, truths: Mapping[str, Truth], parts: Mapping[str, Any]) -> dict[str, BySlide]:
        """Return the ceiling of every metric on every test slide.

        `parts` says what the fold was made from, as in the key of a prediction.
        """
        made = {"metrics": self._scorer.described, "at 1": sorted(self._scorer.read_to_ceiling)}
        key = digest_of({**parts, **made, "code": code_version("metrics")})
        known = self._store.recall(KIND, key, _read)
        if known is None:
            kept = self._compute(fold, truths)
            self._store.remember(KIND, key, kept)
            known = _read(kept)
        return known

    def _compute(self, fold: FoldData, truths: Mapping[str, Truth]) -> dict[str, dict[str, Stored]]:
        slides = {slide.meta.slide_id: slide for slide in fold.test}
        found: dict[str, dict[str, Stored]] = {name: {} for name in self._scorer.names}
        for slide_id, truth in truths.items():
            values: dict[str, list[float]] = {name: [] for name in self._scorer.names}
            repeats = fold.question.repeats(slides[slide_id], fold, truth)
            for target, predicted in islice(repeats, REPEATS):
                for metric, value in self._scorer.slide(target, predicted).items():
                    values[metric].append(value.value)
            for metric, drawn in values.items():
                mean, error = _summary(drawn)
                if metric in self._scorer.read_to_ceiling and not math.isnan(mean):
                    mean, error = 1.0, math.nan
                found[metric][slide_id] = [_known(mean), _known(error)]
        return found


def _read(kept: Mapping[str, Mapping[str, Stored]]) -> dict[str, BySlide]:
    return {
        metric: {
            slide: Ceiling(*(math.nan if value is None else value for value in pair))
            for slide, pair in values.items()
        }
        for metric, values in kept.items()
    }


def _summary(drawn: list[float]) -> tuple[float, float]:
    """Return the mean of the defined values and its standard error."""
    values = [value for value in drawn if not math.isnan(value)]
    mean = math.fsum(values) / len(values) if values else math.nan
    return mean, stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def skill(value: float, simple: float, ceiling: float, better: str) -> float:
    """Return how much of the way from the simple baseline to the ceiling a model has gone.

    0 is the baseline, 1 the ceiling; below 0 is worse than the baseline. nan without one of the
    three, for a metric without direction, and where the ceiling is less than 0.02 better than the
    baseline (no headroom).
    """
    sign = {"up": 1.0, "down": -1.0}.get(better, math.nan)
    room = sign * (ceiling - simple)
    if math.isnan(room) or math.isnan(value) or room < MIN_HEADROOM - TOLERANCE:
        return math.nan
    return sign * (value - simple) / room
