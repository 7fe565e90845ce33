"""Which transcripts of a batch are counted, and counting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTROL = -1
UNLISTED = -2
"""What stands for a column in ``column_of`` where a feature has none."""

FATES = ("transcripts_not_finite", "transcripts_control", "transcripts_unlisted", "transcripts_low_qv")
"""Why a transcript is not counted, in the order of ``fates``: the first reason that holds."""


def sift(
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    feature: NDArray[np.int32],
    qv: NDArray[np.float32] | None,
    column_of: NDArray[np.int32],
    min_qv: float,
    fates: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Return x, y and column of the transcripts that count; the others are added to `fates`.

    Parameters
    ----------
    x_um, y_um, feature
        Shape (n,).
    qv
        Shape (n,), or None where there is no quality to judge by. NaN is below every threshold.
    column_of
        Column of each feature, :data:`CONTROL` or :data:`UNLISTED`.
    min_qv
        Least quality.
    fates
        Numbers per entry of :data:`FATES`, added to in place.

    Raises
    ------
    ValueError
        If a feature is not one of those of `column_of`.
    """
    n = len(x_um)
    if n and not 0 <= feature.min() <= feature.max() < len(column_of):
        message = f"features are numbered {feature.min()} to {feature.max()}; there are {len(column_of)}"
        raise ValueError(message)
    kept_x, kept_y, column = np.empty(n), np.empty(n), np.empty(n, np.int32)
    judged = np.empty(0, np.float32) if qv is None else qv
    kept = _sift(
        x_um, y_um, feature, judged, qv is not None, column_of, min_qv, fates, kept_x, kept_y, column
    )
    return kept_x[:kept], kept_y[:kept], column[:kept]


@compiled
def _sift(
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    feature: NDArray[np.int32],
    qv: NDArray[np.float32],
    has_qv: bool,  # noqa: FBT001  # compiled functions take no keyword-only arguments
    column_of: NDArray[np.int32],
    min_qv: float,
    fates: NDArray[np.int64],
    kept_x: NDArray[np.float64],
    kept_y: NDArray[np.float64],
    kept_column: NDArray[np.int32],
) -> int:
    kept = 0
    for i in range(len(x_um)):
        column = column_of[feature[i]]
        if not (np.isfinite(x_um[i]) and np.isfinite(y_um[i])):
            fates[0] += 1
        elif column == -1:
            fates[1] += 1
        elif column < 0:
            fates[2] += 1
        elif has_qv and not qv[i] >= min_qv:
            fates[3] += 1
        else:
            kept_x[kept], kept_y[kept], kept_column[kept] = x_um[i], y_um[i], column
            kept += 1
    return kept


@compiled
def count_into(table: NDArray[np.int32], rows: NDArray[np.int64], columns: NDArray[np.int32]) -> int:
    """Add one to `table` at every (row, column); return how many rows are negative and left out."""
    outside = 0
    for i in range(len(rows)):
        if rows[i] < 0:
            outside += 1
        else:
            table[rows[i], columns[i]] += 1
    return outside
