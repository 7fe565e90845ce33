"""Whether predicted expression ranks the genes of each niche as the truth does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.markers import TIE_DECIMALS
from pytest_stbench.kernels.moments import pair_moments
from pytest_stbench.kernels.overlap import rank_biased_overlap
from pytest_stbench.kernels.ranks import average_ranks
from pytest_stbench.metrics.comparison import CONSTANT_TOLERANCE, at_least_three, correlation
from pytest_stbench.metrics.niche_arms import (
    MIN_UNITS,
    N_TOP,
    NicheFoldChanges,
    compare_niches,
    mark,
    score_lists,
)
from pytest_stbench.metrics.niche_reference import niche_metric
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Genes = Sequence[str] | NDArray[np.str_] | None
    Prediction = ArrayLike | NicheFoldChanges


@niche_metric("M21a", bounds=(0.0, 1.0), params=("n",), source="10.1145/1852102.1852106")
def niche_rbo(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    niches: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    n: int = N_TOP,
    min_units: int = MIN_UNITS,
    p: float = 0.95,
) -> Scores:
    """Rank-biased overlap of the true and predicted marker lists of each niche.

    Lists are ordered by the Wilcoxon rank-sum test, as in :func:`niche_jaccard`. Extrapolated, to the
    depth of the true list; with p = 0.95 the first 20 ranks carry 85% of the weight. Range [0, 1],
    higher is better. Parameters, undefined values and errors as in :func:`niche_jaccard`; `p`, between 0
    and 1, says how far down the lists matter.

    References
    ----------
    Rank-biased overlap: 10.1145/1852102.1852106.
    """
    arms = compare_niches(truth, prediction, niches, measured=measured, genes=genes, min_units=min_units)
    return score_lists(arms, n, lambda a, b: rank_biased_overlap(a, b, p))


@niche_metric("M21b", bounds=(-1.0, 1.0))
def niche_logfc_spearman(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    niches: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = 10,
) -> Scores:
    """Spearman correlation of true and predicted log2 fold changes of each niche.

    The fold change is the difference of mean log1p values inside and outside, over ln 2. Range
    [-1, 1], higher is better.

    Parameters
    ----------
    truth, prediction, niches, measured, genes, min_units
        As in :func:`niche_jaccard`.
    min_genes
        Fewest candidates that give a value; at least 3.

    Returns
    -------
    Scores
        One value per niche, by name. Undefined, in this order: ``empty_niche``, ``too_few_genes``,
        ``gt_constant``, ``pred_constant``. Extras: ``n_candidates``, ``n_left_out``.

    Raises
    ------
    ValueError
        As :func:`niche_jaccard`.
    """
    arms = compare_niches(truth, prediction, niches, measured=measured, genes=genes, min_units=min_units)
    reasons, size = arms.reasons.copy(), arms.n_candidates()
    mark(reasons, size < at_least_three(min_genes, "min_genes"), "too_few_genes")
    for reason, change in (("gt_constant", arms.change_truth), ("pred_constant", arms.change_prediction)):
        high = np.where(arms.candidates, change, -np.inf).max(axis=1, initial=-np.inf)
        low = np.where(arms.candidates, change, np.inf).min(axis=1, initial=np.inf)
        level = np.where(arms.candidates, change, 0.0).sum(axis=1) / np.maximum(size, 1)
        mark(reasons, high - low <= CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(level)), reason)
    true, predicted = (
        average_ranks(np.where(arms.candidates, np.round(change, TIE_DECIMALS), np.nan).T)
        for change in (arms.change_truth, arms.change_prediction)
    )
    m = pair_moments(true, predicted, arms.candidates.T)
    values = correlation(m.ss_tp, m.ss_t, m.ss_p)
    return Scores(
        values=np.where(reasons == "", values, np.nan),
        reasons=reasons,
        labels=arms.niches,
        extras={
            "n_candidates": size.astype(np.float64),
            "n_left_out": np.full(len(size), float(arms.n_left_out)),
        },
    )
