"""Marker genes of groups of units: one group against the rest, by the Wilcoxon rank-sum test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.compiled import compiled
from pytest_stbench.kernels.ranks import average_ranks
from pytest_stbench.kernels.sparse_ranks import packed_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONSTANT_TOLERANCE = 1e-9
TIE_DECIMALS = 9
TIED_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupStatistics:
    """What sets each group of units apart, gene by gene; fields of shape (groups, g).

    ``z`` is the rank-sum statistic of the group against all other units, ``log2_fold_change`` the
    difference of mean log1p values inside and outside over ln 2, ``detected`` the share of the
    group's units with a value above 0. A gene that does not vary has z and fold change 0; so has
    every gene of a group that is empty or holds all units.
    """

    z: Floats
    log2_fold_change: Floats
    detected: Floats


def one_vs_rest(values: Any, groups: NDArray[np.integer[Any]], n_groups: int) -> GroupStatistics:
    """Compare each group of units with all other units, gene by gene.

    z is the normal approximation of the Wilcoxon rank-sum statistic, corrected for ties, without
    continuity correction. Only values other than 0 are sorted, so that sparse data is fast
    whether or not it is stored as sparse.

    Parameters
    ----------
    values
        Shape (n, g), log1p scale, finite; dense or a scipy sparse matrix; may be negative.
    groups
        Shape (n,): the group of each unit, 0 to `n_groups` - 1.
    n_groups
        Number of groups; a group may be empty.

    Returns
    -------
    GroupStatistics
        Fields of shape (n_groups, g).

    References
    ----------
    Rank-sum test: Wilcoxon 1945, 10.2307/3001968.
    """
    n, g = values.shape
    codes = np.ascontiguousarray(groups, dtype=np.int64)
    sums = np.zeros((3, g, n_groups))
    spread, extent = np.zeros(g), np.zeros((2, g))
    for columns, packed, group_of in packed_columns(values, codes):
        ranks = np.ascontiguousarray(average_ranks(packed.T).T)
        _add_up(packed, ranks, group_of, codes, sums[:, columns], spread[columns], extent[:, columns])
    rank_sum, total, above = sums
    inside = np.bincount(codes, minlength=n_groups).astype(np.float64)
    outside = n - inside
    level = total.sum(axis=1, keepdims=True)
    varies = extent[1] - extent[0] > CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(level[:, 0]) / max(n, 1))
    defined = varies[:, None] & (inside > 0) & (outside > 0)
    # The spread of tied ranks is smaller by sum (t^3 - t) / 12: this is the correction for ties.
    variance = inside * outside / max(n * (n - 1.0), 1.0) * spread[:, None]
    above_chance = rank_sum - inside * (n + 1.0) / 2.0
    z = np.divide(above_chance, np.sqrt(variance), out=np.zeros((g, n_groups)), where=defined)
    difference = total / np.maximum(inside, 1.0) - (level - total) / np.maximum(outside, 1.0)
    return GroupStatistics(
        z=z.T,
        log2_fold_change=np.where(defined, difference / np.log(2.0), 0.0).T,
        detected=(above / np.maximum(inside, 1.0)).T,
    )


def marker_order(statistic: Floats, symbols: NDArray[np.str_]) -> NDArray[np.intp]:
    """Return genes from the largest to the smallest statistic, row by row (k, g) -> (k, g).

    Statistics are compared after rounding to 9 decimals; equal ones follow the alphabet.
    """
    rounded = np.round(statistic, TIE_DECIMALS)
    by_symbol = np.broadcast_to(np.argsort(np.argsort(symbols, kind="stable")), rounded.shape)
    return np.lexsort((by_symbol, -rounded), axis=-1)


def edge_is_tied(rounded: Floats, ranked: NDArray[np.intp], length: int) -> bool:
    """Return whether more than a tenth of a list is tied with what did not enter.

    `rounded` (g,) are values, `ranked` their indices from the best to the worst; the list is the
    first `length` of these.
    """
    if not 0 < length < len(ranked):
        return False
    last = rounded[ranked[length - 1]]
    tied = (rounded[ranked[:length]] == last).sum() > TIED_SHARE * length
    return bool(tied and rounded[ranked[length]] == last)


@compiled
def _add_up(
    packed: NDArray[Any],
    ranks: Floats,
    group_of: NDArray[np.int64],
    codes: NDArray[np.int64],
    sums: Floats,
    spread: Floats,
    extent: Floats,
) -> None:
    """Fill in, for each column, what follows from the ranks of its values other than 0.

    `sums` (3, c, groups) become the sums of ranks, of values and of positive values' number,
    `spread` the sum of squared deviations of the ranks, `extent` the smallest and largest value.
    """
    n = len(codes)
    c, width = packed.shape
    n_groups = sums.shape[2]
    units = np.zeros(n_groups)
    for i in range(n):
        units[codes[i]] += 1.0
    zeros_of = np.zeros(n_groups)
    middle = (n + 1) / 2.0
    for k in range(c):
        for group in range(n_groups):
            zeros_of[group] = units[group]
        negative = stored = 0
        for i in range(width):
            if np.isnan(packed[k, i]):
                break
            stored += 1
            if packed[k, i] < 0:
                negative += 1
        zeros = n - stored
        rank_of_zero = negative + 0.5 * (zeros + 1)
        low, high = (0.0, 0.0) if zeros else (np.inf, -np.inf)
        squares = zeros * (rank_of_zero - middle) ** 2
        for i in range(stored):
            value, group = np.float64(packed[k, i]), group_of[k, i]
            rank = ranks[k, i] + (zeros if value > 0 else 0)
            zeros_of[group] -= 1.0
            sums[0, k, group] += rank
            sums[1, k, group] += value
            if value > 0:
                sums[2, k, group] += 1.0
            squares += (rank - middle) ** 2
            low, high = min(low, value), max(high, value)
        for group in range(n_groups):
            sums[0, k, group] += zeros_of[group] * rank_of_zero
        spread[k], extent[0, k], extent[1, k] = squares, low, high
