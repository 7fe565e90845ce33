"""First and second moments of paired columns, in one pass over the data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.blocks import MIN_BLOCK_COLUMNS, blocks
from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# The shift of a column is the mean of its first block. That block alone bounds the variance from
# below, so the relative error of a sum of squares is at most eps * n_rows / block_rows: a block
# must not get too short on wide matrices.
MIN_BLOCK_ROWS = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairMoments:
    """Moments of each column of a pair of matrices; every field has shape (g,).

    ``n`` counts the pairs used. ``ss_*`` are sums of products of deviations from the column means
    (t truth, p prediction, e extra), ``sum_sq_error`` and ``sum_abs_error`` those of truth minus
    prediction, not centred. ``ss_e``, ``ss_te`` and ``ss_pe`` are 0 without extra. With ``n`` = 0
    all are 0. A column that holds NaN or infinity has no finite ``ss``.
    """

    n: Floats
    mean_t: Floats
    mean_p: Floats
    ss_t: Floats
    ss_p: Floats
    ss_tp: Floats
    sum_sq_error: Floats
    sum_abs_error: Floats
    ss_e: Floats
    ss_te: Floats
    ss_pe: Floats


def pair_moments(
    truth: NDArray[Any],
    prediction: NDArray[Any],
    mask: NDArray[np.bool_] | None = None,
    extra: NDArray[Any] | None = None,
) -> PairMoments:
    """Return the moments of each column of `truth` and `prediction`.

    Deviations are taken from the column's level before anything is squared, so that a small
    variation on a large mean keeps its digits. All sums are float64. Without a mask the matrices
    are read once, in blocks of about 1 MiB, by rows or by columns as they lie in memory.

    Parameters
    ----------
    truth, prediction
        Shape (n, g), float32 or float64.
    mask
        Shape (n, g): True where the pair counts. Values elsewhere are never looked at.
    extra
        Shape (n,): a third variable that every column is compared with, such as log library size.
        With a mask also (n, g), one for each column (ranks differ with the rows that count).

    Returns
    -------
    PairMoments
        Fields of shape (g,).
    """
    n, g = truth.shape
    if n == 0 or g == 0:
        return PairMoments(**{field.name: np.zeros(g) for field in fields(PairMoments)})
    if mask is not None:
        return _masked(truth, prediction, mask, extra)
    by_column = _columns_contiguous(truth)
    means_and_sums = _by_column(truth, prediction) if by_column else _by_row(truth, prediction)
    mean_t, mean_p, ss_t, ss_p, ss_tp, sum_sq, sum_abs = means_and_sums
    ss_e = ss_te = ss_pe = np.zeros(g)
    if extra is not None:
        centred = np.asarray(extra, np.float64) - np.mean(extra, dtype=np.float64)
        ss_e = np.full(g, centred @ centred)
        ss_te, ss_pe = _cross(truth, mean_t, centred), _cross(prediction, mean_p, centred)
    return PairMoments(
        n=np.full(g, float(n)), mean_t=mean_t, mean_p=mean_p, ss_t=ss_t, ss_p=ss_p, ss_tp=ss_tp,
        sum_sq_error=sum_sq, sum_abs_error=sum_abs, ss_e=ss_e, ss_te=ss_te, ss_pe=ss_pe,
    )  # fmt: skip


def column_ranges(values: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> Floats:
    """Return largest minus smallest value of each column (n, g) -> (g,).

    Values where `mask` is False do not count; a column without any value has range 0.
    """
    n, g = values.shape
    low, high, ranges = np.full(g, np.inf), np.full(g, -np.inf), np.zeros(g)
    for rows in blocks(n, g * values.itemsize):
        block = values[rows]
        smallest = block if mask is None else np.where(mask[rows], block, np.inf)
        largest = block if mask is None else np.where(mask[rows], block, -np.inf)
        np.minimum(low, smallest.min(axis=0), out=low)
        np.maximum(high, largest.max(axis=0), out=high)
    np.subtract(high, low, out=ranges, where=high >= low)
    return ranges


def _columns_contiguous(values: NDArray[Any]) -> bool:
    return abs(values.strides[0]) < abs(values.strides[1])


def _common_type(truth: NDArray[Any], prediction: NDArray[Any]) -> type[np.floating[Any]]:
    """float32 if both are, so that a block is read without a copy; else float64."""
    return np.float32 if truth.dtype == prediction.dtype == np.float32 else np.float64


def _by_row(truth: NDArray[Any], prediction: NDArray[Any]) -> Floats:
    n, g = truth.shape
    kind = _common_type(truth, prediction)
    sums = np.zeros((7, g))
    shift_t = shift_p = np.zeros(g)
    for rows in blocks(n, g * np.dtype(kind).itemsize, MIN_BLOCK_ROWS):
        t = np.ascontiguousarray(truth[rows], dtype=kind)
        p = np.ascontiguousarray(prediction[rows], dtype=kind)
        if rows.start == 0:
            shift_t, shift_p = _level(t), _level(p)
        _add_rows(t, p, shift_t, shift_p, sums)
    return _finish(sums, n, shift_t, shift_p)


def _by_column(truth: NDArray[Any], prediction: NDArray[Any]) -> Floats:
    n, g = truth.shape
    kind = _common_type(truth, prediction)
    result = np.empty((7, g))
    for columns in blocks(g, n * np.dtype(kind).itemsize):
        t = np.ascontiguousarray(truth[:, columns].T, dtype=kind)
        p = np.ascontiguousarray(prediction[:, columns].T, dtype=kind)
        sums = np.empty((7, len(t)))
        shift_t, shift_p = np.empty(len(t)), np.empty(len(t))
        _sum_columns(t, p, shift_t, shift_p, sums)
        result[:, columns] = _finish(sums, n, shift_t, shift_p)
    return result


def _level(block: NDArray[Any]) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        mean: Floats = block.mean(axis=0, dtype=np.float64)
        return mean


def _finish(sums: Floats, n: int, shift_t: Floats, shift_p: Floats) -> Floats:
    """Turn sums of shifted values into means and centred sums of products."""
    with np.errstate(invalid="ignore", over="ignore"):
        off_t, off_p = sums[0] / n, sums[1] / n
        return np.stack(
            [
                shift_t + off_t,
                shift_p + off_p,
                np.maximum(sums[2] - sums[0] * off_t, 0.0),
                np.maximum(sums[3] - sums[1] * off_p, 0.0),
                sums[4] - sums[0] * off_p,
                sums[5],
                sums[6],
            ]
        )


@compiled
def _add_rows(t: NDArray[Any], p: NDArray[Any], shift_t: Floats, shift_p: Floats, sums: Floats) -> None:
    """Add a block of rows to `sums` (7, g): t, p, tt, pp, tp (shifted), squared, absolute error."""
    n, g = t.shape
    whole = n - n % 4
    # Four rows at a time: the running sums are loaded and stored once for four values.
    for i in range(0, whole, 4):
        for j in range(g):
            t0, t1 = np.float64(t[i, j]), np.float64(t[i + 1, j])
            t2, t3 = np.float64(t[i + 2, j]), np.float64(t[i + 3, j])
            p0, p1 = np.float64(p[i, j]), np.float64(p[i + 1, j])
            p2, p3 = np.float64(p[i + 2, j]), np.float64(p[i + 3, j])
            # Not from the shifted values: equal inputs must give an error of exactly zero.
            d0, d1, d2, d3 = t0 - p0, t1 - p1, t2 - p2, t3 - p3
            a0, a1, a2, a3 = t0 - shift_t[j], t1 - shift_t[j], t2 - shift_t[j], t3 - shift_t[j]
            b0, b1, b2, b3 = p0 - shift_p[j], p1 - shift_p[j], p2 - shift_p[j], p3 - shift_p[j]
            sums[0, j] += (a0 + a1) + (a2 + a3)
            sums[1, j] += (b0 + b1) + (b2 + b3)
            sums[2, j] += (a0 * a0 + a1 * a1) + (a2 * a2 + a3 * a3)
            sums[3, j] += (b0 * b0 + b1 * b1) + (b2 * b2 + b3 * b3)
            sums[4, j] += (a0 * b0 + a1 * b1) + (a2 * b2 + a3 * b3)
            sums[5, j] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)
            sums[6, j] += (abs(d0) + abs(d1)) + (abs(d2) + abs(d3))
    for i in range(whole, n):
        for j in range(g):
            t0, p0 = np.float64(t[i, j]), np.float64(p[i, j])
            a0, b0, d0 = t0 - shift_t[j], p0 - shift_p[j], t0 - p0
            sums[0, j] += a0
            sums[1, j] += b0
            sums[2, j] += a0 * a0
            sums[3, j] += b0 * b0
            sums[4, j] += a0 * b0
            sums[5, j] += d0 * d0
            sums[6, j] += abs(d0)


@compiled
def _sum_columns(t: NDArray[Any], p: NDArray[Any], shift_t: Floats, shift_p: Floats, sums: Floats) -> None:
    """Fill `sums` (7, c) as `_add_rows` does, for columns that lie one after the other (c, n)."""
    c, n = t.shape
    for k in range(c):
        total_t = total_p = 0.0
        for i in range(n):
            total_t += np.float64(t[k, i])
            total_p += np.float64(p[k, i])
        mean_t, mean_p = total_t / n, total_p / n
        a_sum = b_sum = aa = bb = ab = dd = d_abs = 0.0
        for i in range(n):
            a, b = np.float64(t[k, i]) - mean_t, np.float64(p[k, i]) - mean_p
            d = np.float64(t[k, i]) - np.float64(p[k, i])
            a_sum += a
            b_sum += b
            aa += a * a
            bb += b * b
            ab += a * b
            dd += d * d
            d_abs += abs(d)
        shift_t[k], shift_p[k] = mean_t, mean_p
        sums[0, k], sums[1, k], sums[2, k], sums[3, k] = a_sum, b_sum, aa, bb
        sums[4, k], sums[5, k], sums[6, k] = ab, dd, d_abs


def _cross(values: NDArray[Any], mean: Floats, centred: Floats) -> Floats:
    """Return the sums of products of each column's deviations with a centred variable."""
    n, g = values.shape
    total = np.zeros(g)
    with np.errstate(invalid="ignore", over="ignore"):
        for rows in blocks(n, 8 * g):
            total += centred[rows] @ (values[rows] - mean)
    return total


