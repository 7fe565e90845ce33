"""Preprocessing fitted on the training slides of one fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.preprocess import genes as selection
from pytest_stbench.preprocess.gene_sets import Choice, make_sets
from pytest_stbench.preprocess.normalise import (
    default_method,
    from_counts,
    gene_share,
    normalise_counts,
    target_sum,
    value_sums,
)
from pytest_stbench.preprocess.statistics import slide_statistics
from pytest_stbench.resources import signatures

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, MutableMapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.preprocess.gene_scores import Flavour
    from pytest_stbench.preprocess.genes import GeneSelection
    from pytest_stbench.preprocess.statistics import SlideStatistics, StatisticsKey
    from pytest_stbench.spec.model import Normalisation, PreprocessSpec

_SUMS: WeakKeyDictionary[Slide, dict[tuple[Normalisation, float | None], NDArray[np.float64]]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedPreprocess:
    """Scale and genes of a fold; no test slide has touched them.

    ``genes`` are asked of the model in this order and are ``columns`` of the data set; ``places``
    says for each set of genes (``evaluated``, ``coexpressed`` ...) which of them belong to it;
    ``normalise`` names the normalisation and ``target_sum`` the library size it scales to (None
    where it has none). ``share`` (G,) is the mean part of a training unit's counts that each
    gene makes up. ``counted`` says how many genes were left out for what reason.
    """

    genes: tuple[str, ...]
    columns: NDArray[np.intp]
    places: Mapping[str, NDArray[np.intp]]
    normalise: Normalisation
    target_sum: float | None
    share: NDArray[np.float64]
    counted: Mapping[str, int]

    def transform(
        self, slide: Slide, columns: NDArray[np.intp] | None = None, dtype: type[np.floating] = np.float64
    ) -> NDArray[Any]:
        """Return the truth of `slide` on the task's scale, (n, g), rounded to `dtype`.

        `columns` of the data set instead of the chosen genes where given. A gene the slide did
        not measure is nan, a unit without counts 0.
        """
        columns = self.columns if columns is None else columns
        values = normalise_counts(
            slide.counts, slide.libsize, columns, self.normalise, self.target_sum, dtype
        )
        values[:, ~slide.measured[columns]] = np.nan
        return values

    def sums(self, slide: Slide) -> NDArray[np.float64]:
        """Return the sum of each chosen gene over the units of `slide`, and their number, (2, g).

        Neither counts where the value is nan. Made once for a slide and a scale, whatever the folds.
        """
        if self.normalise == "pearson_residuals":  # dense, so that only the chosen ones are made
            values = self.transform(slide)
            known = ~np.isnan(values)
            return np.stack([np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0)])
        of_scale, scale = _SUMS.setdefault(slide, {}), (self.normalise, self.target_sum)
        if scale not in of_scale:
            sums = value_sums(slide.counts, slide.libsize, *scale)
            of_scale[scale] = np.where(slide.measured, sums, 0.0)
        return of_scale[scale][:, self.columns]

    def from_counts(
        self, predicted: NDArray[np.floating], columns: NDArray[np.intp] | None = None
    ) -> NDArray[np.float64]:
        """Return predicted counts (n, g) on the task's scale; see :func:`normalise.from_counts`.

        The columns are the chosen genes, or `columns` of the data set. Raises ``ModelError`` for
        counts below zero.
        """
        share = float(self.share[self.columns if columns is None else columns].sum())
        return from_counts(predicted, self.normalise, self.target_sum, share)


def fit_scale(train_slides: Sequence[Slide], spec: PreprocessSpec) -> FittedPreprocess:
    """Fit the scale alone, for tasks that ask for no expression. Parameters as :func:`fit_preprocess`."""
    return fit_preprocess(train_slides, spec, chosen=np.empty(0, dtype=np.intp))


def fit_preprocess(
    train_slides: Sequence[Slide],
    spec: PreprocessSpec,
    *,
    candidates: NDArray[np.intp] | None = None,
    names: Sequence[str] | None = None,
    chosen: NDArray[np.intp] | None = None,
    sets: Collection[str] = (),
    communication: Collection[str] | None = None,
    statistics: MutableMapping[StatisticsKey, SlideStatistics] | None = None,
) -> FittedPreprocess:
    """Choose scale and genes on the training slides of a fold.

    Parameters
    ----------
    train_slides
        Slides of one data set (same genes, same order), **already filtered**.
    spec
        Normalisation (null: by the number of genes of the data set) and gene selection.
    candidates
        Columns that may be asked of a model; None for all.
    names
        The genes of ``select: list``, files already read; None takes those in `spec`.
    chosen
        Columns that a family has chosen itself; ``spec.genes`` is not looked at then.
    sets
        Further sets of genes that the metrics of the task look at, see
        :func:`~pytest_stbench.preprocess.gene_sets.make_sets`.
    communication
        Ligands and receptors; None for those of the built-in pairs.
    statistics
        Cache of per-slide statistics, looked up and filled.

    Raises
    ------
    DataError
        Without training units, or when no gene is left.
    """
    slides = _with_units(train_slides)
    method = spec.normalise or default_method(len(slides[0].genes))
    scale = target_sum(method, slides)
    if chosen is None:
        selected = _select(slides, spec, method, scale, candidates, names, statistics)
    else:
        selected = selection.GeneSelection(columns=chosen, counted={})
    choice = Choice(
        slides=slides, method=method, scale=scale, candidates=candidates, statistics=statistics,
        communication=communication,
    )  # fmt: skip
    asked = make_sets(selected.columns, sets, choice)
    return FittedPreprocess(
        genes=tuple(str(gene) for gene in slides[0].genes[asked.columns]),
        columns=asked.columns,
        places=asked.places,
        normalise=method,
        target_sum=scale,
        share=gene_share(slides),
        counted=selected.counted,
    )


def _with_units(train_slides: Sequence[Slide]) -> list[Slide]:
    slides = [slide for slide in train_slides if slide.n_units]
    if not slides:
        raise DataError("no unit of the training slides passes `preprocess.filter`: lower its thresholds")
    return slides


def _select(
    slides: Sequence[Slide],
    spec: PreprocessSpec,
    method: Normalisation,
    scale: float | None,
    candidates: NDArray[np.intp] | None,
    names: Sequence[str] | None,
    cache: MutableMapping[StatisticsKey, SlideStatistics] | None,
) -> GeneSelection:
    genes = spec.genes
    if genes.select == "coexpressed":
        return selection.coexpressed(slides, genes.n, genes.min_detection, method, scale, candidates)
    if genes.select == "hvg_seurat" or genes.select == "hvg_cell_ranger":
        flavour: Flavour = "seurat" if genes.select == "hvg_seurat" else "cell_ranger"
        return selection.dispersed(slides, genes.n, genes.min_detection, flavour, scale, candidates)
    if genes.select == "all":
        return selection.all_detected(slides, genes.min_detection, candidates)
    if genes.select == "list":
        wanted = names or genes.names
        if not wanted:
            raise DataError("`preprocess.genes: {select: list}` needs `names` or `file`")
        return selection.listed(slides, tuple(wanted), candidates)
    if genes.select == "signatures":
        members = {gene for group in signatures().values() for gene in group}
        return selection.signatures(slides, members, genes.min_detection, candidates)
    per_slide = [slide_statistics(slide, method, scale, genes.min_detection, cache) for slide in slides]
    choose = selection.svg if genes.select == "svg" else selection.hvg
    return choose(slides, per_slide, genes.n, genes.min_detection, candidates)
