"""Which polygon each of many points lies in, through a grid of the polygons that are near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

PER_POLYGON = 4
"""Fields of the grid for each polygon: half of them hold nothing, the others one or two."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Polygons in the order in which they lie over each other, by the field of a grid that they reach.

    ``xy``, ``rings`` and ``polygons`` are as for :func:`~pytest_stbench.kernels.scanline.draw`,
    ``bounds`` (p, 4) are x0, y0, x1, y1 of each polygon. Field f of ``shape`` fields of ``side``, which
    begin at ``corner``, is reached by the polygons ``near[starts[f]:starts[f + 1]]``, the last one above.
    """

    xy: NDArray[np.float64]
    rings: NDArray[np.int64]
    polygons: NDArray[np.int64]
    owner: NDArray[np.int64]
    bounds: NDArray[np.float64]
    corner: NDArray[np.float64]
    side: float
    shape: tuple[int, int]
    starts: NDArray[np.int64]
    near: NDArray[np.int32]


def grid_of(
    xy: NDArray[np.float64],
    rings: NDArray[np.int64],
    polygons: NDArray[np.int64],
    order: NDArray[np.intp],
    owner: NDArray[np.intp],
    bounds: NDArray[np.float64],
) -> Grid:
    """Return polygons as a grid, for :func:`inside`.

    Parameters
    ----------
    xy, rings, polygons, order
        As for :func:`~pytest_stbench.kernels.scanline.draw`; at least one polygon in `order`.
    owner
        What each polygon is a part of, (p,).
    bounds
        x0, y0, x1, y1 of each polygon, (p, 4), finite.
    """
    corner = bounds[:, :2].min(axis=0)
    width, height = bounds[:, 2:].max(axis=0) - corner
    side = float(max(np.sqrt(width * height / (PER_POLYGON * len(bounds))), max(width, height) / 2**15))
    shape = int(height / side) + 1, int(width / side) + 1
    first = ((bounds[order, :2] - corner) / side).astype(np.int64)
    last = ((bounds[order, 2:] - corner) / side).astype(np.int64)
    starts = np.zeros(shape[0] * shape[1] + 1, np.int64)
    _count(first, last, shape[1], starts)
    np.cumsum(starts, out=starts)
    near = np.empty(starts[-1], np.int32)
    _fill(first, last, shape[1], order.astype(np.int32), starts[:-1].copy(), near)
    return Grid(
        xy=np.ascontiguousarray(xy), rings=rings, polygons=polygons, owner=owner.astype(np.int64),
        bounds=bounds, corner=corner, side=side, shape=shape, starts=starts, near=near,
    )  # fmt: skip


def inside(
    grid: Grid, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return what each point lies in, -1 for nothing, and whether it lies in several things.

    A point lies in a polygon if an odd number of edges is to the left of it: what lies in a hole is not in
    the polygon, and a point on an edge that two polygons share is in one of them. Of several things the
    last one of the order counts.

    Parameters
    ----------
    grid
        From :func:`grid_of`.
    x, y
        (m,); a point that is not finite lies in nothing.

    Returns
    -------
    tuple
        (m,) places of ``grid.owner``, and (m,).
    """
    found, several = np.full(len(x), -1, np.int64), np.zeros(len(x), np.bool_)
    _inside(
        np.ascontiguousarray(x, np.float64), np.ascontiguousarray(y, np.float64), grid.xy, grid.rings,
        grid.polygons, grid.owner, grid.bounds, grid.corner, grid.side, grid.shape, grid.starts, grid.near,
        found, several,
    )  # fmt: skip
    return found, several


@compiled
def _count(
    first: NDArray[np.int64], last: NDArray[np.int64], columns: int, starts: NDArray[np.int64]
) -> None:
    for polygon in range(len(first)):
        for row in range(first[polygon, 1], last[polygon, 1] + 1):
            for column in range(first[polygon, 0], last[polygon, 0] + 1):
                starts[row * columns + column + 1] += 1


@compiled
def _fill(
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    columns: int,
    order: NDArray[np.int32],
    ends: NDArray[np.int64],
    near: NDArray[np.int32],
) -> None:
    for polygon in range(len(first)):
        for row in range(first[polygon, 1], last[polygon, 1] + 1):
            for column in range(first[polygon, 0], last[polygon, 0] + 1):
                field = row * columns + column
                near[ends[field]] = order[polygon]
                ends[field] += 1


@compiled
def _inside(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    xy: NDArray[np.float64],
    rings: NDArray[np.int64],
    polygons: NDArray[np.int64],
    owner: NDArray[np.int64],
    bounds: NDArray[np.float64],
    corner: NDArray[np.float64],
    side: float,
    shape: tuple[int, int],
    starts: NDArray[np.int64],
    near: NDArray[np.int32],
    found: NDArray[np.int64],
    several: NDArray[np.bool_],
) -> None:
    for point in range(len(x)):
        at_x, at_y = x[point], y[point]
        across, down = (at_x - corner[0]) / side, (at_y - corner[1]) / side
        # written so that a nan is outside
        if not (0 <= across < shape[1] and 0 <= down < shape[0]):
            continue
        field = int(down) * shape[1] + int(across)
        for place in range(starts[field + 1] - 1, starts[field] - 1, -1):
            polygon = near[place]
            if owner[polygon] == found[point]:
                continue
            if not (
                bounds[polygon, 0] <= at_x <= bounds[polygon, 2]
                and bounds[polygon, 1] <= at_y <= bounds[polygon, 3]
            ):
                continue
            odd = False
            for ring in range(polygons[polygon], polygons[polygon + 1]):
                for vertex in range(rings[ring], rings[ring + 1] - 1):
                    lower, upper = vertex, vertex + 1
                    if xy[lower, 1] > xy[upper, 1]:
                        lower, upper = upper, lower
                    y_a, y_b = xy[lower, 1], xy[upper, 1]
                    if y_a <= at_y < y_b:
                        crossing = xy[lower, 0] + (at_y - y_a) * (xy[upper, 0] - xy[lower, 0]) / (y_b - y_a)
                        if crossing <= at_x:
                            odd = not odd
            if odd and found[point] < 0:
                found[point] = owner[polygon]
            elif odd:
                several[point] = True
                break
