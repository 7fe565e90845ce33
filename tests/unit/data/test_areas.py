from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path

from pytest_stbench.data.rasterise import blank, bounds_of, rasterise
from pytest_stbench.errors import DataError

SQUARE = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])


def test_pixels_belong_to_the_polygon_around_their_centre():
    found = rasterise([SQUARE], 1.0, (0.0, 0.0, 5.0, 4.0))
    assert found.dtype == np.int32
    assert found.tolist() == [[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]]
    fine = rasterise([SQUARE], 0.25, (0.0, 0.0, 5.0, 4.0))
    assert fine.sum() == 64
    assert (fine[4:12, 4:12] == 1).all()


def test_windows_cut_polygons_and_closed_rings_are_the_same():
    window = (2.0, 0.5, 4.0, 2.5)
    found = rasterise([SQUARE], 0.5, window)
    assert found.tolist() == rasterise([np.vstack([SQUARE, SQUARE[:1]])], 0.5, window).tolist()
    assert found.tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert rasterise([SQUARE + 50], 0.5, window).max() == 0


def test_later_polygons_cover_equal_ones_and_empty_ones_keep_their_number():
    found = rasterise([SQUARE, np.empty((0, 2)), SQUARE + 1], 1.0, (0.0, 0.0, 4.0, 4.0))
    assert found[1:4, 1:4].tolist() == [[1, 1, 0], [1, 3, 3], [0, 3, 3]]
    assert rasterise([], 1.0, (0.0, 0.0, 2.0, 2.0)).tolist() == [[0, 0], [0, 0]]


def test_a_cell_within_another_is_seen():
    around = 3 * (SQUARE - 2) + 2
    for rings, inner in (([SQUARE, around], 1), ([around, SQUARE], 2)):
        found = rasterise(rings, 1.0, (-1.0, -1.0, 5.0, 5.0))
        assert (found[2:4, 2:4] == inner).all()
        assert (found == inner).sum() == 4
        assert (found == 3 - inner).sum() == 32


def test_bounds():
    found = bounds_of([SQUARE, np.empty((0, 2)), SQUARE[:3] * 2])
    np.testing.assert_array_equal(found, [[1, 1, 3, 3], [np.nan] * 4, [2, 2, 6, 6]])
    assert bounds_of([]).shape == (0, 4)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_shapes_are_those_of_another_library(seed):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 9))
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.uniform(3, 9, (9, 1)) + 10
    found = rasterise([ring], 0.5, (4.0, 3.0, 16.0, 17.0))
    y, x = np.indices(found.shape)
    centres = np.stack([4 + (x.ravel() + 0.5) * 0.5, 3 + (y.ravel() + 0.5) * 0.5], axis=1)
    assert (found.ravel() == Path(ring).contains_points(centres)).all()


@pytest.mark.parametrize("window", [(0, 0, 0, 1), (0, 1, 1, 1), (2, 0, 1, 1), (0, 0, np.inf, 1)])
def test_empty_windows_are_refused(window):
    with pytest.raises(DataError, match="is empty: give x0 < x1"):
        blank(1.0, window)


def test_what_no_memory_holds_is_refused():
    with pytest.raises(DataError, match="100000 x 100000 pixels is too large"):
        blank(0.1, (0.0, 0.0, 1e4, 1e4))
    with pytest.raises(DataError, match="at 0 um per pixel is empty"):
        blank(0, (0.0, 0.0, 1.0, 1.0))
