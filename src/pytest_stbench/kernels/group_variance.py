"""Share of the variance of many variables that lies between groups of units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONSTANT_TOLERANCE = 1e-9
CHUNK_COLUMNS = 512
"""Columns worked on together: their sums by group stay in the cache."""


def variance_between(
    values: NDArray[Any], groups: NDArray[np.integer[Any]], n_groups: int
) -> NDArray[np.float64]:
    """Return eta2 of each column: the sum of squares between groups over the total.

    One pass over `values` in place, float64 sums.

    Parameters
    ----------
    values
        Shape (n, g).
    groups
        Shape (n,): the group of each row, 0 to `n_groups` - 1.
    n_groups
        Number of groups; a group may be empty.

    Returns
    -------
    NDArray[np.float64]
        (g,), 0 to 1; nan for a column that is constant (standard deviation at most
        1e-9 * max(1, abs(mean))) or not finite, and everywhere with fewer than two rows.

    References
    ----------
    Eta squared of a one-way analysis of variance: SS_between / SS_total.
    """
    n, g = values.shape
    if n < 2:
        return np.full(g, np.nan)
    # Sums of squares about a value near the mean do not cancel.
    shift = values[: min(n, 256)].mean(axis=0, dtype=np.float64)
    sums, squares = np.zeros((n_groups, g)), np.zeros(g)
    with np.errstate(invalid="ignore", over="ignore"):
        _add_rows(np.ascontiguousarray(values), np.asarray(groups), shift, sums, squares, CHUNK_COLUMNS)
        size = np.bincount(groups, minlength=n_groups).astype(np.float64)
        offset = sums.sum(axis=0) / n
        total = squares - n * offset**2
        means = np.divide(sums, size[:, None], out=np.zeros_like(sums), where=size[:, None] > 0)
        between = size @ (means - offset) ** 2
        limit = CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(shift + offset))
        varies = np.isfinite(total) & (total > n * limit**2)
    share: NDArray[np.float64] = np.divide(between, total, out=np.full(g, np.nan), where=varies)
    return np.minimum(share, 1.0)


@compiled
def _add_rows(
    values: NDArray[Any],
    groups: NDArray[np.integer[Any]],
    shift: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    chunk: int,
) -> None:
    """Add each row, less `shift`, to the `sums` of its group, and its squares to `squares`."""
    n, g = values.shape
    for start in range(0, g, chunk):
        stop = min(start + chunk, g)
        for i in range(n):
            k = groups[i]
            for c in range(start, stop):
                centred = values[i, c] - shift[c]
                sums[k, c] += centred
                squares[c] += centred * centred
