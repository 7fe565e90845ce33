"""Scores of one cell: every metric of the task on every test slide, for whoever predicted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.errors import StbenchError
from pytest_stbench.index import loaded
from pytest_stbench.kernels.sketch import sketch
from pytest_stbench.metrics.aggregate import SlideValue, mean_value, slide_value
from pytest_stbench.metrics.arguments import arguments
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from pytest_stbench.calls.computing import Prediction
    from pytest_stbench.families.question import Predicted, Truth
    from pytest_stbench.kernels.sketch import Sketch
    from pytest_stbench.registry import Catalogue, Metric
    from pytest_stbench.spec.model import MetricSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class CellScores:
    """Values of all metrics on the test slides of one cell, and how much was scored.

    ``sketches`` are what is kept of the predictions, by what was asked.
    """

    values: Mapping[str, Mapping[str, SlideValue]]
    n_units: Mapping[str, int]
    n_genes: Mapping[str, int | None]
    seconds: float | None
    peak_memory_mb: float | None
    sketches: Mapping[str, Sketch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detail:
    """What the value of one metric on one slide is made of: the scores of each repeat."""

    metric: Metric
    slide: str
    repeats: Sequence[Scores]
    value: SlideValue


class Scorer:
    """Applies the metrics of a task to predictions."""

    def __init__(self, metrics: Sequence[MetricSpec], catalogue: Catalogue[Metric]) -> None:
        self._metrics = [
            (spec, _as_asked(catalogue[spec.name], spec), loaded(catalogue[spec.name])) for spec in metrics
        ]

    def score(
        self, truths: Mapping[str, Truth], prediction: Prediction, details: list[Detail] | None = None
    ) -> CellScores:
        """Score the predictions of one cell against `truths` (one per test slide).

        What every value is made of is appended to `details`, where somebody wants it.
        """
        values: dict[str, dict[str, SlideValue]] = {name: {} for name in self.names}
        for slide, truth in truths.items():
            for detail in self._slide(slide, truth, prediction.values):
                values[detail.metric.name][slide] = detail.value
                if details is not None:
                    details.append(detail)
        return CellScores(
            values=values,
            n_units={slide: truth.n_units for slide, truth in truths.items()},
            n_genes={
                spec.name: next((truth.n_columns(record) for truth in truths.values()), None)
                for spec, record, _ in self._metrics
            },
            seconds=prediction.seconds,
            peak_memory_mb=prediction.peak_memory_mb,
            sketches=sketches_of(prediction),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(spec.name for spec, _, _ in self._metrics)

    @property
    def records(self) -> tuple[Metric, ...]:
        """Records of the metrics, with the parameters of the task."""
        return tuple(record for _, record, _ in self._metrics)

    @property
    def read_to_ceiling(self) -> frozenset[str]:
        """Names of the metrics that are 1 at their ceiling."""
        return frozenset(record.name for record in self.records if "ceiling" in record.inputs)

    @property
    def described(self) -> dict[str, Any]:
        """Parameters of each metric, those of its record included."""
        return {record.name: dict(record.params) for record in self.records}

    def slide(self, truth: Truth, predicted: Predicted) -> dict[str, SlideValue]:
        """Score one slide: the value of every metric."""
        return {detail.metric.name: detail.value for detail in self._slide("", truth, predicted)}

    def _slide(self, slide: str, truth: Truth, predicted: Predicted) -> Iterator[Detail]:
        shared: dict[tuple[str, str, int], dict[Hashable, Any]] = {}
        for spec, record, function in self._metrics:
            repeats = []
            for number, arms in enumerate(truth.arms(record, predicted)):
                # In the place of a prediction metrics may be given different statistics.
                steps = shared.setdefault((record.genes, record.statistic, number), {})
                given = arguments(record, function, arms.offered, steps)
                scores = function(arms.truth, arms.prediction, **given, **spec.params)
                if not isinstance(scores, Scores):
                    raise StbenchError(
                        f"metric {spec.name}: {record.target} returned {type(scores).__name__}: it returns "
                        "pytest_stbench.metrics.Scores"
                    )
                repeats.append(scores)
            value = mean_value([slide_value(scores, record) for scores in repeats])
            yield Detail(metric=record, slide=slide, repeats=repeats, value=value)


def sketches_of(prediction: Prediction) -> dict[str, Sketch]:
    """Return the sketches of what was predicted, by what was asked.

    Statistics that stand in a prediction's place (a mean of training patients) are no arrays, and have none.
    """
    return {
        key: sketch(values) for key, values in prediction.values.items() if isinstance(values, np.ndarray)
    }


def _as_asked(record: Metric, spec: MetricSpec) -> Metric:
    return replace(record, params={**record.params, **spec.params})
