"""What a pair of genes would reach by chance: all pairs of genes that are detected as often as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.kernels.bivariate import Standardised

QUANTILE = 0.95
MIN_PAIRS = 20
"""Fewer other pairs cannot show the upper 5%."""


def matched_thresholds(
    genes: Standardised,
    detection: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return, for each pair of genes, the 95th percentile of the pairs matched on detection.

    Genes are put into deciles of their detection rate. Matched with a pair are all pairs of a gene of
    the decile of its first gene with one of the decile of its second, but for pairs of a gene with itself
    and the pairs given (either way round). They share the autocorrelation of the tissue, which permuted
    units would not. All are taken: nothing is drawn, so that a threshold has no error of its own.

    Parameters
    ----------
    genes
        The candidates, as made by :func:`pytest_stbench.kernels.bivariate.standardise`, (m, g).
    detection
        Shape (g,): share of units in which each candidate was detected.
    first, second
        Shape (p,): columns of the pairs.

    Returns
    -------
    NDArray
        Shape (p,); nan where fewer than 20 matched pairs exist.
    """
    result = np.full(len(first), np.nan)
    if len(first) == 0:
        return result
    edges = np.quantile(detection, np.arange(1, 10) / 10)
    decile = np.searchsorted(edges, detection, side="right")
    members = [np.flatnonzero(decile == number) for number in range(10)]
    place = np.empty(len(detection), np.intp)
    for columns in members:
        place[columns] = np.arange(len(columns))
    known = np.concatenate([first, second]), np.concatenate([second, first])
    both = np.column_stack([decile[first], decile[second]])
    for left, right in np.unique(both, axis=0):
        allowed = members[left][:, None] != members[right]
        given = (decile[known[0]] == left) & (decile[known[1]] == right)
        allowed[place[known[0][given]], place[known[1][given]]] = False
        if allowed.sum() >= MIN_PAIRS:
            here = (both == (left, right)).all(axis=1)
            result[here] = np.quantile(genes.crossed(members[left], members[right])[allowed], QUANTILE)
    return result
