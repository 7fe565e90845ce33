from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.kernels.pixels import cell_pixels, index_pixels, lattice_pixels

pytestmark = pytest.mark.filterwarnings("error")


def visium(rows, columns):
    """Array index and coordinates of a Visium section."""
    row, half = np.divmod(np.arange(rows * columns), columns)
    index = np.column_stack([row, 2 * half + row % 2])
    return index, np.column_stack([index[:, 1] * 50.0, index[:, 0] * 100 * np.sqrt(0.75)])


def test_a_hexagonal_index_and_its_coordinates_give_the_same_pixels():
    index, xy = visium(9, 7)
    expected = np.column_stack(np.divmod(np.arange(63), 7))
    assert (index_pixels(index, hexagonal=True) == expected).all()
    assert (lattice_pixels(xy, 100.0, hexagonal=True) == expected).all()
    jittered = xy + np.random.default_rng(0).uniform(-9, 9, xy.shape)
    assert (lattice_pixels(jittered + np.array([300, -20]), 100.0, hexagonal=True) == expected).all()


def test_a_section_that_starts_on_an_odd_row_keeps_its_rows_apart():
    index, xy = visium(9, 7)
    kept = index[:, 0] >= 1
    for pixels in (
        index_pixels(index[kept], hexagonal=True),
        lattice_pixels(xy[kept], 100.0, hexagonal=True),
    ):
        assert len(np.unique(pixels, axis=0)) == kept.sum()
        assert pixels.min(axis=0).tolist() == [0, 0]


def test_square_lattices():
    index = np.array([[3, 5], [4, 7], [3, 6]])
    assert index_pixels(index, hexagonal=False).tolist() == [[0, 0], [1, 2], [0, 1]]
    xy = index[:, ::-1] * 200.0 + np.array([[20.0, -30], [0, 0], [-20, 30]])
    assert lattice_pixels(xy, 200.0, hexagonal=False).tolist() == [[0, 0], [1, 2], [0, 1]]


def test_cells_fall_into_squares():
    xy = np.array([[50.0, 10.0], [149.9, 10.0], [150.0, 110.0], [350.0, 109.0]])
    assert cell_pixels(xy).tolist() == [[0, 0], [0, 0], [1, 1], [0, 3]]


def test_no_units():
    nothing = np.zeros((0, 2))
    for pixels in (
        cell_pixels(nothing),
        lattice_pixels(nothing, 1.0, hexagonal=True),
        index_pixels(nothing.astype(int), hexagonal=False),
    ):
        assert pixels.shape == (0, 2)
