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
"""Why a transcript is not counted, in the order of ``fates``: the first reason that holds.

Further reasons of features without a column may stand before the last one.
"""


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
        Column of each feature; :data:`CONTROL`, :data:`UNLISTED` or, for further reasons, minus the
        place of its reason in `fates` where it has none.
    min_qv
        Least quality.
    fates
        Numbers for each reason, (4 + further reasons,), added to in place.

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
    # No branch depends on a transcript: half of them would be guessed wrong.
    good = len(fates)
    counted = np.zeros(good + 1, np.int64)
    kept = 0
    for i in range(len(x_um)):
        column = column_of[feature[i]]
        fate = good
        if has_qv:
            fate = good if qv[i] >= min_qv else good - 1
        fate = fate if column >= 0 else -column
        fate = fate if np.isfinite(x_um[i]) and np.isfinite(y_um[i]) else 0
        counted[fate] += 1
        kept_x[kept], kept_y[kept], kept_column[kept] = x_um[i], y_um[i], column
        kept += fate == good
    fates += counted[:good]
    return kept


FULL = 255
"""What a place of a table of bytes holds at most; as much is carried over, and 1 remains."""


def count_into(
    table: NDArray[np.uint8], rows: NDArray[np.int64], columns: NDArray[np.int32]
) -> tuple[int, NDArray[np.int64]]:
    """Add one to `table` at every (row, column).

    Returns
    -------
    tuple
        How many rows are negative and left out, and the places, ``row * columns of the table + column``, from
        which :data:`FULL` was carried over, each as often as that happened.
    """
    carried = np.empty(len(rows), np.int64)
    outside, n = _count_into(table, rows, columns, carried)
    return outside, carried[:n].copy()


@compiled
def _count_into(
    table: NDArray[np.uint8],
    rows: NDArray[np.int64],
    columns: NDArray[np.int32],
    carried: NDArray[np.int64],
) -> tuple[int, int]:
    outside, n = 0, 0
    for i in range(len(rows)):
        if rows[i] < 0:
            outside += 1
            continue
        held = table[rows[i], columns[i]]
        if held == FULL:
            carried[n] = rows[i] * table.shape[1] + columns[i]
            n += 1
            held = 0
        table[rows[i], columns[i]] = held + 1
    return outside, n


def nonzero_rows(
    table: NDArray[np.uint8], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return data, indices and indptr of the CSR matrix of some rows of a dense table.

    Nothing of the size of the rows is made on the way but their non-zero values.
    """
    indptr = np.zeros(len(rows) + 1, np.int64)
    _count_nonzero(table, rows, indptr)
    np.cumsum(indptr, out=indptr)
    # One place more, where zeros after the last value are written.
    data, indices = np.empty((2, indptr[-1] + 1), np.int32)
    _take_nonzero(table, rows, indptr, data, indices)
    return data[:-1], indices[:-1], indptr


@compiled
def _count_nonzero(table: NDArray[np.uint8], rows: NDArray[np.int64], indptr: NDArray[np.int64]) -> None:
    for i in range(len(rows)):
        found = 0
        for value in table[rows[i]]:
            found += value != 0
        indptr[i + 1] = found


@compiled
def _take_nonzero(
    table: NDArray[np.uint8],
    rows: NDArray[np.int64],
    indptr: NDArray[np.int64],
    data: NDArray[np.int32],
    indices: NDArray[np.int32],
) -> None:
    for i in range(len(rows)):
        place = indptr[i]
        row = table[rows[i]]
        for column in range(len(row)):
            # Zeros are overwritten by what follows: no branch is there to be guessed wrong.
            data[place], indices[place] = row[column], column
            place += row[column] != 0


@compiled
def add_carried(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[np.int32],
) -> None:
    """Add :data:`FULL` to `data` of a CSR matrix at every (row, column), which must be stored there."""
    for i in range(len(rows)):
        first, last = indptr[rows[i]], indptr[rows[i] + 1]
        data[first + np.searchsorted(indices[first:last], columns[i])] += FULL
