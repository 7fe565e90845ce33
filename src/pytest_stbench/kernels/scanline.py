"""Polygons drawn into an image of numbers, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


def draw(
    image: NDArray[np.int32],
    xy: NDArray[np.float64],
    rings: NDArray[np.int64],
    polygons: NDArray[np.int64],
    order: NDArray[np.int64],
    values: NDArray[np.int32],
) -> None:
    """Draw polygons over each other into `image`, in place.

    A pixel belongs to a polygon if an odd number of its edges lies to the left of the centre of the pixel:
    holes and parts need no mark of their own. A centre on an edge belongs to the side on which
    coordinates ascend, so that polygons that share an edge share no pixel and leave none.

    Parameters
    ----------
    image
        (H, W), contiguous.
    xy
        Vertices (v, 2) of all rings, in pixels: (0, 0) is the centre of the first pixel. Rings are
        closed: the last vertex is the first.
    rings
        Where each ring begins in `xy`, and the end, (r + 1,).
    polygons
        Where each polygon begins in `rings`, and the end, (p + 1,).
    order
        Polygons to be drawn, the last one above, (m,).
    values
        What each polygon is drawn with, (p,).

    Notes
    -----
    Memory is that of the crossings of one polygon with the rows of the image.
    """
    if len(order):
        _draw(image, xy, rings, polygons, order, values)


@compiled
def _draw(
    image: NDArray[np.int32],
    xy: NDArray[np.float64],
    rings: NDArray[np.int64],
    polygons: NDArray[np.int64],
    order: NDArray[np.int64],
    values: NDArray[np.int32],
) -> None:
    height, width = image.shape
    starts = np.zeros(height + 1, np.int64)
    crossings = np.empty(64)
    for place in range(len(order)):
        polygon = order[place]
        first, last = rings[polygons[polygon]], rings[polygons[polygon + 1]]
        low, high = np.inf, -np.inf
        for vertex in range(first, last):
            low, high = min(low, xy[vertex, 1]), max(high, xy[vertex, 1])
        top, bottom = max(0, int(np.ceil(low))), min(height, int(np.ceil(high)))
        if top >= bottom:
            continue
        # how many edges cross each row, then where those of each row begin
        for row in range(top, bottom + 1):
            starts[row] = 0
        for ring in range(polygons[polygon], polygons[polygon + 1]):
            for vertex in range(rings[ring], rings[ring + 1] - 1):
                y_a, y_b = xy[vertex, 1], xy[vertex + 1, 1]
                for row in range(
                    max(top, int(np.ceil(min(y_a, y_b)))), min(bottom, int(np.ceil(max(y_a, y_b))))
                ):
                    starts[row + 1] += 1
        for row in range(top, bottom):
            starts[row + 1] += starts[row]
        if starts[bottom] > len(crossings):
            crossings = np.empty(2 * starts[bottom])
        # the same again with the places; afterwards starts[row] is where those of the row end
        for ring in range(polygons[polygon], polygons[polygon + 1]):
            for vertex in range(rings[ring], rings[ring + 1] - 1):
                lower, upper = vertex, vertex + 1
                if xy[lower, 1] > xy[upper, 1]:
                    lower, upper = upper, lower
                x_a, y_a, x_b, y_b = xy[lower, 0], xy[lower, 1], xy[upper, 0], xy[upper, 1]
                for row in range(max(top, int(np.ceil(y_a))), min(bottom, int(np.ceil(y_b)))):
                    crossings[starts[row]] = x_a + (row - y_a) * (x_b - x_a) / (y_b - y_a)
                    starts[row] += 1
        begin = 0
        for row in range(top, bottom):
            end = starts[row]
            for at in range(begin + 1, end):
                moved, to = crossings[at], at
                while to > begin and crossings[to - 1] > moved:
                    crossings[to] = crossings[to - 1]
                    to -= 1
                crossings[to] = moved
            for at in range(begin, end - 1, 2):
                left = max(0, int(np.ceil(crossings[at])))
                right = min(width, int(np.ceil(crossings[at + 1])))
                for column in range(left, right):
                    image[row, column] = values[polygon]
            begin = end
