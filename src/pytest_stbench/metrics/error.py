"""Errors of the predicted values, per gene over the units of one slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.metrics.comparison import compare_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.scores import Scores

    Labels = Sequence[str] | NDArray[np.str_] | None


@metric("M06", bounds=(0.0, None), better="down", group="error")
def rmse(
    truth: ArrayLike, prediction: ArrayLike, *, measured: ArrayLike | None = None, genes: Labels = None
) -> Scores:
    """Root mean squared error of each gene over the units of a slide.

    In the unit of the values. Range [0, inf), lower is better.

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes. NaN in the truth leaves that unit out for that gene.
    measured
        Shape (g,), True where the slide measured the gene; all by default.
    genes
        Gene symbols (g,), the labels of the scores.

    Returns
    -------
    Scores
        One value per gene. Undefined, in this order: ``gene_missing``, ``too_few_units`` (no
        unit), ``gt_nan`` (truth known for less than half of the units).

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.
    """
    found = compare_genes(truth, prediction, measured=measured, genes=genes)
    m = found.moments
    return found.scores(np.sqrt(m.sum_sq_error / np.maximum(m.n, 1.0)))


@metric("M07", bounds=(0.0, None), better="down", group="error")
def mae(
    truth: ArrayLike, prediction: ArrayLike, *, measured: ArrayLike | None = None, genes: Labels = None
) -> Scores:
    """Mean absolute error of each gene over the units of a slide.

    In the unit of the values. Range [0, inf), lower is better. Parameters, undefined values and
    errors as in :func:`rmse`.
    """
    found = compare_genes(truth, prediction, measured=measured, genes=genes)
    m = found.moments
    return found.scores(m.sum_abs_error / np.maximum(m.n, 1.0))


@metric("M08", bounds=(None, 1.0), better="up", floor=-1.0, group="error")
def r2(
    truth: ArrayLike, prediction: ArrayLike, *, measured: ArrayLike | None = None, genes: Labels = None
) -> Scores:
    """Coefficient of determination of each gene, each value floored at -1 in the mean.

    1 - sum (y - p)^2 / sum (y - mean y)^2, the mean being that of the slide. Range (-inf, 1],
    higher is better; 0 is the slide's own mean. The values are as they are: only the mean over
    genes bounds them at -1, see :func:`pytest_stbench.metrics.slide_value`.

    Parameters and errors as in :func:`rmse`.

    Returns
    -------
    Scores
        One value per gene. Undefined as in :func:`rmse`, and ``gt_constant`` where the truth does
        not vary (scikit-learn gives 0 or 1 there).
    """
    found = compare_genes(truth, prediction, measured=measured, genes=genes)
    found.mark(found.constant_truth(), "gt_constant")
    m = found.moments
    explained = np.divide(m.sum_sq_error, m.ss_t, out=np.full(len(m.ss_t), np.nan), where=found.reasons == "")
    return found.scores(1.0 - explained)