def _masked(
    truth: NDArray[Any], prediction: NDArray[Any], mask: NDArray[np.bool_], extra: NDArray[Any] | None
) -> PairMoments:
    """Moments over the pairs in `mask`; every column has its own n and its own moments of extra."""
    n, g = truth.shape
    parts: list[dict[str, Floats]] = []
    for columns in blocks(g, 8 * n, MIN_BLOCK_COLUMNS):
        weight = mask[:, columns].T.astype(np.float64)
        count = weight.sum(axis=1)
        t = np.where(weight > 0, truth[:, columns].T, 0.0).astype(np.float64)
        p = np.where(weight > 0, prediction[:, columns].T, 0.0).astype(np.float64)
        error = t - p
        mean_t, t = _centre(t, weight, count)
        mean_p, p = _centre(p, weight, count)
        e = np.zeros_like(t)
        if extra is not None:
            third = extra if extra.ndim == 1 else extra[:, columns].T
            _, e = _centre(np.where(weight > 0, third, 0.0).astype(np.float64), weight, count)
        part = {
            "n": count,
            "mean_t": mean_t,
            "mean_p": mean_p,
            "ss_t": _dot(t, t),
            "ss_p": _dot(p, p),
            "ss_tp": _dot(t, p),
            "sum_sq_error": _dot(error, error),
            "sum_abs_error": np.abs(error).sum(axis=1),
            "ss_e": _dot(e, e),
            "ss_te": _dot(t, e),
            "ss_pe": _dot(p, e),
        }
        parts.append(part)
    return PairMoments(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _centre(values: Floats, weight: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Return means and deviations of the rows (c, n), zero where the weight is zero."""
    divisor = np.maximum(count, 1.0)
    mean = values.sum(axis=1) / divisor
    values = (values - mean[:, None]) * weight
    # The mean of many large values is rounded; what is left of it after centring is taken off too.
    rest = values.sum(axis=1) / divisor
    return mean + rest, values - rest[:, None] * weight


def _dot(left: Floats, right: Floats) -> Floats:
    product: Floats = np.einsum("ij,ij->i", left, right)
    return product
