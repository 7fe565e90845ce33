"""Whether a prediction shows which pathways of ligand-receptor pairs are active in the tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.metrics.communication import DECIMALS, MIN_PER_PATHWAY, short_of, spearman_of
from pytest_stbench.metrics.labelled import slide_score
from pytest_stbench.metrics.pair_arms import (
    PairAssociations,
    compare_pairs,
    pair_metric,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.metrics.pair_arms import Genes, Pairs
    from pytest_stbench.metrics.scores import Scores

    Floats = NDArray[np.float64]
    Prediction = ArrayLike | PairAssociations


@pair_metric("M31", bounds=(-1.0, 1.0), fill=0.0)
def lr_pathway(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    pairs: Pairs,
    pathways: Sequence[str] | NDArray[np.str_],
    graph: csr_matrix,
    libsize: ArrayLike,
    genes: Genes,
    measured: ArrayLike | None = None,
    min_pathways: int = 5,
) -> Scores:
    """Spearman correlation of true and predicted mean association over pathways.

    A pathway takes part with at least 3 usable pairs. Range [-1, 1], higher is better. Parameters
    and errors as in :func:`lr_auprc`; `pathways` (p,) names the pathway of each pair.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units``, ``too_few_pairs`` (fewer than
        `min_pathways` pathways), ``gt_constant``, ``pred_constant``. Extras: ``same_sign``, the
        share of pathways whose mean association has the same sign in both (0 has none);
        ``n_pathways``, ``n_pairs``, ``n_usable``, ``n_missing``, ``n_rare``.
    """
    arms = compare_pairs(
        truth, prediction, pairs=pairs, graph=graph, libsize=libsize, genes=genes, measured=measured
    )
    names = np.asarray(pathways, dtype=np.str_)
    if names.shape != arms.reasons.shape:
        message = f"pathways have shape {names.shape}: give one for each of the {len(arms.reasons)} pairs"
        raise ValueError(message)
    _, place, size = np.unique(names[arms.usable], return_inverse=True, return_counts=True)
    kept = size >= MIN_PER_PATHWAY
    true, predicted = (
        (np.bincount(place, values, len(size)) / size)[kept] for values in (arms.l_truth, arms.l_prediction)
    )
    same = (np.sign(np.round(true, DECIMALS)) * np.sign(np.round(predicted, DECIMALS))) > 0
    reason = short_of(arms, len(true), min_pathways)
    value, found = spearman_of(true, predicted)
    share = float(same.mean()) if len(same) else np.nan
    return slide_score(value, reason or found, same_sign=share, n_pathways=len(true), **arms.counts())
