"""What some scores are read against on each slide: ceilings, floors, thresholds and known markers.

They depend on truth and training slides alone, so that every model is held to the same ones.
"""

from __future__ import annotations

from collections import deque
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.baselines.libsize import Libsize
from pytest_stbench.families.cohort import CohortStatistics
from pytest_stbench.families.thinning import thinned_pairs
from pytest_stbench.metrics.coexpression_reference import coexpression_ceiling, coexpression_floor
from pytest_stbench.metrics.niche_reference import niche_ceiling, niche_markers
from pytest_stbench.metrics.pair_arms import MIN_DETECTION, lr_thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.predicted_expression import ExpressionTruth
    from pytest_stbench.registry import Metric

    Floats = NDArray[np.float64]

ANCHORS = frozenset({"ceiling", "floor", "known_markers", "lr_threshold"})
"""Inputs of metrics that are made here."""


class ExpressionAnchors:
    """Makes the anchors of the metrics of predicted expression on one fold."""

    def __init__(self, fold: FoldData) -> None:
        self._fold = fold
        self._cohort = CohortStatistics(fold)

    def of(self, slide: Slide, truth: ExpressionTruth, record: Metric) -> dict[str, Any]:
        """Return the anchors that a metric takes on a test slide, by the names of its inputs."""
        wanted = ANCHORS.intersection(record.inputs)
        found: dict[str, Any] = {}
        if "floor" in wanted:
            found |= self._coexpression(slide, truth, record)
        elif "ceiling" in wanted:
            found["ceiling"] = self._niche_ceiling(slide, truth, record)
        if "known_markers" in wanted:
            found["known_markers"] = self._known_markers(record)
        if "lr_threshold" in wanted:
            found["lr_threshold"] = self._lr_threshold(slide, truth)
        return found

    def _coexpression(self, slide: Slide, truth: ExpressionTruth, record: Metric) -> dict[str, Any]:
        places = truth.places[record.genes]
        partial = "libsize" in record.inputs
        shared: dict[str, Any] = {"measured": truth.measured[places], "genes": truth.genes[places]}
        by_depth = self._libsize.predict(self._fold.truth_given(slide))[:, places]
        cohort = self._cohort.of(record)
        assert cohort is not None  # every metric of correlations has a statistic
        floor = coexpression_floor(
            truth.values[:, places], [by_depth, cohort], libsize=truth.libsize if partial else None, **shared
        )
        depths: deque[Floats] = deque()

        def halves() -> Iterator[tuple[Floats, Floats]]:
            for target, prediction in thinned_pairs(self._fold, slide, truth):
                depths.append(target.libsize)
                yield prediction[:, places], target.values[:, places]

        sizes = (depths.popleft() for _ in count()) if partial else None
        return {
            "ceiling": coexpression_ceiling(halves(), floor=floor, libsize=sizes, **shared),
            "floor": floor,
        }

    def _niche_ceiling(self, slide: Slide, truth: ExpressionTruth, record: Metric) -> dict[str, list[float]]:
        places = truth.places[record.genes]
        return niche_ceiling(
            truth.values[:, places],
            self._whole_halves(slide, truth, places),
            niches=truth.surroundings.niches,
            measured=truth.measured[places],
            genes=truth.genes[places],
            n=record.params["n"],
        )

    def _whole_halves(
        self, slide: Slide, truth: ExpressionTruth, places: NDArray[np.intp]
    ) -> Iterator[tuple[Floats, Floats]]:
        """Yield (first, second) halves of all units; one that a half leaves without a count is 0 there."""
        rows = {str(name): row for row, name in enumerate(truth.units)}
        for target, prediction in thinned_pairs(self._fold, slide, truth):
            kept = [rows[str(name)] for name in target.units]
            first, second = np.zeros((2, truth.n_units, len(places)))
            first[kept], second[kept] = prediction[:, places], target.values[:, places]
            yield first, second

    def _known_markers(self, record: Metric) -> dict[str, list[str]]:
        """Return the markers of each niche in the signature of any training slide."""
        found: dict[str, set[str]] = {}
        for slide in self._fold.train:
            truth = self._fold.question.truth(slide, self._fold)
            places = truth.places[record.genes]  # type: ignore[attr-defined]  # expression has places
            for arms in truth.arms(record, {slide.meta.slide_id: truth.values}):  # type: ignore[attr-defined]  # and values
                markers = niche_markers(
                    arms.truth,
                    niches=arms.offered["niches"](),
                    measured=arms.offered["measured"](),
                    genes=slide.genes[self._fold.fitted.columns][places],
                    n=record.params["n"],
                )
                for niche, names in markers.items():
                    found.setdefault(niche, set()).update(names)
        return {niche: sorted(names) for niche, names in sorted(found.items())}

    def _lr_threshold(self, slide: Slide, truth: ExpressionTruth) -> list[float]:
        """Return the thresholds of the slide's pairs, from all genes that it detects."""
        pairs = truth.pairs
        often = np.asarray(slide.counts.getnnz(axis=0)).ravel() >= MIN_DETECTION * slide.n_units
        members = np.isin(slide.genes, [gene for pair in pairs.pairs for gene in pair])
        columns = np.flatnonzero((often | members) & slide.measured)
        found: list[float] = lr_thresholds(
            self._fold.fitted.transform(slide, columns),
            pairs=pairs.pairs,
            graph=truth.surroundings.graph,
            libsize=slide.libsize,
            genes=slide.genes[columns],
        ).tolist()
        return found

    @cached_property
    def _libsize(self) -> Libsize:
        model = Libsize()
        model.fit(self._fold.train_truths(), self._fold.task)
        return model
