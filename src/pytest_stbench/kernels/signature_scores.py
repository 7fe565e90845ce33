"""Scores of gene sets: one product for all sets, or the ranks of the members within each unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from pytest_stbench.kernels.blocks import blocks
from pytest_stbench.kernels.ranks import average_ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csc_matrix, spmatrix

    Floats = NDArray[np.float64]

MAX_RANK = 1500


def mean_scores(values: NDArray[Any] | spmatrix, weights: Floats) -> Floats:
    """Return the weighted sums of the values of each unit, (n, s), one product for all sets.

    Parameters
    ----------
    values
        Shape (n, g): log-normalised expression, dense or sparse. Genes of weight 0 in all sets are
        not looked at, so they may be nan.
    weights
        Shape (g, s), as made by :func:`pytest_stbench.kernels.control_genes.control_weights`.
    """
    used = np.flatnonzero((weights != 0).any(axis=1))
    if issparse(values):
        # Rows of weight 0 cost less than a copy of the columns that are left.
        return np.asarray(values.tocsr() @ weights, dtype=np.float64)  # type: ignore[union-attr]  # issparse is no type guard
    chosen = values if len(used) == values.shape[1] else values[:, used]
    scores: Floats = np.asarray(chosen, dtype=np.float64) @ weights[used]
    return scores


def rank_scores(values: NDArray[Any] | spmatrix, members: csc_matrix, max_rank: int = MAX_RANK) -> Floats:
    """Return how high the members of each set rank within each unit, (n, s).

    Genes are ranked within the unit from the highest value down, ties averaged; ranks beyond the
    cap all count as cap + 1. With U the sum of the ranks of the m members minus m (m + 1) / 2 the
    score is 1 - U / (m cap): 1 when the members come first, 0 when all are beyond the cap or the
    set has no member. Range [0, 1].

    Parameters
    ----------
    values
        Shape (n, g), dense or sparse: all genes that are ranked, without nan.
    members
        Shape (g, s), as made by :func:`pytest_stbench.kernels.control_genes.membership`.
    max_rank
        Largest cap; the cap is the number of genes where there are fewer. A set with more members
        than the cap has no U below 0.

    References
    ----------
    UCell, the normalised Mann-Whitney U statistic: 10.1016/j.csbj.2021.06.043.
    """
    n, g = values.shape
    result = np.zeros((n, members.shape[1]))
    sparse = issparse(values)
    by_unit: Any = values.tocsr() if sparse else values  # type: ignore[union-attr]  # issparse is no type guard
    for rows in blocks(n, 8 * max(g, 1)):
        block = by_unit[rows].toarray() if sparse else by_unit[rows]
        result[rows] = scores_of_ranks(unit_ranks(block), members, max_rank)
    return result


def unit_ranks(values: NDArray[Any]) -> Floats:
    """Return the rank of each gene within its unit, 1 for the highest value, (g, n)."""
    return average_ranks(-values.T)


def scores_of_ranks(ranks: Floats, members: csc_matrix, max_rank: int = MAX_RANK) -> Floats:
    """Return the scores of :func:`rank_scores` from the ranks of :func:`unit_ranks`, (n, s)."""
    g = len(ranks)
    cap = min(max_rank, g)
    size = np.asarray(members.sum(axis=0)).ravel()
    beyond = ranks > cap
    u = (members.T @ np.where(beyond, cap + 1.0, ranks)).T - size * (size + 1) / 2
    within = (members.T @ (~beyond).astype(np.float64)).T > 0
    return np.where(within, 1.0 - np.maximum(u, 0.0) / np.maximum(size * cap, 1.0), 0.0)
