"""What checks of expression look at: a view of a data set as its first split scores it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.measured import MIN_DETECTION, GeneChoice, NoGenesAsked, NothingToScore
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.data.holding import once
from pytest_stbench.errors import DataError, SplitError
from pytest_stbench.preprocess.normalise import default_method, normalise_counts, target_sum
from pytest_stbench.preprocess.statistics import detection_rate, slide_statistics, unit_graph
from pytest_stbench.run.folding import fold_sides
from pytest_stbench.spec.defaults import preprocess_of
from pytest_stbench.splits.table import Fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.run.folding import Folding
    from pytest_stbench.run.open_dataset import OpenDataset
    from pytest_stbench.spec.model import Normalisation, TaskSpec

ALL = "all"


class MeasuredSlides:
    """The slides of one view, filtered, with the genes of each fold and statistics of each slide.

    Holds no slide, so that they leave memory with the data set. Without folds the genes are chosen
    on all slides.
    """

    def __init__(
        self,
        spec: TaskSpec,
        variant: str,
        dataset: Dataset,
        folds: Sequence[Fold],
        *,
        folding: Folding,
        opened: OpenDataset,
        roots: Sequence[Path],
    ) -> None:
        self._preprocess = preprocess_of(spec, variant or None)
        self._variant = variant
        self._dataset = dataset
        self._ids = tuple(sample.slide for sample in dataset.samples)
        self._folds = tuple(folds) or (Fold(name=ALL, train=self._ids, test=self._ids),)
        self._folding = folding
        self._opened = opened
        self._roots = tuple(roots)

    def slides(self) -> Iterator[Slide]:
        """Yield every slide of which some unit can be looked at. Raises ``DataError``."""
        for name in self._ids:
            slide = self._read(name)
            if slide.n_units:
                yield slide

    def choices(self) -> tuple[GeneChoice, ...]:
        """Return the genes of each fold, in the order of the folds. Raises ``DataError``."""
        return self._choices

    @cached_property
    def _choices(self) -> tuple[GeneChoice, ...]:
        return tuple(map(self._choose, self._folds))

    def detection(self, slide: Slide) -> NDArray[np.float64]:
        """Return the share of units with a count, (G,); nan where not measured."""
        return detection_rate(slide)

    def morans_i(self, slide: Slide) -> NDArray[np.float64]:
        """Return Moran's I, (G,), from what gene selection has computed where its scale is the same."""
        method, scale = self.normalisation()
        found = slide_statistics(slide, method, scale, MIN_DETECTION, self._opened.statistics)
        return found.morans_i

    def prepare(self, name: str) -> None:
        """Have the statistics of one slide made and kept, at the scales of all folds that are fitted on it.

        Raises ``DataError``.
        """
        slide, asked = self._read(name), self._preprocess.genes
        if not slide.n_units:
            return
        self.morans_i(slide)
        if asked.select in ("svg", "hvg"):
            method, _ = self.normalisation()
            for scale in {scale for slides, scale in self._fitted if name in slides}:
                slide_statistics(slide, method, scale, asked.min_detection, self._opened.statistics)

    @cached_property
    def _fitted(self) -> list[tuple[tuple[str, ...], float | None]]:
        """The training slides of each fold of whole slides, and its scale."""
        method, _ = self.normalisation()
        whole = ((fold.train, [*map(self._read, fold.train)]) for fold in self._folds if not fold.within)
        return [
            (names, target_sum(method, slides))
            for names, slides in whole if any(slide.n_units for slide in slides)
        ]  # fmt: skip

    def graph(self, slide: Slide) -> csr_matrix:
        """Return the neighbours of each unit, (n, n)."""
        return unit_graph(slide)

    def values(self, slide: Slide, columns: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return some genes on the task's scale, (n, g)."""
        method, scale = self.normalisation()
        return normalise_counts(slide.counts, slide.libsize, columns, method, scale)

    def _choose(self, fold: Fold) -> GeneChoice:
        # A slide that cannot be read is a fault of the data, not of the choice.
        for name in (*fold.train, *fold.test):
            self._dataset.slide(name)
        try:
            train, test = self._sides(fold)
            _, plan, fitted = self._folding.choose(train, self._dataset.config, self._variant, self._roots)
        except DataError as error:
            raise NothingToScore(str(error)) from None
        if plan.candidates is None:
            raise NoGenesAsked("the task asks for no gene")
        return GeneChoice(
            fold=fold.name,
            columns=fitted.columns if plan.judged is None else plan.judged,
            candidates=plan.candidates,
            train=tuple(slide.meta.slide_id for slide in train),
            test=tuple(slide.meta.slide_id for slide in test),
        )

    def _sides(self, fold: Fold) -> tuple[tuple[Slide, ...], tuple[Slide, ...]]:
        """Return the slides of training and test; all of a slide where it is too small for blocks.

        What cannot be split can still be judged; its scores are held back for themselves.
        """
        try:
            return fold_sides(fold, self._read)
        except SplitError:
            return fold_sides(replace(fold, within=False, train=fold.test), self._read)

    def normalisation(self) -> tuple[Normalisation, float | None]:
        """Return method and scale, the same for all slides: checks compare them with each other."""
        return self._scale

    @cached_property
    def _scale(self) -> tuple[Normalisation, float | None]:
        method = self._preprocess.normalise or default_method(len(self._dataset.genes))
        return method, target_sum(method, self.slides())

    def _read(self, name: str) -> Slide:
        """Return a filtered slide without units that have no place or counts that are no counts."""
        self._dataset.slide(name)
        try:
            slide = self._opened.filtered(self._dataset, name, self._preprocess.filter)
        except DataError as error:
            # The slide was read: what fails is the filter, without a resolution.
            raise NothingToScore(str(error)) from None
        usable = once(slide, "usable", lambda: _usable(slide))
        if usable.all():
            return slide
        xy, libsize = as_numbers(slide.xy_um), as_numbers(slide.libsize)
        return replace(slide, xy_um=xy, libsize=libsize).select(usable)


def _usable(slide: Slide) -> NDArray[np.bool_]:
    """Return which units have a place and counts that are counts, (n,)."""
    usable = np.isfinite(as_numbers(slide.xy_um)).all(axis=1) & np.isfinite(as_numbers(slide.libsize))
    counts = slide.counts
    stored = counts.data
    if len(stored) and not (np.isfinite(stored.sum()) and stored.min() >= 0):
        wrong = ~np.isfinite(stored) | (stored < 0)
        usable[np.repeat(np.arange(slide.n_units), np.diff(counts.indptr))[wrong]] = False
    return np.asarray(usable)
