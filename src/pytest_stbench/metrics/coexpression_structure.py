"""Agreement of gene-gene correlations pair by pair, and in sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.streams import stream
from pytest_stbench.metrics.coexpression_arms import (
    MIN_UNITS,
    CoexpressionArms,
    coexpression_metric,
    compare_coexpression,
)
from pytest_stbench.metrics.comparison import CONSTANT_TOLERANCE, at_least_three, correlation
from pytest_stbench.metrics.labelled import slide_score

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.coexpression import Prediction
    from pytest_stbench.metrics.coexpression_arms import Genes
    from pytest_stbench.metrics.scores import Scores

    Floats = NDArray[np.float64]

MIN_GENES = 10
PERMUTATIONS = 999
SEED = 0
MAX_MODULES = 10
STRONG = 0.2
NOTHING = 1e-12
DECIMALS = 9
BLOCK_ELEMENTS = 1 << 20
"""Elements of permuted matrices held at once: 8 MiB of float64."""


@coexpression_metric("M24", bounds=(-1.0, 1.0), fill=0.0)
def coexpression_mantel(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
    permutations: int = PERMUTATIONS,
) -> Scores:
    """Pearson correlation of true and predicted correlations of all pairs of genes.

    The Mantel statistic. Range [-1, 1], higher is better; a prediction that only knows library
    size can reach 0.5, see :func:`partial_coexpression_mantel`.

    Parameters
    ----------
    truth, prediction, measured, genes, min_units, min_genes
        As in :func:`pytest_stbench.metrics.coexpression_ssim`.
    permutations
        Random orders of the predicted genes behind the extra ``p``; 0 for none.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units``, ``too_few_genes``, ``gt_constant``,
        ``pred_constant`` (all pairs have the same correlation). Extras: ``p``, one-sided (greater),
        with one added to both counts; the counts of genes as in ``coexpression_ssim``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.

    References
    ----------
    Mantel 1967, Cancer Research 27:209.
    """
    arms = compare_coexpression(truth, prediction, measured=measured, genes=genes, min_units=min_units)
    return score_mantel(arms, min_genes, permutations)


@coexpression_metric(
    "M25", bounds=(-1.0, 1.0), fill=0.0, source="10.2307/2347233; 10.1093/bioinformatics/btn634"
)
def coexpression_rv(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> Scores:
    """RV coefficient of true and predicted gene-gene correlations.

    tr(AB) / sqrt(tr(AA) tr(BB)), diagonals left out. Range [-1, 1], higher is better. Parameters and
    errors as in :func:`pytest_stbench.metrics.coexpression_ssim`.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units``, ``too_few_genes``, ``gt_constant``,
        ``pred_constant`` (all correlations are 0). Extras: the counts of genes.

    References
    ----------
    RV coefficient: 10.2307/2347233; few units: 10.1093/bioinformatics/btn634.
    """
    arms = compare_coexpression(truth, prediction, measured=measured, genes=genes, min_units=min_units)
    return score_rv(arms, min_genes)


@coexpression_metric("M27", bounds=(0.0, 1.0))
def coexpression_sign(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> Scores:
    """Share of clearly correlated pairs of genes that keep their sign in the prediction.

    Clearly: the true correlation is beyond 0.2 on either side. A predicted one of 0 counts one
    half. Range [0, 1], 0.5 by chance, higher is better. Parameters and errors as in
    :func:`pytest_stbench.metrics.coexpression_ssim`.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units``, ``too_few_genes``, ``no_positive``
        (no pair is clearly correlated). Extras: ``n_strong`` (such pairs), the counts of genes.
    """
    arms = compare_coexpression(truth, prediction, measured=measured, genes=genes, min_units=min_units)
    true, predicted = _pairs(arms)
    strong = np.abs(true) > STRONG
    reason = short_of(arms, min_genes) or ("" if strong.any() else "no_positive")
    kept = np.sign(true[strong]) == np.sign(predicted[strong])
    credit = np.where(np.abs(predicted[strong]) <= NOTHING, 0.5, kept)
    value = float(credit.mean()) if len(credit) else np.nan
    return slide_score(value, reason, arms.flags, **arms.counts, n_strong=int(strong.sum()))


def score_mantel(arms: CoexpressionArms, min_genes: int, permutations: int) -> Scores:
    """Return the Mantel statistic of both arms."""
    reason = short_of(arms, min_genes)
    if not reason:
        for values, why in zip(_pairs(arms), ("gt_constant", "pred_constant"), strict=True):
            if not reason and np.ptp(values) <= CONSTANT_TOLERANCE * max(1.0, abs(float(values.mean()))):
                reason = why
    if reason:
        return slide_score(np.nan, reason, arms.flags, **arms.counts, p=np.nan)
    true, predicted = _pairs(arms)
    true, predicted = true - true.mean(), predicted - predicted.mean()
    cross, left, right = true @ predicted, true @ true, predicted @ predicted
    value = float(correlation(np.array([cross]), np.array([left]), np.array([right]))[0])
    p = _permuted(arms, float(cross), permutations)
    return slide_score(value, "", arms.flags, **arms.counts, p=p)


def score_rv(arms: CoexpressionArms, min_genes: int) -> Scores:
    """Return the RV coefficient of both arms."""
    reason = short_of(arms, min_genes)
    left, right = float((arms.truth**2).sum()), float((arms.prediction**2).sum())
    reason = reason or ("gt_constant" if left <= NOTHING else "pred_constant" if right <= NOTHING else "")
    cross = float((arms.truth * arms.prediction).sum())
    value = float(correlation(np.array([cross]), np.array([left]), np.array([right]))[0])
    return slide_score(value, reason, arms.flags, **arms.counts)


def _permuted(arms: CoexpressionArms, observed: float, permutations: int) -> float:
    """Return how often the genes of the prediction in a random order agree as well, one added."""
    if permutations == 0:
        return float("nan")
    rng = stream(SEED, "mantel")
    k = len(arms.genes)
    rows, columns = np.triu_indices(k, 1)
    # Centred on the pairs, so that the mean of the prediction, which no order changes, drops out.
    true = arms.truth[rows, columns] - arms.truth[rows, columns].mean()
    as_good = 0
    step = max(1, BLOCK_ELEMENTS // len(rows))
    for start in range(0, permutations, step):
        count = min(step, permutations - start)
        orders = rng.permutations(count, k)
        shuffled = arms.prediction[orders[:, rows], orders[:, columns]]
        as_good += int((shuffled @ true >= observed - NOTHING).sum())
    return (as_good + 1) / (permutations + 1)


def _pairs(arms: CoexpressionArms) -> tuple[Floats, Floats]:
    """Return the true and predicted correlations of every pair of different genes."""
    above = np.triu_indices(len(arms.genes), 1)
    return arms.truth[above], arms.prediction[above]


def short_of(arms: CoexpressionArms, min_genes: int) -> str:
    """Return why a slide has too little to be scored; empty where it has enough."""
    few = len(arms.genes) < at_least_three(min_genes, "min_genes")
    return arms.reason or ("too_few_genes" if few else "")
