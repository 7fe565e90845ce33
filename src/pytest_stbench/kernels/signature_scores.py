"""Scores of gene sets: one product for all sets, or the ranks of the members within each unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csc_matrix, issparse

from pytest_stbench.kernels.blocks import blocks
from pytest_stbench.kernels.ranks import average_ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy.sparse import spmatrix

    Floats = NDArray[np.float64]
    Columns = NDArray[np.intp]

MAX_RANK = 1500


def membership(sets: Sequence[Columns], n_genes: int) -> csc_matrix:
    """Return which genes belong to which set, (g, s) of ones; a gene listed twice counts once."""
    distinct = [np.unique(columns) for columns in sets]
    indptr = np.concatenate([[0], np.cumsum([len(columns) for columns in distinct])]).astype(np.intp)
    indices = np.concatenate([np.empty(0, np.intp), *distinct])
    return csc_matrix((np.ones(len(indices)), indices, indptr), shape=(n_genes, len(sets)))


def control_weights(members: csc_matrix, bins: Columns, controls: NDArray[np.bool_]) -> Floats:
    """Return the weight of each gene in each score: mean of members minus mean of their controls.

    Every member is matched by the mean of the controls of its own bin, so that a set with many
    members in one bin has its controls mostly from there. A member whose bin has no control is
    matched by the nearest bin that has some, the lower one of two.

    Parameters
    ----------
    members
        Shape (g, s), as made by :func:`membership`.
    bins
        Shape (g,): expression bin of each gene, -1 where it has none; such a member has no control.
    controls
        Shape (g,): genes that serve as controls, the same for all sets.

    Returns
    -------
    NDArray
        Shape (g, s). A set without members has weights 0.

    References
    ----------
    Control genes by expression bin: 10.1126/science.aad0501.
    """
    size = np.asarray(members.sum(axis=0)).ravel()
    share = members.toarray() / np.maximum(size, 1.0)
    weights: Floats = share
    usable = controls & (bins >= 0)
    filled = np.unique(bins[usable])
    if not len(filled):
        return weights
    binned = bins >= 0
    matched = np.zeros((len(filled), members.shape[1]))
    np.add.at(matched, nearest_bin(bins[binned], filled), share[binned])
    own = np.searchsorted(filled, bins[usable])
    weights[usable] -= (matched / np.bincount(own)[:, None])[own]
    return weights


def nearest_bin(bins: Columns, filled: Columns) -> Columns:
    """Return the place in `filled` (sorted, not empty) nearest to each bin, the lower one of two."""
    right = np.minimum(np.searchsorted(filled, bins), len(filled) - 1)
    left = np.maximum(right - 1, 0)
    found: Columns = np.where(bins - filled[left] <= np.abs(filled[right] - bins), left, right)
    return found


def mean_scores(values: NDArray[Any] | spmatrix, weights: Floats) -> Floats:
    """Return the weighted sums of the values of each unit, (n, s), one product for all sets.

    Parameters
    ----------
    values
        Shape (n, g): log-normalised expression, dense or sparse. Genes of weight 0 in all sets are
        not looked at, so they may be nan.
    weights
        Shape (g, s), as made by :func:`control_weights`.
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
        Shape (g, s), as made by :func:`membership`.
    max_rank
        Largest cap; the cap is the number of genes where there are fewer. A set with more members
        than the cap has no U below 0.

    References
    ----------
    UCell, the normalised Mann-Whitney U statistic: 10.1016/j.csbj.2021.06.043.
    """
    n, g = values.shape
    cap = min(max_rank, g)
    size = np.asarray(members.sum(axis=0)).ravel()
    result = np.zeros((n, members.shape[1]))
    if g == 0 or not len(size):
        return result
    sparse = issparse(values)
    by_unit: Any = values.tocsr() if sparse else values  # type: ignore[union-attr]  # issparse is no type guard
    for rows in blocks(n, 8 * g):
        block = by_unit[rows].toarray() if sparse else by_unit[rows]
        ranks = average_ranks(-block.T)
        beyond = ranks > cap
        ranks[beyond] = cap + 1.0
        u = (members.T @ ranks).T - size * (size + 1) / 2
        within = (members.T @ (~beyond).astype(np.float64)).T > 0
        result[rows] = np.where(within, 1.0 - np.maximum(u, 0.0) / np.maximum(size * cap, 1.0), 0.0)
    return result
