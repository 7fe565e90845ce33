"""What scores are read against: made once a fold and kept in the store, since no model changes it.

A ceiling stands beside scores and moves none of them, so that ten repeats are enough: their standard error is
shown with it. A score that is read between floor and ceiling has the ceiling 1, whatever the ten repeats
say of it: what they leave open is in the score.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from statistics import stdev
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_stbench.families.anchors import ANCHORS
from pytest_stbench.store.memo import memo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Truth
    from pytest_stbench.run.scores.scoring import Scorer
    from pytest_stbench.store.store import Store

CEILINGS, ANCHORED = "ceilings", "anchors"
"""Kinds of what the store keeps."""
REPEATS = 10
MIN_HEADROOM = 0.02
TOLERANCE = 1e-9

BySlide = dict[str, "Ceiling"]


class Ceiling(NamedTuple):
    """Mean over repeats and the standard error of that mean; nan where there is none."""

    value: float
    error: float


def ceilings_of(
    scorer: Scorer,
    store: Store,
    fold: FoldData,
    truths: Callable[[], Mapping[str, Truth]],
    parts: Mapping[str, Any],
) -> dict[str, BySlide]:
    """Return the ceiling of every metric on every test slide: repeated measurements, scored.

    `truths` is asked where the store has none; `parts` says what the fold was made from, as in the key of a
    prediction.
    """
    made_of = {**parts, "metrics": scorer.described, "at 1": sorted(scorer.read_to_ceiling)}
    return memo(store, CEILINGS, made_of, lambda: _computed(scorer, fold, truths()), _read, "metrics")


def _computed(scorer: Scorer, fold: FoldData, truths: Mapping[str, Truth]) -> dict[str, dict[str, Ceiling]]:
    slides = {slide.meta.slide_id: slide for slide in fold.test}
    found: dict[str, dict[str, Ceiling]] = {name: {} for name in scorer.names}
    for slide_id, truth in truths.items():
        values: dict[str, list[float]] = {name: [] for name in scorer.names}
        repeats = fold.question.repeats(slides[slide_id], fold, truth)
        for target, predicted in islice(repeats, REPEATS):
            for metric, value in scorer.slide(target, predicted).items():
                values[metric].append(value.value)
        for metric, drawn in values.items():
            ceiling = _summary(drawn)
            if metric in scorer.read_to_ceiling and not math.isnan(ceiling.value):
                ceiling = Ceiling(1.0, math.nan)
            found[metric][slide_id] = ceiling
    return found


def _read(kept: Mapping[str, Mapping[str, list[float]]]) -> dict[str, BySlide]:
    return {
        metric: {slide: Ceiling(*map(float, pair)) for slide, pair in values.items()}
        for metric, values in kept.items()
    }


def _summary(drawn: list[float]) -> Ceiling:
    """Return the mean of the defined values and its standard error."""
    values = [value for value in drawn if not math.isnan(value)]
    mean = math.fsum(values) / len(values) if values else math.nan
    return Ceiling(mean, stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan)


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


def anchored(
    scorer: Scorer, store: Store, fold: FoldData, truths: Mapping[str, Truth], parts: Mapping[str, Any]
) -> dict[str, Truth]:
    """Return the truths of a fold with the ceilings, floors and thresholds that the task's metrics take.

    `parts` says what the fold was made from, as in the key of a prediction.
    """
    records = [record for record in scorer.records if ANCHORS.intersection(record.inputs)]
    maker = fold.question.anchors(fold) if records else None
    if maker is None:
        return dict(truths)

    def made() -> dict[str, dict[str, Any]]:
        slides = {slide.meta.slide_id: slide for slide in fold.test}
        return {
            slide: {record.name: maker.of(slides[slide], truth, record) for record in records}
            for slide, truth in truths.items()
        }

    made_of = {**parts, "metrics": {record.name: dict(record.params) for record in records}, "form": 2}
    found: dict[str, dict[str, Any]] = memo(store, ANCHORED, made_of, made, dict, "metrics")
    return {slide: replace(truth, anchors=found.get(slide, {})) for slide, truth in truths.items()}  # type: ignore[type-var]  # truths are records
