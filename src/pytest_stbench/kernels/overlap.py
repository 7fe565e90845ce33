"""Overlap of two lists: what chance gives, and what the order of the lists adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Members = Sequence[str] | NDArray[np.intp]


def expected_jaccard(n_candidates: int, n_first: int, n_second: int) -> float:
    """Return the expected Jaccard index of two random subsets of the same candidates, exactly.

    sum_k P(k) k / (a + b - k), where the number k of common members of an a-subset and a b-subset
    of G candidates is hypergeometric.

    Parameters
    ----------
    n_candidates
        Number of candidates, G.
    n_first, n_second
        Sizes of the subsets, a and b, 0 to G.

    Returns
    -------
    float
        0 to 1; 0 if a subset is empty.

    Raises
    ------
    ValueError
        If a subset is larger than the set of candidates, or a number is negative.
    """
    if not 0 <= min(n_first, n_second) <= max(n_first, n_second) <= n_candidates:
        raise ValueError(
            f"subsets of {n_first} and {n_second} of {n_candidates} candidates do not exist: "
            "a subset has between 0 and all of the candidates"
        )
    common = np.arange(max(0, n_first + n_second - n_candidates), min(n_first, n_second) + 1)
    probability = np.exp(
        _log_choose(n_first, common)
        + _log_choose(n_candidates - n_first, n_second - common)
        - _log_choose(n_candidates, n_second)
    )
    union = np.maximum(n_first + n_second - common, 1)
    return float(probability @ (common / union))


def rank_biased_overlap(first: Members, second: Members, p: float = 0.95) -> float:
    """Return the extrapolated rank-biased overlap of two ranked lists, to the depth of the first.

    (X_k / k) p^k + (1 - p) / p * sum_{d=1..k} (X_d / d) p^d, where X_d is the number of common
    members of the first d of both and k the length of `first`. A longer `second` is cut; the ranks
    a shorter one lacks never match.

    Parameters
    ----------
    first, second
        Members in order, best first, none twice.
    p
        Between 0 and 1: the larger, the less the top of the list dominates.

    Returns
    -------
    float
        0 to 1, higher means more alike; nan if `first` is empty.

    Raises
    ------
    ValueError
        If `p` is not between 0 and 1.

    References
    ----------
    Rank-biased overlap: 10.1145/1852102.1852106.
    """
    if not 0.0 < p < 1.0:
        raise ValueError(f"p is {p}: give a number between 0 and 1, both excluded")
    k = len(first)
    if k == 0:
        return float("nan")
    _, in_first, in_second = np.intersect1d(first, second[:k], assume_unique=True, return_indices=True)
    met = np.bincount(np.maximum(in_first, in_second).astype(np.intp), minlength=k)
    depth = np.arange(1, k + 1)
    share = np.cumsum(met) / depth
    weight = p**depth
    return float(share[-1] * weight[-1] + (1.0 - p) / p * (share @ weight))


def _log_choose(n: int, k: NDArray[np.integer] | int) -> NDArray[np.float64]:
    log: NDArray[np.float64] = gammaln(n + 1.0) - gammaln(np.add(k, 1.0)) - gammaln(n - np.asarray(k) + 1.0)
    return log
