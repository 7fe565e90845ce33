"""The cells of a section: places, types and shapes, drawn band by band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.spatial import cKDTree

from pytest_stbench.data.region import blank
from pytest_stbench.data.simulate.cells.section import SPACING_UM, TLS
from pytest_stbench.data.simulate.cells.types import LONG, NAMES, TYPES
from pytest_stbench.data.simulate.settings import RATE_DECIMALS
from pytest_stbench.data.simulate.tissue import MAX_CELLULARITY
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_stbench.data.simulate.cells.section import Section

BAND_ROWS = 64
JITTER = 0.32
"""Greatest distance from a site, in spacings and along each axis: cells stay a third of one apart."""

SIZE_SPREAD = 0.12
ELONGATION = 0.45
SPINDLE = 0.5
DRAWS = 7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """All cells of a section, (n,) each, by rows from the top.

    ``kind`` is the place in :data:`~.types.TYPES`, ``niche`` in :data:`~..settings.NICHES`.
    ``nucleus_um`` (n, 2) are the semi-axes of the nucleus, ``cell_um`` (n, 2) those of the cell,
    ``angle`` the direction of the longer one. ``free_um`` is half the distance to the next cell:
    nearer places belong to no other.
    """

    xy_um: NDArray[np.float64]
    kind: NDArray[np.int8]
    niche: NDArray[np.int8]
    in_tls: NDArray[np.bool_]
    nucleus_um: NDArray[np.float64]
    cell_um: NDArray[np.float64]
    angle: NDArray[np.float64]
    free_um: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def names(self) -> NDArray[np.str_]:
        """``c1`` to ``cN``."""
        return np.char.add("c", np.arange(1, len(self) + 1).astype(np.str_))


def draw_cells(seed: int, slide_id: str, section: Section) -> Cells:
    """Return the cells of a section; where tissue is densest one stands on every site."""
    rows = int(np.ceil(section.size_um[1] / SPACING_UM))
    bands = [
        _band(seed, slide_id, section, start, min(start + BAND_ROWS, rows))
        for start in range(0, rows, BAND_ROWS)
    ]
    parts = {key: np.concatenate([band[key] for band in bands]) for key in bands[0]}
    free = np.full(len(parts["kind"]), SPACING_UM)
    if len(free) > 1:
        free = cKDTree(parts["xy_um"]).query(parts["xy_um"], k=2)[0][:, 1] / 2
    return Cells(**parts, free_um=free)


def _band(
    seed: int, slide_id: str, section: Section, start: int, stop: int
) -> dict[str, NDArray[np.generic]]:
    columns = int(np.ceil(section.size_um[0] / SPACING_UM))
    row, column = np.divmod(np.arange((stop - start) * columns), columns)
    draws = stream(seed, "cells", slide_id, str(start)).uniform((len(row), DRAWS))
    place = np.stack([column, row + start], axis=1) + 0.5 + JITTER * (2 * draws[:, :2] - 1)
    xy = np.round(place * SPACING_UM, 3)
    inside = section.outline.depth(xy) < 1
    xy, draws = xy[inside], draws[inside]
    state, structure, share = section.with_structures(xy)
    taken = draws[:, 2] < np.round(state.cellularity / MAX_CELLULARITY, RATE_DECIMALS)
    shares = np.round(section.type_shares(state, structure, share)[taken].cumsum(axis=1), RATE_DECIMALS)
    draws = draws[taken]
    kind = np.minimum((draws[:, 3, None] >= shares).sum(axis=1), len(TYPES) - 1)
    radius = np.array([[t.nucleus_um, t.cell_um] for t in TYPES])[kind]
    radius = radius * np.exp(SIZE_SPREAD * (2 * draws[:, 4, None] - 1) * np.sqrt(3))
    long = np.isin(NAMES, list(LONG))[kind]
    aspect = np.exp(ELONGATION * (1 + state.polarity[taken]) / 2 + SPINDLE * long + 0.1 * draws[:, 5])
    axes = np.stack([np.sqrt(aspect), 1 / np.sqrt(aspect)], axis=1)
    return {
        "xy_um": xy[taken],
        "kind": kind.astype(np.int8),
        "niche": state.niches[taken].argmax(axis=1).astype(np.int8),
        "in_tls": structure[taken] == TLS,
        "nucleus_um": np.round(radius[:, :1] * axes, 4),
        "cell_um": np.round(radius[:, 1:] * axes, 4),
        "angle": np.round(np.pi * draws[:, 6], 4),
    }


ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ellipses:
    """Ellipses that end where a neighbour is nearer.

    A :class:`~pytest_stbench.data.slide.Segmentation`.
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
