"""What families scored from a predicted expression matrix have in common."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.families.anchors import ExpressionAnchors
from pytest_stbench.families.cohort import CohortStatistics
from pytest_stbench.families.pairs import PairTable, builtin_pairs
from pytest_stbench.families.question import Arms, Question
from pytest_stbench.families.thinning import thinned_pairs
from pytest_stbench.kernels.hvg import standardised_variance
from pytest_stbench.models.contract import accept_expression
from pytest_stbench.preprocess.statistics import unit_graph, unit_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import FamilySettings, Predicted, Request, Truth
    from pytest_stbench.registry import Metric


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Where the units of a slide lie and what they are called; shared by all that look at them.

    Of the units `rows` of the slide where these are given, all otherwise.
    """

    whole: Slide
    rows: NDArray[np.bool_] | None = None

    @property
    def slide_id(self) -> str:
        """The name of the slide."""
        return self.whole.meta.slide_id

    @cached_property
    def slide(self) -> Slide:
        """The slide with these units; most metrics do without."""
        return self.whole if self.rows is None else self.whole.select(self.rows)

    @property
    def niches(self) -> NDArray[np.object_]:
        """The niche of each unit, None where it has none."""
        return self.slide.labels.get("niche", np.full(self.slide.n_units, None, dtype=object))

    @property
    def graph(self) -> csr_matrix:
        """Which units are neighbours: 1.5 pitches of a lattice, the 6 nearest of cells."""
        return unit_graph(self.slide)

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """Row and column of each unit on a map of the slide."""
        return unit_pixels(self.slide)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpressionTruth:
    """What one test slide's predicted expression is scored against.

    ``values`` is (n, g) float64 on the task's scale, nan where the slide did not measure the
    gene (``measured`` False); ``counts`` (n, g) are what it was made from; ``train_mean`` (g,) is
    the mean of the training patients' means.
    ``places`` says which of the columns belong to which set of genes; ``surroundings`` has
    coordinates, neighbours and labels. ``anchors`` holds, by metric, what its scores on this
    slide are read against; ``pairs`` are the ligand-receptor pairs of the task.
    """

    values: NDArray[np.float64]
    counts: csr_matrix
    measured: NDArray[np.bool_]
    genes: NDArray[np.str_]
    units: NDArray[np.str_]
    libsize: NDArray[np.float64]
    train_mean: NDArray[np.float64]
    places: Mapping[str, NDArray[np.intp]]
    surroundings: Surroundings
    pairs: PairTable = field(default_factory=builtin_pairs)
    anchors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.units)

    def n_columns(self, record: Metric) -> int:
        """Return the number of genes of the metric's set."""
        return len(self.places[record.genes])

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms, ...]:
        """Return the columns of the metric's set of genes.

        None where statistics stand in the place of a prediction and the metric takes none.
        """
        places = self.places[record.genes]
        prediction = predicted[self.surroundings.slide_id]
        offered: dict[str, Callable[[], Any]] = {
            "measured": lambda: self.measured[places],
            "genes": lambda: self.genes[places],
            "units": lambda: self.units,
            "libsize": lambda: self.libsize,
            "train_mean": lambda: self.train_mean[places],
            "graph": lambda: self.surroundings.graph,
            "xy_um": lambda: self.surroundings.slide.xy_um,
            "pixels": lambda: self.surroundings.pixels,
            "niches": lambda: self.surroundings.niches,
            "hvg_score": lambda: self.hvg_score()[places],
            "pairs": lambda: self.pairs.pairs,
            "pathways": lambda: self.pairs.pathways,
        }
        anchors = self.anchors.get(record.name, {})
        offered |= {name: partial(anchors.__getitem__, name) for name in anchors}
        truth = _columns(self.values, places)
        if isinstance(prediction, CohortStatistics):
            stated = prediction.of(record)
            return () if stated is None else (Arms(truth=truth, prediction=stated, offered=offered),)
        return (Arms(truth=truth, prediction=_columns(prediction, places), offered=offered),)

    def hvg_score(self) -> NDArray[np.float64]:
        """Return how variable each gene is for its mean, (g,); nan where it was not measured."""
        score = np.full(len(self.genes), np.nan)
        score[self.measured] = standardised_variance(self.counts[:, self.measured])
        return score

    def select(self, rows: NDArray[np.bool_]) -> ExpressionTruth:
        """Return the truth of some units."""
        return replace(
            self,
            values=self.values[rows],
            counts=self.counts[rows],
            units=self.units[rows],
            libsize=self.libsize[rows],
            surroundings=Surroundings(self.surroundings.slide, rows),
        )


class PredictedExpression(Question):
    """A question answered by (n, g) expression on the scale of the task."""

    def __init__(self, settings: FamilySettings | None = None) -> None:
        super().__init__(settings)
        self.pairs = builtin_pairs()

    def columns(self, fold: FoldData) -> tuple[str, ...]:
        """Return the genes that are asked for."""
        return fold.genes

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[np.float32]:
        """Return checked expression, (n, g) float32."""
        return accept_expression(
            raw,
            n=request.slide.n_units,
            genes=fold.genes,
            unit_names=request.slide.unit_names,
            normalise_counts=fold.fitted.from_counts,
            where=where,
        )

    def truth(self, slide: Slide, fold: FoldData) -> ExpressionTruth:
        """Return the true expression of a test slide on the scale of the task."""
        columns = fold.fitted.columns
        return ExpressionTruth(
            values=fold.fitted.transform(slide),
            counts=slide.counts[:, columns],
            measured=slide.measured[columns],
            genes=slide.genes[columns],
            units=slide.unit_names,
            libsize=slide.libsize,
            train_mean=fold.train_mean,
            places=fold.fitted.places,
            surroundings=Surroundings(slide),
            pairs=self.pairs,
        )

    def anchors(self, fold: FoldData) -> ExpressionAnchors:
        """Return what makes ceilings, floors, thresholds and known markers of a fold."""
        return ExpressionAnchors(fold)

    def repeats(self, slide: Slide, fold: FoldData, truth: Truth) -> Iterator[tuple[Truth, Predicted]]:
        """Yield the halves of the slide's counts, the first as the prediction of the second."""
        assert isinstance(truth, ExpressionTruth)  # made above
        for target, prediction in thinned_pairs(fold, slide, truth):
            yield target, {slide.meta.slide_id: prediction}


def _columns(values: NDArray[Any], places: NDArray[np.intp]) -> NDArray[Any]:
    """Return some columns of `values`, as they are where that is all of them in their order."""
    whole = len(places) == values.shape[1] and np.array_equal(places, np.arange(len(places)))
    return values if whole else values[:, places]
