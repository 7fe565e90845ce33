"""Mean structural similarity of two matrices, by sums that slide over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WINDOW = 7
K1, K2 = 0.01, 0.03
FRESH_ROWS = 112
"""Rows after which the sums are made anew, so that rounding cannot add up."""


def mean_ssim(first: NDArray[Any], second: NDArray[Any], *, data_range: float, offset: float = 0.0) -> float:
    """Return the mean structural similarity over all windows of 7 x 7 that lie fully inside.

    Uniform windows, sample covariance, K1 = 0.01 and K2 = 0.03; nothing is padded. Memory is a few
    rows, whatever the size.

    Parameters
    ----------
    first, second
        Shape (n, m), float32 or float64, finite.
    data_range
        Largest minus smallest value that is possible.
    offset
        Added to every value of both: the index assumes values that are not negative.

    Returns
    -------
    float
        In [-1, 1], 1 for equal matrices; nan where no window fits.

    References
    ----------
    Structural similarity: 10.1109/TIP.2003.819861.
    """
    if first.shape != second.shape:
        message = f"the matrices have shapes {first.shape} and {second.shape}: they must have the same"
        raise ValueError(message)
    if min(first.shape) < WINDOW:
        return float("nan")
    windows: int = (first.shape[0] - WINDOW + 1) * (first.shape[1] - WINDOW + 1)
    low, high = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    total: float = _sum_of_windows(first, second, low, high, offset)
    return total / windows


@compiled
def _sum_of_windows(
    first: NDArray[Any], second: NDArray[Any], low: float, high: float, offset: float
) -> float:
    """Return the sum of the index over all windows.

    The index needs the sum of both variances, never one alone, so that four sums of each column of
    the window are enough. They slide down by one row: the row that comes in is added, the one that
    leaves taken away. Across, the seven columns are written out, which lets neighbouring windows be
    summed together.
    """
    n, m = first.shape
    area = float(WINDOW * WINDOW)
    per_area, per_freedom, bias = 1.0 / area, 1.0 / (area - 1.0), area / (area - 1.0)
    sa, sb = np.zeros(m), np.zeros(m)
    squares, products = np.zeros(m), np.zeros(m)
    total = 0.0
    for top in range(n - WINDOW + 1):
        if top % FRESH_ROWS == 0:
            sa[:], sb[:], squares[:], products[:] = 0.0, 0.0, 0.0, 0.0
            for row in range(top, top + WINDOW):
                in_a, in_b = first[row], second[row]
                for j in range(m):
                    a, b = in_a[j] + offset, in_b[j] + offset
                    sa[j] += a
                    sb[j] += b
                    squares[j] += a * a + b * b
                    products[j] += a * b
        else:
            in_a, in_b = first[top + WINDOW - 1], second[top + WINDOW - 1]
            out_a, out_b = first[top - 1], second[top - 1]
            for j in range(m):
                a, b = in_a[j] + offset, in_b[j] + offset
                c, d = out_a[j] + offset, out_b[j] + offset
                sa[j] += a - c
                sb[j] += b - d
                squares[j] += a * a + b * b - (c * c + d * d)
                products[j] += a * b - c * d
        line = 0.0
        for j in range(m - WINDOW + 1):
            in_window = sa[j] + sa[j + 1] + sa[j + 2] + sa[j + 3] + sa[j + 4] + sa[j + 5] + sa[j + 6]
            mean_a = in_window * per_area
            in_window = sb[j] + sb[j + 1] + sb[j + 2] + sb[j + 3] + sb[j + 4] + sb[j + 5] + sb[j + 6]
            mean_b = in_window * per_area
            both = (
                squares[j] + squares[j + 1] + squares[j + 2] + squares[j + 3]
                + squares[j + 4] + squares[j + 5] + squares[j + 6]
            )  # fmt: skip
            cross = (
                products[j] + products[j + 1] + products[j + 2] + products[j + 3]
                + products[j + 4] + products[j + 5] + products[j + 6]
            )  # fmt: skip
            level, levels = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
            covariance = cross * per_freedom - level * bias
            variances = both * per_freedom - levels * bias
            above = (2.0 * level + low) * (2.0 * covariance + high)
            line += above / ((levels + low) * (variances + high))
        total += line
    return total
