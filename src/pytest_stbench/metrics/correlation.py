"""Pearson and Spearman correlation of truth and prediction, per gene or per unit of one slide."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.moments import pair_moments
from pytest_stbench.kernels.ranks import average_ranks
from pytest_stbench.metrics.arguments import once
from pytest_stbench.metrics.comparison import (
    Comparison,
    at_least_three,
    compare_genes,
    compare_units,
    correlation,
    known_genes,
    labels_of,
    matrices,
)
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.arguments import Shared

    Labels = Sequence[str] | NDArray[np.str_] | None

_BLOCK_BYTES = 2**23
MOST_SHARED = 2**22
"""Values of a truth up to which its ranks, and the prediction's, are kept for the next metric: 64 MiB."""


@metric("M01", bounds=(-1.0, 1.0), better="up", fill=0.0)
def pearson_gene(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    measured: ArrayLike | None = None,
    genes: Labels = None,
    min_units: int = 10,
) -> Scores:
    """Pearson correlation of each gene over the units of a slide.

    Range [-1, 1], higher is better.

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes. NaN in the truth leaves that unit out for that gene.
    measured
        Shape (g,), True where the slide measured the gene; all by default.
    genes
        Gene symbols (g,), the labels of the scores.
    min_units
        Fewest units that give a value; at least 3.

    Returns
    -------
    Scores
        One value per gene. Undefined, in this order: ``gene_missing``, ``too_few_units``,
        ``gt_nan`` (truth known for less than half of the units), ``gt_constant``,
        ``pred_constant``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.
    """
    at_least = at_least_three(min_units, "min_units")
    return _pearson(compare_genes(truth, prediction, measured=measured, genes=genes, at_least=at_least))


@metric("M02", bounds=(-1.0, 1.0), better="up", fill=0.0)
def spearman_gene(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    measured: ArrayLike | None = None,
    genes: Labels = None,
    min_units: int = 10,
    shared: Shared | None = None,
) -> Scores:
    """Spearman rank correlation of each gene over the units of a slide.

    Ties get average ranks. Range [-1, 1], higher is better. Parameters, undefined values and
    errors as in :func:`pearson_gene`; `shared` has what other metrics computed of these arms.
    """
    at_least = at_least_three(min_units, "min_units")
    found = compare_genes(truth, prediction, measured=measured, genes=genes, at_least=at_least)
    return _spearman(found, shared)


@metric("M03", bounds=(-1.0, 1.0), better="up", fill=0.0, over="unit")
def pearson_spot(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    measured: ArrayLike | None = None,
    units: Labels = None,
    min_genes: int = 10,
) -> Scores:
    """Pearson correlation of each unit over its genes; the training mean scores high.

    Range [-1, 1], higher is better. Dominated by differences of mean expression between genes:
    the training mean scores high. Read it beside that baseline, or use
    :func:`pearson_spot_residual`.

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes. NaN in the truth leaves that gene out for that unit.
    measured
        Shape (g,), True where the slide measured the gene; the others are left out.
    units
        Unit names (n,), the labels of the scores.
    min_genes
        Fewest genes that give a value; at least 3.

    Returns
    -------
    Scores
        One value per unit. Undefined, in this order: ``too_few_genes``, ``gt_nan`` (truth known
        for less than half of the genes), ``gt_constant``, ``pred_constant``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.
    """
    at_least = at_least_three(min_genes, "min_genes")
    return _pearson(compare_units(truth, prediction, measured=measured, units=units, at_least=at_least))


@metric("M03", bounds=(-1.0, 1.0), better="up", fill=0.0, over="unit")
def spearman_spot(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    measured: ArrayLike | None = None,
    units: Labels = None,
    min_genes: int = 10,
) -> Scores:
    """Spearman rank correlation of each unit over its genes; the training mean scores high.

    Ties get average ranks. Range [-1, 1], higher is better. Parameters, undefined values and
    errors as in :func:`pearson_spot`.
    """
    at_least = at_least_three(min_genes, "min_genes")
    return _spearman(compare_units(truth, prediction, measured=measured, units=units, at_least=at_least))


