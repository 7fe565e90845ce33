"""Outlines of nuclei and cells as label images, made for the window that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.data.rasterise import blank

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.data.simulate.cells.layout import Cells

ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ellipses:
    """Ellipses that end where a neighbour is nearer.

    A :class:`~pytest_stbench.data.segmentation.Segmentation`.
    A place belongs to the cell with the nearest centre if it lies in the ellipse of that cell.
    """

    cells: Cells
    kind: Literal["cell", "nucleus"]

    @property
    def names(self) -> NDArray[np.str_]:
        """Names of the cells, also of their nuclei."""
        return self.cells.names

    @property
    def owners(self) -> NDArray[np.str_]:
        """The cells: each has one nucleus."""
        return self.cells.names

    @property
    def notes(self) -> Mapping[str, int]:
        """Nothing is left out."""
        return {}

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image of a window; a pixel belongs to the instance that covers its centre.

        Raises ``DataError`` for an empty window or one of more than 2^28 pixels.
        """
        x0, y0, x1, y1 = window_um
        image = blank(um_per_px, window_um)
        height, width = image.shape
        reach = self._axes.max(initial=0.0)
        xy = self.cells.xy_um
        near = np.flatnonzero(
            (xy[:, 0] > x0 - reach)
            & (xy[:, 0] < x1 + reach)
            & (xy[:, 1] > y0 - reach)
            & (xy[:, 1] < y1 + reach)
        )
        if not len(near):
            return image
        tree = cKDTree(xy[near])
        x = x0 + (np.arange(width) + 0.5) * um_per_px
        for start in range(0, height, ROWS_AT_ONCE):
            y = y0 + (np.arange(start, min(start + ROWS_AT_ONCE, height)) + 0.5) * um_per_px
            grid = np.stack([axis.ravel() for axis in np.meshgrid(x, y)], axis=1)
            rows = near[tree.query(grid)[1]]
            inside = in_ellipse(grid - xy[rows], self._axes[rows], self.cells.angle[rows])
            image[start : start + len(y)] = np.where(inside, rows + 1, 0).reshape(len(y), width)
        return image

    @property
    def _axes(self) -> NDArray[np.float64]:
        return self.cells.cell_um if self.kind == "cell" else self.cells.nucleus_um


def in_ellipse(
    offset: NDArray[np.float64], axes: NDArray[np.float64], angle: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return whether each `offset` (..., 2) from a centre lies in the ellipse of `axes` and `angle`."""
    cosine, sine = np.cos(angle), np.sin(angle)
    along = offset[..., 0] * cosine + offset[..., 1] * sine
    across = offset[..., 1] * cosine - offset[..., 0] * sine
    inside: NDArray[np.bool_] = (along / axes[..., 0]) ** 2 + (across / axes[..., 1]) ** 2 <= 1
    return inside
