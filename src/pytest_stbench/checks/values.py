"""Numbers from whatever a file held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide


def as_numbers(values: object) -> NDArray[np.float64]:
    """Return `values` as float64; what is no number (None, text) becomes nan, so it is counted."""
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64, copy=False)
    flat = [_number(value) for value in array.ravel().tolist()]
    return np.array(flat, dtype=np.float64).reshape(array.shape)


def known_places(slide: Slide) -> NDArray[np.float64] | None:
    """Return the coordinates that are finite, (m, 2); None for fewer than two, which have no neighbour."""
    xy = as_numbers(slide.xy_um)
    if xy.ndim != 2 or xy.shape[1:] != (2,):
        return None
    xy = xy[np.isfinite(xy).all(axis=1)]
    return xy if len(xy) > 1 else None


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # anything is tried: what is no number raises
    except (TypeError, ValueError, OverflowError):
        return float("nan")
