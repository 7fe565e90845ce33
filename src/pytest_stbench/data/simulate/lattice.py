"""The Visium lattice and the outline of the tissue on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.kernels.streams import Stream

PITCH_UM = 100.0
ROW_STEP_UM = PITCH_UM * np.sqrt(3) / 2
MARGIN_UM = 150.0
HARMONICS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """A closed curve around `centre`: the mean radius and its relative harmonics."""

    centre: NDArray[np.float64]
    radius: float
    cosines: NDArray[np.float64]
    sines: NDArray[np.float64]

    def depth(self, xy_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance from the centre as a share of the outline's: below 1 = inside."""
        offset = xy_um - self.centre
        angle = np.arctan2(offset[:, 1], offset[:, 0])[:, None] * np.arange(1, HARMONICS + 1)
        shape = 1 + np.cos(angle) @ self.cosines + np.sin(angle) @ self.sines
        distance: NDArray[np.float64] = np.sqrt((offset**2).sum(axis=1))
        return distance / (self.radius * shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """Spots under the tissue: coordinates from the top left corner of the image.

    ``array_index`` holds row and column in the numbering of Visium, where columns of odd rows are
    odd and those of even rows even.
    """

    xy_um: NDArray[np.float64]
    array_index: NDArray[np.int64]
    outline: Outline
    size_um: tuple[float, float]


def draw_lattice(rng: Stream, n_units: int) -> Lattice:
    """Return exactly `n_units` spots: the innermost ones of an irregular outline.

    Spots stand in row order; ``size_um`` is width and height of the image around them.
    """
    radius = np.sqrt(n_units * PITCH_UM * ROW_STEP_UM / np.pi)
    decay = 0.12 / np.arange(1, HARMONICS + 1)
    cosines, sines = rng.normal((2, HARMONICS)) * decay
    shift = rng.uniform(2) * PITCH_UM
    # the harmonics reach at most about twice the radius, and at least `n_units` spots are needed
    rows = int(np.ceil(4 * radius / ROW_STEP_UM)) + 4
    columns = int(np.ceil(4 * radius / PITCH_UM)) + 4
    row, column = (index.ravel() for index in np.indices((rows, columns)))
    array_index = np.stack([row, 2 * column + row % 2], axis=1).astype(np.int64)
    xy = np.stack([array_index[:, 1] * PITCH_UM / 2, row * ROW_STEP_UM], axis=1)
    outline = Outline(centre=xy.mean(axis=0) + shift, radius=radius, cosines=cosines, sines=sines)
    rank = np.round(outline.depth(xy), 9)
    chosen = np.sort(np.argsort(rank, kind="stable")[:n_units])
    # the corner keeps the parity of the columns
    corner = array_index[chosen].min(axis=0)
    corner -= corner % 2
    origin = np.array([corner[1] * PITCH_UM / 2, corner[0] * ROW_STEP_UM]) - MARGIN_UM
    inside = xy[chosen] - origin
    reach = float(rank[chosen].max())
    placed = Outline(
        centre=outline.centre - origin, radius=radius * reach * 1.04, cosines=cosines, sines=sines
    )
    width, height = inside.max(axis=0) + MARGIN_UM
    return Lattice(
        xy_um=inside,
        array_index=array_index[chosen] - corner,
        outline=placed,
        size_um=(float(width), float(height)),
    )
