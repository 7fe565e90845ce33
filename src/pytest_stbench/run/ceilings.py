"""Ceilings of scores: computed once a fold and kept in the store, since no model changes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_stbench.models.identity import digest_of
from pytest_stbench.run.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Truth
    from pytest_stbench.run.scoring import Scorer
    from pytest_stbench.run.store import Store

KIND = "ceilings"
MIN_HEADROOM = 0.02
TOLERANCE = 1e-9

BySlide = dict[str, float]


class Ceilings:
    """Scores repeated measurements, one as the prediction of the other."""

    def __init__(self, scorer: Scorer, store: Store) -> None:
        self._scorer = scorer
        self._store = store

    def of(self, fold: FoldData, truths: Mapping[str, Truth], parts: Mapping[str, Any]) -> dict[str, BySlide]:
        """Return the ceiling of every metric on every test slide; nan where it has none.

        `parts` says what the fold was made from, as in the key of a prediction.
        """
        key = digest_of({**parts, "metrics": self._scorer.described, "code": code_version("metrics")})
        known = self._store.recall(KIND, key)
        if known is None:
            known = self._compute(fold, truths)
            self._store.remember(KIND, key, known)
        return {
            metric: {slide: math.nan if value is None else value for slide, value in values.items()}
            for metric, values in known.items()
        }

    def _compute(self, fold: FoldData, truths: Mapping[str, Truth]) -> dict[str, dict[str, float | None]]:
        slides = {slide.meta.slide_id: slide for slide in fold.test}
        found: dict[str, dict[str, float | None]] = {}
        for slide_id, truth in truths.items():
            sums: dict[str, list[float]] = {}
            for target, predicted in fold.question.repeats(slides[slide_id], fold, truth):
                for metric, value in self._scorer.slide(target, predicted).items():
                    sums.setdefault(metric, []).append(value.value)
            for metric in self._scorer.names:
                defined = [value for value in sums.get(metric, ()) if not math.isnan(value)]
                mean = math.fsum(defined) / len(defined) if defined else None
                found.setdefault(metric, {})[slide_id] = mean
        return found


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
