"""Whether predicted expression keeps the correlations between genes, seen as an image.

Genes are ordered by clustering the true correlations, so that modules are blocks. The diagonal is
0 in both matrices: ones there would be free agreement. 1 is added to both, since structural
similarity assumes values that are not negative; without it a matrix and its negative are alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.draws import ceiling_draws, effects, mean_of_draws
from pytest_stbench.kernels.ssim import WINDOW, mean_ssim
from pytest_stbench.metrics.coexpression_arms import (
    MIN_UNITS,
    CoexpressionArms,
    GeneCorrelations,
    coexpression_metric,
    compare_coexpression,
)
from pytest_stbench.metrics.labelled import slide_score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.coexpression_arms import Genes
    from pytest_stbench.metrics.scores import Scores

    Floats = NDArray[np.float64]
    Prediction = ArrayLike | GeneCorrelations
    Ceiling = float | Sequence[float]

DATA_RANGE = 2.0
OFFSET = 1.0
MIN_GENES = 15
MIN_HEADROOM = 0.05
TOLERANCE = 1e-9


@coexpression_metric(
    "M22", bounds=(-1.0, 1.0), source="10.1109/TIP.2003.819861; 10.1093/bioinformatics/17.suppl_1.S22"
)
def coexpression_ssim(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> Scores:
    """Structural similarity of true and predicted gene-gene correlations, as an image.

    Uniform windows of 7 x 7 genes, mean over all that lie fully inside. Range [-1, 1], higher is
    better. A matrix of zeros can reach 0.4 and more where most pairs of genes are noise (the extra
    ``zero_matrix``), so that a plain value says little: see :func:`coexpression_ssim_normalised`.

    Parameters
    ----------
    truth, prediction
        Shape (n, g): units x genes, log-normalised. The prediction may also be
        :class:`GeneCorrelations`.
    measured
        Shape (g,), True where the slide measured the gene; all by default.
    genes
        Gene symbols (g,). Genes are sorted by symbol before they are clustered, so that the order
        in which they come does not matter.
    min_units, min_genes
        Fewest units and fewest genes to compare that give a value.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units``, ``too_few_genes``. A gene leaves
        both matrices if it was not measured (the extra ``n_missing``), has missing truth
        (``n_gaps``) or is constant in truth (``n_constant``); one that is constant in the
        prediction correlates with nothing there (``n_pred_constant``). The flag ``rank_one`` says
        that one axis holds more than 0.9 of the predicted variance. Further extras: ``n_genes``,
        ``n_compared``, ``zero_matrix``; ``n_explained`` and ``n_pred_explained`` are for the
        partial version.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.

    References
    ----------
    Structural similarity: 10.1109/TIP.2003.819861; order of the genes:
    10.1093/bioinformatics/17.suppl_1.S22.
    """
    arms = compare_coexpression(truth, prediction, measured=measured, genes=genes, min_units=min_units)
    return score_ssim(arms, min_genes)


@coexpression_metric("M23", bounds=(None, None), source="10.1109/TIP.2003.819861")
def coexpression_ssim_normalised(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    ceiling: Ceiling,
    floor: float,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> Scores:
    """Structural similarity of gene-gene correlations, between floor and ceiling.

    (S - floor) / (ceiling - floor), where S is :func:`coexpression_ssim`. At most about 1,
    negative below the floor, higher is better.

    Parameters
    ----------
    truth, prediction, measured, genes, min_units, min_genes
        As in :func:`coexpression_ssim`.
    ceiling
        What the depth of the truth allows, or its draws: :func:`coexpression_ceiling`. Their mean is taken.
    floor
        What is reached without knowing the slide, the same for every model:
        :func:`coexpression_floor`.

    Returns
    -------
    Scores
        As of :func:`coexpression_ssim`, with the extras ``ssim``, ``ceiling`` and ``floor``.
        Undefined besides, after ``too_few_genes``: ``no_headroom`` (the ceiling is less than 0.05
        above the floor, or one of them is nan).

    Raises
    ------
    ValueError
        As :func:`coexpression_ssim`.
    """
    arms = compare_coexpression(truth, prediction, measured=measured, genes=genes, min_units=min_units)
    return between(score_ssim(arms, min_genes), ceiling, floor)


def score_ssim(arms: CoexpressionArms, min_genes: int) -> Scores:
    """Return the structural similarity of both arms, genes in the order of the true clusters."""
    few = len(arms.genes) < max(min_genes, WINDOW)
    reason = arms.reason or ("too_few_genes" if few else "")
    if reason:
        return slide_score(np.nan, reason, arms.flags, **arms.counts, zero_matrix=np.nan)
    order = leaf_order(arms.truth)
    truth, prediction = (np.ascontiguousarray(m[np.ix_(order, order)]) for m in (arms.truth, arms.prediction))
    return slide_score(
        _similarity(truth, prediction),
        "",
        arms.flags,
        **arms.counts,
        zero_matrix=_similarity(truth, np.zeros_like(truth)),
    )


def between(plain: Scores, ceiling: Ceiling, floor: float) -> Scores:
    """Return one score of a slide as a share of the way from `floor` to `ceiling`, the mean of its draws."""
    draws = ceiling_draws([ceiling])
    top = float(mean_of_draws(draws)[0])
    reason, value = str(plain.reasons[0]), float(plain.values[0])
    extras = {name: float(values[0]) for name, values in plain.extras.items()}
    extras |= {"ssim": value, "ceiling": top, "floor": floor}
    if not reason and not top - floor >= MIN_HEADROOM - TOLERANCE:
        reason = "no_headroom"
    if reason:
        return slide_score(np.nan, reason, plain.flags, **extras)
    share, room = (value - floor) / (top - floor), top - floor
    moved = effects(draws, np.array([share]), np.array([room])).T
    return replace(slide_score(share, "", plain.flags, **extras), effects=moved)


def leaf_order(correlations: Floats) -> NDArray[np.intp]:
    """Return the order of the genes in a tree of average linkage on 1 - correlation, neighbours alike."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    order: NDArray[np.intp] = leaves_list(linkage(distances(correlations), "average", optimal_ordering=True))
    return order


def distances(correlations: Floats) -> Floats:
    """Return 1 - correlation of each pair, symmetric, as the vector that scipy clusters."""
    rows, columns = np.triu_indices(len(correlations), 1)
    upper, lower = correlations[rows, columns], correlations[columns, rows]
    return np.maximum(1.0 - (upper + lower) / 2, 0.0)


def _similarity(first: Floats, second: Floats) -> float:
    return mean_ssim(first, second, data_range=DATA_RANGE, offset=OFFSET)
