"""Scores of one cell: every metric of the task on every test slide, for whoever predicted."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.metrics.aggregate import SlideValue, slide_value
from pytest_stbench.registry import load_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.families.fold import FoldData, Truth
    from pytest_stbench.registry import Catalogue, Metric
    from pytest_stbench.run.predicting import Prediction
    from pytest_stbench.spec.model import MetricSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class CellScores:
    """Values of all metrics on the test slides of one cell, and how much was scored."""

    values: Mapping[str, Mapping[str, SlideValue]]
    n_units: Mapping[str, int]
    n_genes: Mapping[str, int]
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
        values: dict[str, dict[str, SlideValue]] = {name: {} for name in self.names}
        for slide, truth in truths.items():
            for name, value in self.slide(truth, prediction.values[slide]).items():
                values[name][slide] = value
        return CellScores(
            values=values,
            n_units={slide: len(truth.units) for slide, truth in truths.items()},
            n_genes={spec.name: len(fold.fitted.places[record.genes]) for spec, record, _ in self._metrics},
            seconds=prediction.seconds,
            peak_memory_mb=prediction.peak_memory_mb,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(spec.name for spec, _, _ in self._metrics)

    @property
    def described(self) -> dict[str, Any]:
        """Parameters of each metric, those of its record included."""
        return {spec.name: {**record.params, **spec.params} for spec, record, _ in self._metrics}

    def slide(self, truth: Truth, prediction: NDArray[Any]) -> dict[str, SlideValue]:
        """Score one slide: the value of every metric."""
        found = {}
        for spec, record, function in self._metrics:
            places = truth.places[record.genes]
            arguments = _arguments(record, function, truth, places)
            predicted = _columns(prediction, places)
            scores = function(_columns(truth.values, places), predicted, **arguments, **spec.params)
            found[spec.name] = slide_value(scores, record)
        return found


def _columns(values: NDArray[Any], places: NDArray[np.intp]) -> NDArray[Any]:
    """Return some columns of `values`, as they are where that is all of them in their order."""
    whole = len(places) == values.shape[1] and np.array_equal(places, np.arange(len(places)))
    return values if whole else values[:, places]


def _arguments(
    record: Metric, function: Callable[..., Any], truth: Truth, places: NDArray[np.intp]
) -> dict[str, Any]:
    """Return what a metric takes beside truth and prediction, by the names of its parameters."""
    offered: dict[str, Callable[[], Any]] = {
        "measured": lambda: truth.measured[places],
        "genes": lambda: truth.genes[places],
        "units": lambda: truth.units,
        "libsize": lambda: truth.libsize,
        "train_mean": lambda: truth.train_mean[places],
        "graph": lambda: truth.surroundings.graph,
        "xy_um": lambda: truth.surroundings.slide.xy_um,
        "niches": lambda: truth.surroundings.niches,
    }
    accepted = inspect.signature(function).parameters
    wanted = {"measured", "units" if record.over == "unit" else "genes", *record.inputs}
    return {name: offered[name]() for name in sorted(wanted) if name in accepted}
