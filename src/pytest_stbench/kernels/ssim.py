"""Mean structural similarity of two matrices, by sums that slide over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

K1, K2 = 0.01, 0.03


def mean_ssim(
    first: NDArray[Any], second: NDArray[Any], *, window: int, data_range: float, offset: float = 0.0
) -> float:
    """Return the mean structural similarity over all windows that lie fully inside.

    Uniform square windows, sample covariance, K1 = 0.01 and K2 = 0.03; nothing is padded. Memory
    is a few rows, whatever the size.

    Parameters
    ----------
    first, second
        Shape (n, m), float32 or float64, finite.
    window
        Side of the windows, at least 2.
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
    windows: int = (first.shape[0] - window + 1) * (first.shape[1] - window + 1)
    if min(first.shape) < window:
        return float("nan")
    low, high = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    total: float = _sum_of_windows(first, second, window, low, high, offset)
    return total / windows


@compiled
def _sum_of_windows(
    first: NDArray[Any], second: NDArray[Any], window: int, low: float, high: float, offset: float
) -> float:
    """Return the sum of the index over all windows.

    The index needs the sum of both variances, never one alone, so that four sums of each column of
    the window are enough. They slide down by one row: the row that comes in is added, the one that
    leaves taken away. They are made anew every `window` * 16 rows, so that rounding cannot add up.
    """
    n, m = first.shape
    across = m - window + 1
    area = float(window * window)
    per_area, per_freedom, bias = 1.0 / area, 1.0 / (area - 1.0), area / (area - 1.0)
    sum_a, sum_b = np.zeros(m), np.zeros(m)
    squares, products = np.zeros(m), np.zeros(m)
    wide_a, wide_b = np.empty(across), np.empty(across)
    wide_squares, wide_products = np.empty(across), np.empty(across)
    total = 0.0
    for top in range(n - window + 1):
        fresh = top % (window * 16) == 0
        if fresh:
            sum_a[:] = 0.0
            sum_b[:] = 0.0
            squares[:] = 0.0
            products[:] = 0.0
        else:
            gone = top - 1
            for j in range(m):
                a, b = first[gone, j] + offset, second[gone, j] + offset
                sum_a[j] -= a
                sum_b[j] -= b
                squares[j] -= a * a + b * b
                products[j] -= a * b
        for row in range(top if fresh else top + window - 1, top + window):
            for j in range(m):
                a, b = first[row, j] + offset, second[row, j] + offset
                sum_a[j] += a
                sum_b[j] += b
                squares[j] += a * a + b * b
                products[j] += a * b
        # One loop for each column of the window, so that neighbouring windows are summed together.
        wide_a[:] = 0.0
        wide_b[:] = 0.0
        wide_squares[:] = 0.0
        wide_products[:] = 0.0
        for k in range(window):
            for j in range(across):
                wide_a[j] += sum_a[j + k]
                wide_b[j] += sum_b[j + k]
                wide_squares[j] += squares[j + k]
                wide_products[j] += products[j + k]
        line = 0.0
        for j in range(across):
            mean_a, mean_b = wide_a[j] * per_area, wide_b[j] * per_area
            level = mean_a * mean_b
            levels = mean_a * mean_a + mean_b * mean_b
            covariance = wide_products[j] * per_freedom - level * bias
            variances = wide_squares[j] * per_freedom - levels * bias
            line += ((2.0 * level + low) * (2.0 * covariance + high)) / ((levels + low) * (variances + high))
        total += line
    return total
