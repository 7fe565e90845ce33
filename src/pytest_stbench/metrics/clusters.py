"""Agreement of predicted clusters with the true labels of the units of a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.metrics.labelled import Labels, cluster_metric, compare_labels, slide_score
from pytest_stbench.metrics.labels import confusion, undefined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.scores import Scores

    Classes = Sequence[str] | NDArray[np.str_] | None
    Table = NDArray[np.float64]


@cluster_metric("M32", bounds=(-0.5, 1.0), better="up", fill=0.0, source="10.1007/BF01908075")
def ari(truth: ArrayLike, prediction: ArrayLike) -> Scores:
    """Adjusted Rand index of predicted clusters or classes and true labels of a slide.

    The chance is that of Hubert and Arabie. Range [-0.5, 1], 0 by chance, higher is better. A single
    predicted cluster gives 0.

    Parameters
    ----------
    truth
        Shape (n,): true labels. Units without one (None, NaN, empty or ``undetermined``) are left
        out.
    prediction
        Shape (n,): cluster of each unit, under any names.

    Returns
    -------
    Scores
        One value; the extra ``n_left_out`` counts units without a true label. Undefined, in this
        order: ``too_few_units`` (fewer than two), ``single_cluster`` (one true label).

    Raises
    ------
    ValueError
        If the lengths differ or a unit has no predicted label.

    References
    ----------
    Adjusted Rand index: 10.1007/BF01908075.
    """
    labels = compare_labels(truth, prediction)
    table = _table(labels)
    rows, columns = _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    both, total = _pairs(table), _pairs(np.atleast_1d(table.sum()))
    chance = rows * columns / max(total, 1.0)
    scale = 0.5 * (rows + columns) - chance
    # No pair is together on either side: all units stand alone in both, which is agreement.
    return _clustering(labels, (both - chance) / scale if scale > 0 else 1.0)


@cluster_metric("M33", bounds=(0.0, 1.0), better="up", fill=0.0)
def nmi(truth: ArrayLike, prediction: ArrayLike) -> Scores:
    """Normalised mutual information of predicted and true labels; rises with the clusters.

    Rises with the number of clusters, which :func:`ami` corrects. Range [0, 1], higher is better.
    Parameters, undefined values and errors as in :func:`ari`.
    """
    labels = compare_labels(truth, prediction)
    information, true_entropy, predicted_entropy = _information(_table(labels))
    scale = 0.5 * (true_entropy + predicted_entropy)
    return _clustering(labels, float(np.clip(information / scale, 0.0, 1.0)) if scale > 0 else 0.0)


@cluster_metric("M33", bounds=(None, 1.0), better="up", fill=0.0)
def ami(truth: ArrayLike, prediction: ArrayLike) -> Scores:
    """Mutual information of predicted and true labels beyond chance.

    Adjusted for chance and divided by the arithmetic mean of the entropies. Range about [0, 1] with 0
    by chance, where it may fall below; higher is better. Parameters, undefined values and errors as in
    :func:`ari`.
    """
    from scipy.sparse import csr_matrix
    from sklearn.metrics.cluster import expected_mutual_information

    labels = compare_labels(truth, prediction)
    table = _table(labels)
    if len(labels.present()) < 2:
        return _clustering(labels, np.nan)
    information, true_entropy, predicted_entropy = _information(table)
    chance = expected_mutual_information(csr_matrix(table.astype(np.int64)), int(table.sum()))
    scale = 0.5 * (true_entropy + predicted_entropy) - chance
    if scale <= np.finfo(np.float64).eps:
        # Every unit stands alone in both: nothing lies between chance and perfect agreement.
        return _clustering(labels, 1.0 if information >= true_entropy - 1e-12 else 0.0)
    return _clustering(labels, (information - chance) / scale)


def _table(labels: Labels) -> Table:
    """Return how many units each true label shares with each predicted one, empty rows left out."""
    table = confusion(labels)
    occupied: Table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    return occupied


def _pairs(counts: Table) -> float:
    return float((counts * (counts - 1.0)).sum() / 2.0)


def _information(table: Table) -> tuple[float, float, float]:
    """Return mutual information and the entropies of rows and columns, in nats."""
    share = table / max(table.sum(), 1.0)
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    joint = _entropy(share.ravel())
    return _entropy(rows) + _entropy(columns) - joint, _entropy(rows), _entropy(columns)


def _entropy(share: Table) -> float:
    some = share[share > 0]
    return float(-(some @ np.log(some)))


def _clustering(labels: Labels, value: float) -> Scores:
    return slide_score(value, undefined(labels, 2), n_left_out=labels.n_left_out)
