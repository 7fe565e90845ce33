"""Share of the variance of many variables that lies between groups of units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.blocks import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONSTANT_TOLERANCE = 1e-9


def variance_between(
    values: NDArray[Any], groups: NDArray[np.integer[Any]], n_groups: int
) -> NDArray[np.float64]:
    """Return eta2 of each column: the sum of squares between groups over the total.

    One pass: the columns of a block of rows are summed by group as a product with one-hot rows.

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
        for rows in blocks(n, 8 * g):
            centred = values[rows] - shift
            member = np.zeros((len(centred), n_groups))
            member[np.arange(len(centred)), groups[rows]] = 1.0
            sums += member.T @ centred
            squares += np.einsum("ij,ij->j", centred, centred)
        size = np.bincount(groups, minlength=n_groups).astype(np.float64)
        offset = sums.sum(axis=0) / n
        total = squares - n * offset**2
        means = np.divide(sums, size[:, None], out=np.zeros_like(sums), where=size[:, None] > 0)
        between = size @ (means - offset) ** 2
        limit = CONSTANT_TOLERANCE * np.maximum(1.0, np.abs(shift + offset))
        varies = np.isfinite(total) & (total > n * limit**2)
    share: NDArray[np.float64] = np.divide(between, total, out=np.full(g, np.nan), where=varies)
    return np.minimum(share, 1.0)
