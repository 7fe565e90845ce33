"""How much more a gene varies than genes of its mean do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

TREND_DEGREE = 2
ROUNDING = 1e-12
BLOCK_ENTRIES = 1 << 21
"""Entries that are made float64 at once: 16 MiB."""


def standardised_variance(counts: csr_matrix | csc_matrix | NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the variance of the counts standardised by the trend, as seurat_v3 scores genes.

    The trend is the least-squares quadratic of log10 variance on log10 mean over the genes that
    vary (seurat_v3 has a local regression in its place). Counts above mean + sqrt(n) * trend SD
    are set to that value, then the variance about the mean is divided by the trend variance.

    Parameters
    ----------
    counts
        Raw counts, (n, g), dense or sparse; a column per measured gene, all of which shape the
        trend.

    Returns
    -------
    NDArray[np.float64]
        (g,), at least 0, about 1 for a gene on the trend; nan for a gene without variance, and
        everywhere with fewer than two units.

    References
    ----------
    Stuart et al. 2019, 10.1016/j.cell.2019.05.031.
    """
    x = csc_matrix(counts)
    n, g = x.shape
    score = np.full(g, np.nan)
    if n < 2:
        return score
    stored = np.diff(x.indptr)
    mean = _column_sums(x, lambda values, _: values) / n
    squares = _column_sums(x, lambda values, gene: (values - mean[gene]) ** 2)
    variance = (squares + (n - stored) * mean**2) / (n - 1)
    varies = np.flatnonzero((variance > ROUNDING * np.maximum(1.0, mean**2)) & (mean > 0))
    if len(varies) == 0:
        return score
    log_mean, log_variance = np.log10(mean[varies]), np.log10(variance[varies])
    # A quadratic needs three different means; fewer genes get the trend they can carry.
    degree = min(TREND_DEGREE, len(np.unique(np.round(log_mean, 9))) - 1)
    design = np.vander(log_mean - log_mean.mean(), degree + 1)
    trend = design @ np.linalg.lstsq(design, log_variance, rcond=None)[0]
    deviation = np.full(g, np.inf)
    deviation[varies] = np.sqrt(10.0**trend)
    limit = mean + deviation * np.sqrt(n)
    squares = _column_sums(x, lambda values, gene: (np.minimum(values, limit[gene]) - mean[gene]) ** 2)
    squares += (n - stored) * mean**2
    score[varies] = squares[varies] / ((n - 1) * deviation[varies] ** 2)
    return score


def _column_sums(
    x: csc_matrix, of: Callable[[NDArray[np.float64], NDArray[np.intp]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the sum over the stored entries of each column of what `of` makes of values and columns.

    Whole columns are taken at a time, as many as hold ``BLOCK_ENTRIES`` entries or a single one.
    """
    sums = np.empty(x.shape[1])
    start = 0
    while start < len(sums):
        stop = int(np.searchsorted(x.indptr, int(x.indptr[start]) + BLOCK_ENTRIES, side="right")) - 1
        stop = max(start + 1, min(stop, len(sums)))
        part = slice(int(x.indptr[start]), int(x.indptr[stop]))
        local = np.repeat(np.arange(stop - start), np.diff(x.indptr[start : stop + 1]))
        weights = of(x.data[part].astype(np.float64), local + start)
        sums[start:stop] = np.bincount(local, weights=weights, minlength=stop - start)
        start = stop
    return sums
