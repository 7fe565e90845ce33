"""Which genes are asked of a model, chosen on training slides alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.preprocess.gene_scores import coexpression_strength, normalised_dispersion
from pytest_stbench.preprocess.statistics import SlideStatistics, detection_rate, is_detected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.preprocess.gene_scores import Flavour
    from pytest_stbench.spec.model import Normalisation

TIE_DECIMALS = 9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneSelection:
    """Chosen columns of the data set, and how many genes were left out for what reason.

    ``columns`` (g,) is in the order in which the genes are asked. ``counted`` holds
    ``genes_candidates`` (what there was to choose from), ``genes_selected`` and one entry for
    each reason; entries of 0 are left out.
    """

    columns: NDArray[np.intp]
    counted: Mapping[str, int]


def svg(
    slides: Sequence[Slide],
    statistics: Sequence[SlideStatistics],
    n: int,
    min_detection: float,
    candidates: NDArray[np.intp] | None = None,
) -> GeneSelection:
    """Return the `n` spatially most variable genes: highest mean Moran's I over the slides.

    Parameters
    ----------
    slides
        Filtered training slides.
    statistics
        Of the same slides, in the same order.
    n
        Genes to take; fewer where fewer pass.
    min_detection
        A gene must be detected in this share of the units of **every** slide that measured it.
    candidates
        Columns to choose from; None for all.

    Returns
    -------
    GeneSelection
        Highest first; ties (to 9 decimals) by symbol. A slide on which Moran's I of a gene is
        undefined does not count for that gene; a gene without any is left out.

    Raises
    ------
    DataError
        If no gene is left.
    """
    values = [statistic.morans_i for statistic in statistics]
    return _top(slides, [s.detection for s in statistics], values, n, min_detection, candidates, "morans_i")


def hvg(
    slides: Sequence[Slide],
    statistics: Sequence[SlideStatistics],
    n: int,
    min_detection: float,
    candidates: NDArray[np.intp] | None = None,
) -> GeneSelection:
    """Return the `n` most variable genes: highest mean standardised variance over the slides.

    As :func:`svg`, with the variance of the counts standardised by its trend in the place of
    Moran's I.
    """
    values = [statistic.hvg_score for statistic in statistics]
    return _top(slides, [s.detection for s in statistics], values, n, min_detection, candidates, "variance")


def dispersed(
    slides: Sequence[Slide],
    n: int,
    min_detection: float,
    flavour: Flavour,
    scale: float | None,
    candidates: NDArray[np.intp] | None = None,
) -> GeneSelection:
    """Return the `n` most variable genes as a `flavour` of scanpy scores them, slide by slide.

    The score of a gene is the mean over slides of
    :func:`~pytest_stbench.preprocess.gene_scores.normalised_dispersion`; `scale` is that of the
    task. Order, ties, counts and errors as in :func:`svg`.
    """
    detection = [detection_rate(slide) for slide in slides]
    values = [normalised_dispersion(slide, flavour, scale) for slide in slides]
    return _top(slides, detection, values, n, min_detection, candidates, "dispersion")


def coexpressed(
    slides: Sequence[Slide],
    n: int,
    min_detection: float,
    method: Normalisation,
    scale: float | None,
    candidates: NDArray[np.intp] | None = None,
) -> GeneSelection:
    """Return the `n` genes that vary most together with others, whatever their variance.

    The score of a gene is the mean over slides of
    :func:`~pytest_stbench.preprocess.gene_scores.coexpression_strength` among all genes that
    pass the detection filter; `method` and `scale` are those of the task. Order, ties, counts and
    errors as in :func:`svg`.
    """
    detection = [detection_rate(slide) for slide in slides]
    columns, _ = _detected(slides, detection, min_detection, candidates)
    values = []
    for slide in slides:
        strength = np.full(len(slide.genes), np.nan)
        there = columns[slide.measured[columns]]
        strength[there] = coexpression_strength(slide, there, method, scale)
        values.append(strength)
    return _top(slides, detection, values, n, min_detection, candidates, "coexpression")


def all_detected(
    slides: Sequence[Slide], min_detection: float, candidates: NDArray[np.intp] | None = None
) -> GeneSelection:
    """Return every gene detected in `min_detection` of the units of every slide, in column order."""
    columns, counted = _detected(slides, [detection_rate(s) for s in slides], min_detection, candidates)
    return _finish(columns, counted)


def listed(
    slides: Sequence[Slide], names: Sequence[str], candidates: NDArray[np.intp] | None = None
) -> GeneSelection:
    """Return the genes `names` in their order, detected or not.

    Genes that are no columns of the data set, or not among the `candidates`, are counted.

    Raises
    ------
    DataError
        If a name occurs twice, or none can be used.
    """
    repeated = (
        sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    )
    if repeated:
        raise DataError(
            f"the gene list names {len(repeated)} genes more than once ({_some(repeated)}): keep one of each"
        )
    column_of = {str(gene): column for column, gene in enumerate(slides[0].genes)}
    found = np.array([column_of[name] for name in names if name in column_of], dtype=np.intp)
    allowed = found if candidates is None else found[np.isin(found, candidates)]
    counted = {
        "genes_candidates": len(names),
        "genes_listed_not_in_data": len(names) - len(found),
        "genes_listed_not_available": len(found) - len(allowed),
    }
    if len(allowed) == 0:
        absent = [name for name in names if name not in column_of]
        raise DataError(
            f"none of the {len(names)} listed genes can be used: {len(absent)} are not in the data set "
            f"({_some(absent)}), {len(found)} are inputs of the task or their relatives; "
            f"check `preprocess.genes`"
        )
    return _finish(allowed, counted)


def signatures(
    slides: Sequence[Slide],
    members: Collection[str],
    min_detection: float,
    candidates: NDArray[np.intp] | None = None,
) -> GeneSelection:
    """Return the `members` of gene signatures that are detected in every slide, in column order."""
    wanted = set(members)
    in_data = np.flatnonzero([str(gene) in wanted for gene in slides[0].genes])
    pool = in_data if candidates is None else in_data[np.isin(in_data, candidates)]
    columns, counted = _detected(slides, [detection_rate(s) for s in slides], min_detection, pool)
    absent = {
        "genes_signature_not_in_data": len(wanted) - len(in_data),
        "genes_signature_not_available": len(in_data) - len(pool),
    }
    return _finish(columns, {**counted, **absent})


def _top(
    slides: Sequence[Slide],
    detection: Sequence[NDArray[np.float64]],
    values: Sequence[NDArray[np.float64]],
    n: int,
    min_detection: float,
    candidates: NDArray[np.intp] | None,
    what: str,
) -> GeneSelection:
    columns, counted = _detected(slides, detection, min_detection, candidates)
    table = np.stack([value[columns] for value in values])
    defined = np.isfinite(table)
    number = defined.sum(axis=0)
    ranked = number > 0
    mean = np.where(defined, table, 0.0).sum(axis=0)[ranked] / number[ranked]
    columns = columns[ranked]
    counted[f"genes_without_{what}"] = int((~ranked).sum())
    if len(columns) == 0:
        raise DataError(
            f"{len(ranked)} genes are detected often enough and none has a defined {what} on any of the "
            f"{len(slides)} training slides (needs 20 units with neighbours, and a gene that varies): lower "
            f"`preprocess.filter`, check the coordinates, or choose `genes: {{select: all}}`"
        )
    symbols = slides[0].genes[columns]
    order = np.lexsort((symbols, -np.round(mean, TIE_DECIMALS)))[:n]
    counted["genes_ranked_below_n"] = len(columns) - len(order)
    counted["genes_short_of_n"] = n - len(order)
    return _finish(columns[order], counted)


def _detected(
    slides: Sequence[Slide],
    detection: Sequence[NDArray[np.float64]],
    min_detection: float,
    candidates: NDArray[np.intp] | None,
) -> tuple[NDArray[np.intp], dict[str, int]]:
    """Return the candidates that pass the detection filter on every slide that measured them."""
    pool = np.arange(len(slides[0].genes)) if candidates is None else np.asarray(candidates, dtype=np.intp)
    measured = np.logical_or.reduce([slide.measured[pool] for slide in slides])
    passes = measured & np.logical_and.reduce(
        [
            is_detected(rate[pool], min_detection) | ~slide.measured[pool]
            for slide, rate in zip(slides, detection, strict=True)
        ]
    )
    if not passes.any():
        raise DataError(
            f"none of the {len(pool)} candidate genes is detected in {min_detection:.0%} of the units of "
            f"each of {len(slides)} training slides ({int((~measured).sum())} not measured on any): "
            f"lower `preprocess.genes.min_detection`, raise `preprocess.filter`, or list the genes"
        )
    counted = {
        "genes_candidates": len(pool),
        "genes_not_measured_on_any_training_slide": int((~measured).sum()),
        "genes_below_min_detection": int((measured & ~passes).sum()),
    }
    return pool[passes], counted


def _finish(columns: NDArray[np.intp], counted: Mapping[str, int]) -> GeneSelection:
    kept = {reason: number for reason, number in counted.items() if number}
    return GeneSelection(columns=columns, counted={**kept, "genes_selected": len(columns)})


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
