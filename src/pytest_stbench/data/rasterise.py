"""Label images of a window: empty ones, and those that polygons draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Window = tuple[float, float, float, float]

MAX_PIXELS = 1 << 28


def blank(um_per_px: float, window_um: Window) -> NDArray[np.int32]:
    """Return an empty label image of a window (x0, y0, x1, y1).

    Raises ``DataError`` for an empty window or one of more than 2^28 pixels.
    """
    x0, y0, x1, y1 = window_um
    if not (um_per_px > 0 and np.isfinite(window_um).all() and x1 > x0 and y1 > y0):
        message = (
            f"window {window_um} um at {um_per_px} um per pixel is empty: give x0 < x1, y0 < y1, pixels > 0"
        )
        raise DataError(message)
    width, height = (max(1, round(side / um_per_px)) for side in (x1 - x0, y1 - y0))
    if width * height > MAX_PIXELS:
        message = f"a label image of {width} x {height} pixels is too large: ask for a smaller window"
        raise DataError(message)
    return np.zeros((height, width), dtype=np.int32)


def bounds_of(rings: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return x0, y0, x1, y1 of each ring, (n, 4); nan for one without vertices."""
    bounds = np.full((len(rings), 4), np.nan)
    filled = [place for place, ring in enumerate(rings) if len(ring)]
    if filled:
        vertices = np.concatenate([rings[place] for place in filled])
        starts = np.cumsum([0, *(len(rings[place]) for place in filled[:-1])])
        bounds[filled, :2] = np.minimum.reduceat(vertices, starts)
        bounds[filled, 2:] = np.maximum.reduceat(vertices, starts)
    return bounds


def rasterise(
    rings: Sequence[NDArray[np.float64]],
    um_per_px: float,
    window_um: Window,
    *,
    bounds_um: NDArray[np.float64] | None = None,
) -> NDArray[np.int32]:
    """Return the label image (H, W) of polygons in a window; 0 is background.

    A pixel belongs to the polygon around its centre. Where polygons overlap it is the smaller one's,
    of equal ones the last one's: outer rings alone do not show that a cell lies within another.

    Parameters
    ----------
    rings
        Vertices of each polygon, (v, 2) x and y in um, open or closed; number k is drawn as k + 1.
    um_per_px
        Size of a pixel.
    window_um
        (x0, y0, x1, y1).
    bounds_um
        What :func:`bounds_of` gives, for those who draw many windows.

    Raises
    ------
    DataError
        If the window is empty or has more than 2^28 pixels.
    """
    from skimage.draw import polygon

    image = blank(um_per_px, window_um)
    x0, y0, x1, y1 = window_um
    left, top, right, bottom = (bounds_of(rings) if bounds_um is None else bounds_um).T
    near = (left <= x1) & (top <= y1) & (right >= x0) & (bottom >= y0)
    places = np.flatnonzero(near)
    largest_first = np.argsort([-_area(rings[place]) for place in places.tolist()], kind="stable")
    for place in places[largest_first].tolist():
        column, row = ((rings[place] - (x0, y0)) / um_per_px - 0.5).T
        rows, columns = polygon(row, column, image.shape)  # type: ignore[no-untyped-call]  # scikit-image has no types here
        image[rows, columns] = place + 1
    return image


def _area(ring: NDArray[np.float64]) -> float:
    x, y = (ring - ring[0]).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
