"""Which pixel of a map each unit of a slide falls into, by what is known of its lattice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.technology import lattice_of
from pytest_stbench.kernels.graph import median_nn_distance
from pytest_stbench.kernels.pixels import cell_pixels, index_pixels, lattice_pixels
from pytest_stbench.preprocess.statistics import CELL_RESOLUTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.slide import Slide


def unit_pixels(slide: Slide) -> NDArray[np.int64]:
    """Return (row, column) of each unit, (n, 2), the least of both 0.

    The array index, where the slide has one; else the coordinates in steps of the declared pitch,
    or of the median nearest-neighbour distance. Cells fall into squares of 100 um. A lattice that
    no technology declares is hexagonal if its array index is numbered like Visium's (row + column
    always even), else square.
    """
    meta = slide.meta
    if meta.resolution in CELL_RESOLUTIONS:
        return cell_pixels(slide.xy_um)
    lattice = lattice_of(meta.technology, meta.resolution, meta.pitch_um)
    if slide.array_index is not None:
        even = bool((slide.array_index.sum(axis=1) % 2 == 0).all())
        hexagonal = even if lattice is None else lattice.kind == "hex"
        return index_pixels(slide.array_index, hexagonal=hexagonal)
    pitch = meta.pitch_um if lattice is None else lattice.pitch_um
    pitch = median_nn_distance(slide.xy_um) if pitch is None else pitch
    if not pitch > 0:  # fewer than two places
        return np.zeros((slide.n_units, 2), np.int64)
    return lattice_pixels(slide.xy_um, pitch, hexagonal=lattice is not None and lattice.kind == "hex")
