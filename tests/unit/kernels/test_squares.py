"""Windows are squares that start at the corner of the units."""

from __future__ import annotations

import numpy as np

from pytest_stbench.kernels.tissue_area import squares


def test_windows_are_squares_from_the_corner_of_the_units():
    xy = np.array([[10.0, 5.0], [509.0, 5.0], [511.0, 5.0], [10.0, 1006.0]])
    places, window = squares(xy, 500.0)
    assert places.tolist() == [[260.0, 255.0], [260.0, 1255.0], [760.0, 255.0]]
    assert window.tolist() == [0, 0, 2, 1]
    assert squares(np.zeros((0, 2)), 500.0)[0].shape == (0, 2)
    assert squares(np.ones((1, 2)), 500.0)[1].tolist() == [0]
