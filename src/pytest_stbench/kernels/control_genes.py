"""Gene sets beside genes expressed as much: bins, controls and the weights of both in a score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, diags_array

from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Columns = NDArray[np.intp]

N_BINS = 25
CONTROLS_PER_BIN = 50
MIN_MEMBERS = 3
MIN_SHARE = 0.5
SEED = 0


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
    weights = set_shares(members).toarray()
    usable, filled = usable_controls(bins, controls)
    if len(filled):
        own = np.searchsorted(filled, bins[usable])
        weights[usable] -= (matched_shares(members, bins, filled) / np.bincount(own)[:, None])[own]
    return np.asarray(weights)


def set_shares(members: csc_matrix) -> csc_matrix:
    """Return `members` (g, s) divided by the size of each set: the weights of a mean."""
    size = np.asarray(members.sum(axis=0)).ravel()
    return members @ diags_array(1.0 / np.maximum(size, 1.0)).tocsc()


def usable_controls(bins: Columns, controls: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Columns]:
    """Return which genes are controls with a bin, (g,), and the bins that have some, sorted."""
    usable = controls & (bins >= 0)
    return usable, np.unique(bins[usable])


def matched_shares(members: csc_matrix, bins: Columns, filled: Columns) -> Floats:
    """Return the share of each set's members that every bin of controls matches, (bins, s)."""
    binned = np.flatnonzero(bins >= 0)
    place = (nearest_bin(bins[binned], filled), binned)
    matches = csr_matrix((np.ones(len(binned)), place), shape=(len(filled), len(bins)))
    return np.asarray((matches @ set_shares(members).tocsr()).toarray())


def nearest_bin(bins: Columns, filled: Columns) -> Columns:
    """Return the place in `filled` (sorted, not empty) nearest to each bin, the lower one of two."""
    right = np.minimum(np.searchsorted(filled, bins), len(filled) - 1)
    left = np.maximum(right - 1, 0)
    found: Columns = np.where(bins - filled[left] <= np.abs(filled[right] - bins), left, right)
    return found


def enough(usable: NDArray[np.integer | np.floating], sizes: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return for which sets enough members can be used: half and three, all of three or fewer."""
    needed = np.where(sizes <= MIN_MEMBERS, sizes, np.maximum(MIN_SHARE * sizes, MIN_MEMBERS))
    return np.asarray((sizes > 0) & (usable >= needed))


def expression_bins(level: Floats, detected: NDArray[np.bool_], genes: NDArray[np.str_]) -> Columns:
    """Return the bin (0 lowest to 24) of each detected gene, -1 for the others; ties by symbol."""
    bins = np.full(len(genes), -1, dtype=np.intp)
    columns = np.flatnonzero(detected)
    order = columns[np.lexsort((genes[columns], np.round(level[columns], 9)))]
    bins[order] = np.arange(len(order)) * N_BINS // max(len(order), 1)
    return bins


def draw_controls(
    members: csc_matrix, bins: Columns, free: NDArray[np.bool_], genes: NDArray[np.str_]
) -> NDArray[np.bool_]:
    """Draw up to 50 genes of every bin that holds a member, of the nearest bin where it has none."""
    controls = np.zeros(len(genes), bool)
    filled = np.unique(bins[free])
    holding = np.flatnonzero(np.asarray(members.sum(axis=1)).ravel())
    if not len(filled) or not len(holding):
        return controls
    for number in filled[np.unique(nearest_bin(bins[holding], filled))]:
        pool = np.flatnonzero(free & (bins == number))
        pool = pool[np.argsort(genes[pool], kind="stable")]
        # One stream a bin: what is drawn here does not depend on which other bins hold members.
        order = stream(SEED, "control genes", int(number)).permutation(len(pool))
        controls[pool[order[:CONTROLS_PER_BIN]]] = True
    return controls
