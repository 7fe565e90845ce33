"""Square windows over the units of a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def squares(xy: NDArray[np.float64], side: float) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the middles of the squares that hold a unit, (m, 2), and the square of each unit, (n,).

    Squares start at the least x and y of the units.

    Parameters
    ----------
    xy
        Coordinates, (n, 2), finite, in any unit of length.
    side
        Side of a square, in the same unit.
    """
    start = xy.min(axis=0) if len(xy) else np.zeros(2)
    places, square = np.unique(np.floor((xy - start) / side), axis=0, return_inverse=True)
    return start + (places + 0.5) * side, square.ravel()
