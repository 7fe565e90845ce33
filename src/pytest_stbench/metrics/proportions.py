"""Agreement of predicted and true cell-type proportions, unit by unit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.metrics.comparison import compare_units, matrices
from pytest_stbench.metrics.maps import jsd_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.scores import Scores

    Labels = Sequence[str] | NDArray[np.str_] | None

EPSILON = 1e-6


composition_metric = partial(metric, needs="proportions", group="composition")


@composition_metric("M48", bounds=(0.0, 1.0), better="down", fill=1.0, over="unit", source="10.1109/18.61115")
def proportion_jsd(truth: ArrayLike, prediction: ArrayLike, *, units: Labels = None) -> Scores:
    """Jensen-Shannon divergence in bits of true and predicted proportions of each unit.

    Values are clipped at 0 and divided by their sum over the types. Range [0, 1], lower is better.
    The extra ``distance`` is the square root, the Jensen-Shannon distance.

    Parameters
    ----------
    truth, prediction
        Shape (n, k): units x cell types, proportions or numbers of cells. NaN in the truth leaves
        that type out for that unit.
    units
        Unit names (n,), the labels of the scores.

    Returns
    -------
    Scores
        One value per unit. Undefined, in this order: ``too_few_units`` (no type), ``gt_nan``
        (truth known for less than half of the types), ``empty_truth`` (no value is positive),
        ``empty_pred``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.

    References
    ----------
    Jensen-Shannon divergence: 10.1109/18.61115.
    """
    true, predicted = matrices(truth, prediction)
    # A unit over its types is what a gene is over its units.
    return jsd_map(true.T, predicted.T, genes=units)


@composition_metric("M48", bounds=(0.0, None), better="down", over="unit")
def proportion_kl(truth: ArrayLike, prediction: ArrayLike, *, units: Labels = None) -> Scores:
    """Kullback-Leibler divergence in bits of predicted from true proportions of each unit.

    Proportions are made as in :func:`proportion_jsd`; 1e-6 is added to all of both, and they are
    divided by their sums again. A prediction without any positive value becomes equal proportions.
    Range [0, 20), lower is better.

    Parameters
    ----------
    truth, prediction, units
        As in :func:`proportion_jsd`.

    Returns
    -------
    Scores
        One value per unit. Undefined, in this order: ``too_few_genes`` (no type), ``gt_nan``
        (truth known for less than half of the types), ``empty_truth``.

    Raises
    ------
    ValueError
        If the shapes differ or the prediction is not finite.
    """
    found = compare_units(truth, prediction, measured=None, units=units, at_least=1)
    known = np.isfinite(found.truth)
    true, empty = _shares(found.truth, known)
    predicted, _ = _shares(found.prediction, known)
    found.mark(empty, "empty_truth")
    ratio = np.divide(true, predicted, out=np.ones_like(true), where=known)
    return found.scores(np.maximum(np.einsum("ij,ij->j", true, np.log2(ratio)), 0.0))


def _shares(
    values: NDArray[np.floating], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return columns as proportions with 1e-6 added, 0 where not known, and which had no sum."""
    positive = np.where(known, np.maximum(values, 0.0), 0.0).astype(np.float64)
    total = positive.sum(axis=0)
    empty = total <= 0.0
    shares = np.where(known, positive / np.where(empty, 1.0, total) + EPSILON, 0.0)
    return shares / np.maximum(shares.sum(axis=0), EPSILON), empty
