"""Numbers from whatever a file held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_numbers(values: object) -> NDArray[np.float64]:
    """Return `values` as float64; what is no number (None, text) becomes nan, so it is counted."""
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64, copy=False)
    flat = [_number(value) for value in array.ravel().tolist()]
    return np.array(flat, dtype=np.float64).reshape(array.shape)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # anything is tried: what is no number raises
    except (TypeError, ValueError, OverflowError):
        return float("nan")
