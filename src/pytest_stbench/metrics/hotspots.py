"""Whether the units where a gene is highest are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.kernels.precision import average_precision
from pytest_stbench.metrics.comparison import compare_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.scores import Scores

    Labels = Sequence[str] | NDArray[np.str_] | None

PERCENTILE = 90.0
MIN_POSITIVE = 5
MOST_TIED = 0.5
DECIMALS = 9


@metric("M17", bounds=(0.0, 1.0), better="up", group="spatial", source="10.1371/journal.pone.0118432")
def hotspot_auprc(
    truth: ArrayLike, prediction: ArrayLike, *, measured: ArrayLike | None = None, genes: Labels = None
) -> Scores:
    """Average precision of finding the units where a gene is above its 90th percentile.

    Units are ranked by the prediction; equal values (after rounding to 9 decimals) share a
    threshold. Range [0, 1], higher is better; a constant prediction gets the share of such units
    (the extra ``prevalence``, at most 0.1).

    Parameters and errors as in :func:`pytest_stbench.metrics.rmse`.

    Returns
    -------
    Scores
        One value per gene. Undefined, in this order: ``gene_missing``, ``too_few_units`` (no
        unit), ``gt_nan`` (truth known for less than half of the units), ``no_positive`` (fewer
        than 5 units above the percentile, or more than half of the units at it). Extras:
        ``prevalence`` and ``n_positive``.

    References
    ----------
    10.1371/journal.pone.0118432.
    """
    found = compare_genes(truth, prediction, measured=measured, genes=genes)
    g = len(found.labels)
    values, prevalence, n_positive = np.zeros(g), np.zeros(g), np.zeros(g)
    rare = np.zeros(g, bool)
    for columns in found.blocks(np.flatnonzero(found.reasons == "")):
        # A percentile lies between two values, and nine decimals are more than single precision holds.
        true, predicted = (part.astype(np.float64) for part in found.take(columns))
        mask = found.mask(columns)
        if mask is not None:
            true = np.where(mask, true, np.nan)
        percentile = (np.percentile if mask is None else np.nanpercentile)(true, PERCENTILE, axis=0)
        n, above = found.moments.n[columns], true > percentile
        n_positive[columns] = above.sum(axis=0)
        prevalence[columns] = n_positive[columns] / n
        rare[columns] = n_positive[columns] < MIN_POSITIVE
        rare[columns] |= (true == percentile).sum(axis=0) > MOST_TIED * n
        values[columns] = average_precision(above, np.round(predicted, DECIMALS), mask)
    found.mark(rare, "no_positive")
    return found.scores(values, extras={"prevalence": prevalence, "n_positive": n_positive})
