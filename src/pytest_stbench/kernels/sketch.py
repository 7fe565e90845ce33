"""Random projections of predictions: small enough to keep, and they tell whether two are the same.

The squared distance of two sketches is an unbiased estimate of that of the arrays (count sketch), so that
predictions can be compared long after they left memory, in any order, without predicting again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

RELATIVE = 1e-4
ROUNDING = 1e-6
"""Of the size of the array: several roundings of float32."""

_SIGNS, _BUCKETS, _BLOCK = 8, 32, 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What is kept of an array: its shape, a projection, its norm, and that of what varies in a column."""

    shape: tuple[int, ...]
    projection: NDArray[np.float64]
    size: float
    spread: float


def sketch(values: NDArray[Any]) -> Sketch:
    """Return the sketch of a numeric array of any shape; its first axis are rows."""
    rows = values.reshape(len(values), -1) if values.size else np.zeros((0, 1))
    flat = values.reshape(-1)
    projection = np.zeros((_SIGNS, _BUCKETS))
    step = _BLOCK * _BUCKETS
    for number, start in enumerate(range(0, len(flat), step)):
        block = flat[start : start + step].astype(np.float64)
        block = np.pad(block, (0, -len(block) % _BUCKETS)).reshape(-1, _BUCKETS)
        projection += _signs(number)[:, : len(block)] @ block
    squares = float(np.einsum("ij,ij->", rows, rows, dtype=np.float64))
    constant = float((rows.sum(axis=0, dtype=np.float64) ** 2).sum()) / max(len(rows), 1)
    return Sketch(values.shape, projection, squares**0.5, max(0.0, squares - constant) ** 0.5)


def alike(first: Sketch, second: Sketch) -> bool:
    """Tell whether the first array is the second, up to 1e-4 of what varies in its columns.

    The distance is the root of the summed squares; a millionth of the norm is allowed beside it, for
    roundings of float32 where a prediction does not vary. The estimate is good to about a tenth.
    """
    if first.shape != second.shape:
        return False
    distance = float(((first.projection - second.projection) ** 2).sum() / _SIGNS) ** 0.5
    return bool(distance <= RELATIVE * second.spread + ROUNDING * second.size)


@lru_cache(maxsize=4)
def _signs(number: int) -> NDArray[np.float64]:
    """Return the signs of the rows of a block, the same for every array."""
    bits = stream(number, "signs of a sketch").integers(2, (_SIGNS, _BLOCK))
    return np.asarray(bits * 2.0 - 1.0, dtype=np.float64)
