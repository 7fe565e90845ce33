"""How much more a gene varies than genes of its mean do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

TREND_DEGREE = 2
ROUNDING = 1e-12


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
    gene = np.repeat(np.arange(g), np.diff(x.indptr))
    values = x.data.astype(np.float64)
    mean = np.bincount(gene, weights=values, minlength=g) / n
    stored = np.bincount(gene, minlength=g)
    squares = np.bincount(gene, weights=(values - mean[gene]) ** 2, minlength=g)
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
    clipped = np.minimum(values, limit[gene])
    squares = np.bincount(gene, weights=(clipped - mean[gene]) ** 2, minlength=g) + (n - stored) * mean**2
    score[varies] = squares[varies] / ((n - 1) * deviation[varies] ** 2)
    return score