@metric("M04", bounds=(-1.0, 1.0), better="up", fill=0.0, over="unit")
def pearson_spot_residual(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    train_mean: ArrayLike,
    measured: ArrayLike | None = None,
    units: Labels = None,
    min_genes: int = 10,
) -> Scores:
    """Pearson correlation of each unit over its genes, the training mean taken off both.

    Asks what a prediction knows of a unit beyond the mean expression of the genes. Range [-1, 1],
    higher is better. A prediction closer to the mean than float32 can tell counts as equal to it.

    Parameters
    ----------
    truth, prediction, measured, units, min_genes
        As in :func:`pearson_spot`.
    train_mean
        Shape (g,): mean of each gene over the training units.

    Returns
    -------
    Scores
        One value per unit, undefined as in :func:`pearson_spot`; a prediction that is the
        training mean gives ``pred_constant``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction or the mean of a measured gene is not finite.
    """
    true, predicted = matrices(truth, prediction)
    known = known_genes(measured, true.shape[1])
    mean = np.asarray(train_mean, np.float64)
    if mean.shape != known.shape or not np.isfinite(mean[known]).all():
        raise ValueError(
            f"train_mean has shape {mean.shape}: give one finite mean for each of the {len(known)} genes; "
            "only those not measured may be NaN"
        )
    step = max(1, _BLOCK_BYTES // (8 * max(1, mean.size)))
    names = labels_of(units, len(true), "units")
    parts: list[Scores] = []
    for start in range(0, max(1, len(true)), step):
        rows = slice(start, start + step)
        parts.append(
            pearson_spot(
                true[rows][:, known] - mean[known],
                _residual(predicted[rows][:, known], mean[known]),
                units=names[rows],
                min_genes=min_genes,
            )
        )
    return Scores(
        values=np.concatenate([part.values for part in parts]),
        reasons=np.concatenate([part.reasons for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
    )


def rank_columns(
    comparison: Comparison, columns: NDArray[np.intp], shared: Shared | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_] | None]:
    """Return ranks of truth and prediction of `columns`, among the values that count, and which do.

    They are `shared` with other metrics where they take little memory.
    """
    few = comparison.truth.size <= MOST_SHARED
    return once(shared if few else None, ("ranks", columns.tobytes()), partial(_ranked, comparison, columns))


def _ranked(
    comparison: Comparison, columns: NDArray[np.intp]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_] | None]:
    true, predicted = comparison.take(columns)
    mask = comparison.mask(columns)
    if mask is not None:
        true, predicted = np.where(mask, true, np.nan), np.where(mask, predicted, np.nan)
    return average_ranks(true), average_ranks(predicted), mask


def mark_constant(comparison: Comparison) -> None:
    """Mark columns that do not vary; the truth is tested first."""
    comparison.mark(comparison.constant_truth(), "gt_constant")
    comparison.mark(comparison.constant_prediction(), "pred_constant")


def _pearson(comparison: Comparison) -> Scores:
    mark_constant(comparison)
    m = comparison.moments
    return comparison.scores(correlation(m.ss_tp, m.ss_t, m.ss_p))


def _spearman(comparison: Comparison, shared: Shared | None = None) -> Scores:
    mark_constant(comparison)
    values = np.full(len(comparison.labels), np.nan)
    for columns in comparison.blocks(np.flatnonzero(comparison.reasons == "")):
        true, predicted, mask = rank_columns(comparison, columns, shared)
        m = pair_moments(true, predicted, mask)
        values[columns] = correlation(m.ss_tp, m.ss_t, m.ss_p)
    return comparison.scores(values)


def _residual(prediction: NDArray[Any], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return prediction - mean; 0 where they differ by no more than the rounding of float32.

    Predictions are stored as float32. Without this, the training mean itself would be scored on
    its rounding errors.
    """
    residual = prediction - mean
    return np.where(np.abs(residual) <= np.finfo(np.float32).eps * np.abs(mean), 0.0, residual)
