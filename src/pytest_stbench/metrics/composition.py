"""How well the share of each cell type follows the truth over the spots of a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.precision import average_precision
from pytest_stbench.metrics.comparison import compare_genes, compare_units
from pytest_stbench.metrics.correlation import spearman_gene
from pytest_stbench.metrics.error import rmse
from pytest_stbench.metrics.labelled import slide_score
from pytest_stbench.metrics.proportions import composition_metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.comparison import Comparison
    from pytest_stbench.metrics.scores import Scores

    Labels = Sequence[str] | NDArray[np.str_] | None

DECIMALS = 9
PRESENT = 0.01
"""A spot has a type from this share on: no spot holds a hundred cells, but no estimate is exactly 0."""

TOLERANCE = 1e-9
"""0.01 in single precision is a share of 0.01."""


@composition_metric("M48", bounds=(-1.0, 1.0), better="up", fill=0.0, over="class")
def type_spearman(truth: ArrayLike, prediction: ArrayLike, *, genes: Labels = None) -> Scores:
    """Spearman rank correlation of the share of each cell type over spots.

    Ties get average ranks. Range [-1, 1], higher is better.

    Parameters
    ----------
    truth, prediction
        Shape (n, k): spots x cell types. NaN in the truth leaves that spot out for that type.
    genes
        Names of the types (k,), the labels of the scores.

    Returns
    -------
    Scores
        One value per type. Undefined, in this order: ``too_few_units`` (fewer than 10 spots),
        ``gt_nan`` (truth known for less than half of them), ``gt_constant`` (such as a type that no
        spot has), ``pred_constant``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.
    """
    return spearman_gene(truth, prediction, genes=genes)


@composition_metric("M48", bounds=(0.0, 1.0), better="down", over="class")
def type_rmse(truth: ArrayLike, prediction: ArrayLike, *, genes: Labels = None) -> Scores:
    """Root mean squared error of the share of each cell type over spots.

    Range [0, 1], lower is better. Parameters and errors as in :func:`type_spearman`. Undefined:
    ``too_few_units`` (no spot), ``gt_nan``.
    """
    return rmse(truth, prediction, genes=genes)


@composition_metric("M48", bounds=(0.0, 1.0), better="down", over="class")
def type_rmse_present(truth: ArrayLike, prediction: ArrayLike, *, genes: Labels = None) -> Scores:
    """Root mean squared error of the share of each cell type over the spots that have it.

    A spot has a type from a share of 0.01 on. Rare types are absent from most spots, where a
    prediction of nothing costs nothing. Range [0, 1], lower is better. Parameters and errors as in
    :func:`type_spearman`.

    Returns
    -------
    Scores
        One value per type. Undefined, in this order: ``too_few_units``, ``gt_nan``, ``no_positive``
        (no spot has the type). The extra ``n_present`` is the number of spots.
    """
    found = compare_genes(truth, prediction, measured=None, genes=genes)
    present = _present(found)
    n = present.sum(axis=0)
    found.mark(n == 0, "no_positive")
    difference = np.subtract(found.prediction, found.truth, dtype=np.float64)
    error = np.where(present, difference, 0.0)
    squares = np.einsum("ij,ij->j", error, error)
    return found.scores(np.sqrt(squares / np.maximum(n, 1)), extras={"n_present": n.astype(np.float64)})


@composition_metric(
    "M48", bounds=(0.0, 1.0), better="up", over="class", source="10.1371/journal.pone.0118432"
)
def presence_auprc(truth: ArrayLike, prediction: ArrayLike, *, genes: Labels = None) -> Scores:
    """Average precision of finding the spots that have a cell type; by chance their share.

    A spot has a type from a share of 0.01 on. Equal predicted shares (after rounding to 9 decimals)
    share a threshold. Range [0, 1], higher is better; a constant prediction gets the share of such
    spots, the extra ``prevalence``. Parameters and errors as in :func:`type_spearman`.

    Returns
    -------
    Scores
        One value per type. Undefined, in this order: ``too_few_units``, ``gt_nan``, ``no_positive``
        (no spot has the type), ``no_negative`` (all have).

    References
    ----------
    10.1371/journal.pone.0118432.
    """
    found = compare_genes(truth, prediction, measured=None, genes=genes)
    present, known = _present(found), np.isfinite(found.truth)
    n, total = present.sum(axis=0), known.sum(axis=0)
    found.mark(n == 0, "no_positive")
    found.mark(n == total, "no_negative")
    values = average_precision(present, np.round(found.prediction.astype(np.float64), DECIMALS), known)
    return found.scores(values, extras={"prevalence": n / np.maximum(total, 1)})


@composition_metric("M48", bounds=(0.0, 1.0), better="up", over="slide")
def dominant_type_accuracy(truth: ArrayLike, prediction: ArrayLike, *, units: Labels = None) -> Scores:
    """Share of spots whose most frequent cell type is predicted to be so.

    Of equal predicted shares the first type counts; it is right where no type is more frequent.
    Range [0, 1], higher is better.

    Parameters
    ----------
    truth, prediction
        Shape (n, k): spots x cell types. Spots where the truth is not known for every type, or has
        no cell, are left out.
    units
        Names of the spots (n,).

    Returns
    -------
    Scores
        One value. Undefined: ``too_few_units`` (no spot is left). Extras: ``most_frequent``, the
        share of spots that the best single answer gets right, and ``n_left_out``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.
    """
    found = compare_units(truth, prediction, measured=None, units=units)
    true, predicted = found.truth.T, found.prediction.T
    kept = np.isfinite(true).all(axis=1) & (np.where(np.isfinite(true), true, 0.0) > 0).any(axis=1)
    true, predicted = true[kept], predicted[kept]
    left_out = float((~kept).sum())
    if not len(true):
        return slide_score(np.nan, "too_few_units", most_frequent=np.nan, n_left_out=left_out)
    best = true == true.max(axis=1, keepdims=True)
    right = best[np.arange(len(true)), predicted.argmax(axis=1)]
    most_frequent = float(best.mean(axis=0).max())
    return slide_score(float(right.mean()), most_frequent=most_frequent, n_left_out=left_out)


def _present(found: Comparison) -> NDArray[np.bool_]:
    """Return which spots have each type, False where that is not known."""
    known = np.isfinite(found.truth)
    return np.asarray(known & (np.where(known, found.truth, 0.0) >= PRESENT - TOLERANCE))
