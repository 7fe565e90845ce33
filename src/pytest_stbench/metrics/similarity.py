"""Likeness of truth and prediction as vectors, maps and values on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.metrics.comparison import Comparison, at_least_three, clip, compare_genes, compare_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.scores import Scores

    Labels = Sequence[str] | NDArray[np.str_] | None

EMPTY_NORM = 1e-12


@metric("M09", bounds=(-1.0, 1.0), better="up", fill=0.0)
def cosine_gene(
    truth: ArrayLike, prediction: ArrayLike, *, measured: ArrayLike | None = None, genes: Labels = None
) -> Scores:
    """Cosine of truth and prediction of each gene over the units of a slide.

    y.p / (norm y * norm p), not centred: two positive vectors are alike whatever their pattern.
    Range [-1, 1], higher is better.

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
        unit), ``gt_nan`` (truth known for less than half of the units), ``empty_truth`` (norm at
        most 1e-12), ``empty_pred``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.
    """
    return _cosine(compare_genes(truth, prediction, measured=measured, genes=genes))


@metric("M09", bounds=(-1.0, 1.0), better="up", fill=0.0, over="unit")
def cosine_spot(
    truth: ArrayLike, prediction: ArrayLike, *, measured: ArrayLike | None = None, units: Labels = None
) -> Scores:
    """Cosine of truth and prediction of each unit over its genes.

    Range [-1, 1], higher is better. Dominated by differences of mean expression between genes.

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes. NaN in the truth leaves that gene out for that unit.
    measured
        Shape (g,), True where the slide measured the gene; the others are left out.
    units
        Unit names (n,), the labels of the scores.

    Returns
    -------
    Scores
        One value per unit. Undefined, in this order: ``too_few_genes`` (no gene), ``gt_nan``
        (truth known for less than half of the genes), ``empty_truth`` (norm at most 1e-12),
        ``empty_pred``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.
    """
    return _cosine(compare_units(truth, prediction, measured=measured, units=units))


@metric("M11", bounds=(-1.0, 1.0), better="up", fill=0.0, source="10.2307/2532051")
def concordance(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    measured: ArrayLike | None = None,
    genes: Labels = None,
    min_units: int = 10,
) -> Scores:
    """Lin's concordance correlation of each gene over the units of a slide.

    2 s_yp / (s_y^2 + s_p^2 + (mean y - mean p)^2) with moments divided by n: the Pearson
    correlation, lowered by differences of level and of spread. Range [-1, 1], higher is better.

    Parameters
    ----------
    truth, prediction, measured, genes
        As in :func:`cosine_gene`.
    min_units
        Fewest units that give a value; at least 3.

    Returns
    -------
    Scores
        One value per gene. Undefined, in this order: ``gene_missing``, ``too_few_units``,
        ``gt_nan`` (truth known for less than half of the units), ``gt_constant`` (neither truth
        nor prediction varies). If one of them varies the value is 0.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.

    References
    ----------
    Concordance correlation coefficient: 10.2307/2532051.
    """
    found = compare_genes(
        truth,
        prediction,
        measured=measured,
        genes=genes,
        at_least=at_least_three(min_units, "min_units"),
    )
    level_truth, level_prediction = found.constant_truth(), found.constant_prediction()
    found.mark(level_truth & level_prediction, "gt_constant")
    m = found.moments
    spread = m.ss_t + m.ss_p + m.n * (m.mean_t - m.mean_p) ** 2
    varies = ~(level_truth | level_prediction)
    return found.scores(clip(np.divide(2.0 * m.ss_tp, spread, out=np.zeros(len(spread)), where=varies)))


def _cosine(found: Comparison) -> Scores:
    m = found.moments
    norm_truth = np.sqrt(m.ss_t + m.n * m.mean_t**2)
    norm_prediction = np.sqrt(m.ss_p + m.n * m.mean_p**2)
    found.mark(norm_truth <= EMPTY_NORM, "empty_truth")
    found.mark(norm_prediction <= EMPTY_NORM, "empty_pred")
    values = np.divide(
        m.ss_tp + m.n * m.mean_t * m.mean_p,
        norm_truth * norm_prediction,
        out=np.full(len(norm_truth), np.nan),
        where=found.reasons == "",
    )
    return found.scores(clip(values))
