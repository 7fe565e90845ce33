"""Scores of one cell: every metric of the task on every test slide, for whoever predicted."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.metrics.aggregate import SlideValue, slide_value
from pytest_stbench.registry import load_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_stbench.families.fold import FoldData, Truth
    from pytest_stbench.registry import Catalogue, Metric
    from pytest_stbench.run.predicting import Prediction
    from pytest_stbench.spec.model import MetricSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class CellScores:
    """Values of all metrics on the test slides of one cell, and how much was scored."""

    values: Mapping[str, Mapping[str, SlideValue]]
    n_units: Mapping[str, int]
    n_genes: int
    seconds: float | None
    peak_memory_mb: float | None


class Scorer:
    """Applies the metrics of a task to predictions."""

    def __init__(self, metrics: Sequence[MetricSpec], catalogue: Catalogue[Metric]) -> None:
        self._metrics = [
            (spec, catalogue[spec.name], load_target(catalogue[spec.name].target)) for spec in metrics
        ]

    def score(self, fold: FoldData, truths: Mapping[str, Truth], prediction: Prediction) -> CellScores:
        """Score the predictions of one cell against `truths` (one per test slide)."""
        values: dict[str, dict[str, SlideValue]] = {spec.name: {} for spec, _, _ in self._metrics}
        for slide, truth in truths.items():
            for spec, record, function in self._metrics:
                arguments = _arguments(record, function, truth)
                scores = function(truth.values, prediction.values[slide], **arguments, **spec.params)
                values[spec.name][slide] = slide_value(scores, record)
        return CellScores(
            values=values,
            n_units={slide: len(truth.units) for slide, truth in truths.items()},
            n_genes=len(fold.genes),
            seconds=prediction.seconds,
            peak_memory_mb=prediction.peak_memory_mb,
        )


def _arguments(record: Metric, function: Callable[..., Any], truth: Truth) -> dict[str, Any]:
    """Return what a metric takes beside truth and prediction, by the names of its parameters."""
    offered = {
        "measured": truth.measured,
        "genes": truth.genes,
        "units": truth.units,
        "libsize": truth.libsize,
        "train_mean": truth.train_mean,
    }
    accepted = inspect.signature(function).parameters
    wanted = {"measured", "genes" if record.over == "gene" else "units", *record.inputs}
    return {name: offered[name] for name in sorted(wanted) if name in accepted}
