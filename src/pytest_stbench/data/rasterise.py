"""Label images of a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Window = tuple[float, float, float, float]

MAX_PIXELS = 1 << 28


def blank(um_per_px: float, window_um: Window) -> NDArray[np.int32]:
    """Return an empty label image of a window (x0, y0, x1, y1).

    Raises ``DataError`` for an empty window or one of more than 2^28 pixels.
    """
    x0, y0, x1, y1 = window_um
    if not (um_per_px > 0 and np.isfinite(window_um).all() and x1 > x0 and y1 > y0):
        raise DataError(
            f"window {window_um} um at {um_per_px} um per pixel is empty: give x0 < x1, y0 < y1, pixels > 0"
        )
    width, height = (max(1, round(side / um_per_px)) for side in (x1 - x0, y1 - y0))
    if width * height > MAX_PIXELS:
        raise DataError(f"a label image of {width} x {height} pixels is too large: ask for a smaller window")
    return np.zeros((height, width), dtype=np.int32)
