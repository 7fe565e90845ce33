"""Marker genes of niches that are found in the prediction itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.markers import one_vs_rest
from pytest_stbench.metrics.comparison import known_genes, matrices
from pytest_stbench.metrics.labelled import true_codes
from pytest_stbench.metrics.niche_arms import MIN_UNITS, N_TOP, compare_niches, jaccard, score_lists

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.niche_signatures import Genes
    from pytest_stbench.metrics.scores import Scores

COMPONENTS = 20
SEED = 0
STARTS = 10


@metric(
    "M20", bounds=(0.0, 1.0), better="up", fill=0.0, over="niche", genes="markers", group="set", params=("n",)
)
def niche_jaccard_reclustered(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    niches: ArrayLike,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    n: int = N_TOP,
    min_units: int = MIN_UNITS,
) -> Scores:
    """Jaccard index of marker genes where the predicted niches are clusters of the prediction.

    Answers whether the predicted data alone would lead to the same niches. The labelled units are
    clustered (k-means on 20 principal components of the prediction, as many clusters as there are
    niches), and each niche is given the cluster that shares most units with it, one to one. Range
    [0, 1], higher is better; never to be mixed with :func:`niche_jaccard`, whose niches are the
    true ones in both arms.

    Parameters
    ----------
    truth, prediction, niches, measured, genes, n, min_units
        As in :func:`niche_jaccard`; the prediction is expression.

    Returns
    -------
    Scores
        As of :func:`niche_jaccard`, with the extra ``shared``: the part of a niche's units that
        lie in its cluster.

    Raises
    ------
    ValueError
        As :func:`niche_jaccard`.
    """
    arms = compare_niches(truth, prediction, niches, measured=measured, genes=genes, min_units=min_units)
    true, predicted = matrices(truth, prediction)
    codes, _ = true_codes(niches, "niches")
    kept = codes >= 0
    count = len(arms.niches)
    usable = known_genes(measured, true.shape[1]) & np.isfinite(true).all(axis=0)
    inside = np.asarray(predicted[kept][:, usable], np.float64)
    niche_of, shared = _matched(_clusters(inside, count), codes[kept], count)
    order, change = np.zeros((2, count, len(usable)))
    if count:
        found = one_vs_rest(inside, niche_of, count)
        order[:, usable], change[:, usable] = found.z, found.log2_fold_change
    scores = score_lists(replace(arms, order_prediction=order, change_prediction=change), n, jaccard)
    return replace(scores, extras={**scores.extras, "shared": shared}, members=None)


def _clusters(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return the cluster of each unit; one for all where the prediction has no two different units."""
    from sklearn.cluster import KMeans

    centred = values - values.mean(axis=0) if len(values) else values
    scale = np.abs(centred).max(initial=0.0)
    if count < 2 or scale <= 1e-9 * max(1.0, float(np.abs(values).max(initial=0.0))):
        return np.zeros(len(values), dtype=np.intp)
    left, size, _ = np.linalg.svd(centred / scale, full_matrices=False)
    points = left[:, :COMPONENTS] * size[:COMPONENTS]
    distinct = len(np.unique(np.round(points, 9), axis=0))
    found = KMeans(min(count, distinct), n_init=STARTS, random_state=SEED).fit_predict(points)
    return np.asarray(found, dtype=np.intp)


def _matched(
    clusters: NDArray[np.intp], codes: NDArray[np.intp], count: int
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return the niche that each unit's cluster stands for, and what share of each niche it holds."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((count, count))
    np.add.at(table, (clusters, codes), 1.0)
    rows, columns = linear_sum_assignment(-table)
    niche_of = np.empty(count, dtype=np.intp)
    niche_of[rows] = columns
    held = np.zeros(count)
    held[columns] = table[rows, columns]
    sizes = table.sum(axis=0)
    return niche_of[clusters], np.divide(held, sizes, out=np.zeros(count), where=sizes > 0)
