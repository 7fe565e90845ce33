"""What a pair of genes would reach by chance: random pairs detected as often as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.kernels.bivariate import Standardised
    from pytest_stbench.kernels.streams import Stream

N_DRAWS = 500
QUANTILE = 0.95
MIN_DRAWS = 20
"""Fewer random pairs cannot show the upper 5%."""


def matched_thresholds(
    genes: Standardised,
    detection: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return, for each pair of genes, the 95th percentile of random pairs matched on detection.

    Genes are put into deciles of their detection rate. A random pair takes its first gene from the
    decile of the pair's first gene and its second from that of the second; pairs of a gene with
    itself and the pairs given (either way round) are never drawn, none is drawn twice. Pairs of
    the same two deciles share their 500 draws, so that a threshold does not depend on the order of
    the pairs. Matched pairs share the autocorrelation of the tissue, which permuted units would
    not.

    Parameters
    ----------
    genes
        The candidates, as made by :func:`pytest_stbench.kernels.bivariate.standardise`, (m, g), in
        an order of their own (alphabetical): the draws follow it.
    detection
        Shape (g,): share of units in which each candidate was detected.
    first, second
        Shape (p,): columns of the pairs.
    seed
        Seed of the draws.

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
    known = np.unique(np.concatenate([_code(first, second), _code(second, first)]))
    both = np.column_stack([decile[first], decile[second]])
    for left, right in np.unique(both, axis=0):
        members = np.flatnonzero(decile == left), np.flatnonzero(decile == right)
        drawn = _draw(*members, known, stream(seed, "matched pairs", int(left), int(right)))
        if len(drawn[0]) >= MIN_DRAWS:
            here = (both == (left, right)).all(axis=1)
            result[here] = np.quantile(genes.association(*drawn), QUANTILE)
    return result


def _draw(
    left: NDArray[np.intp], right: NDArray[np.intp], known: NDArray[np.int64], rng: Stream
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return up to 500 pairs of `left` x `right` without those in `known` or of a gene with itself."""
    total = len(left) * len(right)
    # With as many spares as pairs that may be refused, enough are left; all kept are equally likely.
    spare = len(known) + min(len(left), len(right))
    places = rng.sample(total, min(total, N_DRAWS + spare))
    first, second = left[places // len(right)], right[places % len(right)]
    allowed = (first != second) & ~np.isin(_code(first, second), known)
    return first[allowed][:N_DRAWS], second[allowed][:N_DRAWS]


def _code(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return one number for each ordered pair of columns."""
    return first.astype(np.int64) << 32 | second.astype(np.int64)
