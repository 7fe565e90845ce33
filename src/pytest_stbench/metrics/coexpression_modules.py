"""Whether predicted expression keeps the modules of genes that go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.metrics.coexpression import distances
from pytest_stbench.metrics.coexpression_arms import (
    MIN_UNITS,
    coexpression_metric,
    compare_coexpression,
)
from pytest_stbench.metrics.coexpression_structure import DECIMALS, MAX_MODULES, MIN_GENES, short_of
from pytest_stbench.metrics.labelled import slide_score

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.coexpression import Prediction
    from pytest_stbench.metrics.coexpression_arms import Genes
    from pytest_stbench.metrics.scores import Scores

    Floats = NDArray[np.float64]


@coexpression_metric("M26", bounds=(-0.5, 1.0), source="10.1007/BF01908075")
def module_ari(
    truth: ArrayLike,
    prediction: Prediction,
    *,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> Scores:
    """Adjusted Rand index of true and predicted gene modules.

    Modules are clusters of average linkage on 1 - correlation. Their number, 2 to 10, has the
    largest silhouette in truth and is the same for both. Range [-0.5, 1], 0 by chance, higher is
    better. Parameters and errors as in :func:`pytest_stbench.metrics.coexpression_ssim`.

    Returns
    -------
    Scores
        One value. Undefined, in this order: ``too_few_units``, ``too_few_genes``,
        ``single_cluster`` (the true tree cannot be cut into two or more). Extras: ``n_modules``,
        ``silhouette`` (of the true modules), the counts of genes.

    References
    ----------
    Adjusted Rand index: 10.1007/BF01908075; silhouette: 10.1016/0377-0427(87)90125-7.
    """
    arms = compare_coexpression(truth, prediction, measured=measured, genes=genes, min_units=min_units)
    reason = short_of(arms, min_genes)
    n_modules, width, value = 0, np.nan, np.nan
    if not reason:
        from sklearn.metrics import adjusted_rand_score

        modules, width = _modules(arms.truth)
        n_modules = len(np.unique(modules))
        reason = "" if n_modules > 1 else "single_cluster"
        value = float(adjusted_rand_score(modules, _cut(arms.prediction, n_modules)))
    return slide_score(value, reason, arms.flags, **arms.counts, n_modules=n_modules, silhouette=width)


def _modules(correlations: Floats) -> tuple[NDArray[np.intp], float]:
    """Return the clusters with the largest silhouette, and that; the fewest clusters of equals."""
    from sklearn.metrics import silhouette_score

    square = np.maximum(1.0 - (correlations + correlations.T) / 2, 0.0)
    np.fill_diagonal(square, 0.0)
    best, widest = np.zeros(len(square), dtype=np.intp), -np.inf
    for count in range(2, min(MAX_MODULES, len(square) - 1) + 1):
        found = _cut(correlations, count)
        if not 1 < len(np.unique(found)) < len(found):
            continue
        width = round(float(silhouette_score(square, found, metric="precomputed")), DECIMALS)
        if width > widest:
            best, widest = found, width
    return best, float(widest) if np.isfinite(widest) else float("nan")


def _cut(correlations: Floats, count: int) -> NDArray[np.intp]:
    """Return the cluster of each gene when the tree is cut into at most `count`."""
    from scipy.cluster.hierarchy import fcluster, linkage

    found: NDArray[np.intp] = fcluster(linkage(distances(correlations), "average"), count, "maxclust")
    return found
