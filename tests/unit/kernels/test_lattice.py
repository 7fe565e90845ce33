from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.kernels.lattice import centres, cover, row_and_column, strips, units_at
from pytest_stbench.kernels.sift import CONTROL, FULL, UNLISTED, count_into, nonzero_rows, sift

SIDE = {"visium": None, "tiled": None, "square": 16.0}
GEOMETRIES = tuple(SIDE)
ORIGINS = ((0.0, 0.0), (13.7, -4.2), (-55.5, 31.1), (1234.5, -987.6))


def over(geometry, x, y, origin=(0.0, 0.0), side=None):
    lower, upper = (x.min(), y.min()), (x.max(), y.max())
    return cover(geometry, lower, upper, side_um=side or SIDE[geometry], origin_um=origin)


def all_centres(lattice):
    return centres(lattice, np.arange(lattice.n_units))


def distances(lattice, x, y):
    """Every point to every centre: the oracle. Squares are nearest in the maximum norm."""
    apart = np.abs(np.column_stack([x, y])[:, None] - all_centres(lattice)[None])
    return apart.max(axis=2) if lattice.geometry == "square" else np.sqrt((apart**2).sum(axis=2))


def reach(lattice):
    return {"visium": 27.5, "tiled": np.inf, "square": np.inf}[lattice.geometry]


def at(lattice, x, y):
    """Array index (row, column) of one point, None for nowhere."""
    unit = units_at(lattice, np.array([float(x)]), np.array([float(y)]))
    return None if unit[0] < 0 else tuple(row_and_column(lattice, unit)[0].tolist())


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_is_the_nearest_centre_of_all(geometry, origin):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-310, 240, 3000), rng.uniform(-420, -30, 3000)
    lattice = over(geometry, x, y, origin)
    found = distances(lattice, x, y)
    expected = np.where(found.min(axis=1) <= reach(lattice), found.argmin(axis=1), -1)
    assert np.array_equal(units_at(lattice, x, y), expected)
    if geometry != "visium":
        assert (expected >= 0).all()


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_points_on_boundaries_go_to_one_of_the_nearest(geometry):
    end = 400.0 if geometry == "visium" else 120.0
    box = np.array([0.0, end])
    lattice = over(geometry, box, box, ORIGINS[1])
    middle = all_centres(lattice)
    pairs = (middle[:, None] + middle[None]).reshape(-1, 2) / 2
    inside = ((pairs >= 0) & (pairs <= end)).all(axis=1)
    x, y = (np.ascontiguousarray(axis) for axis in pairs[inside].T)
    units, found = units_at(lattice, x, y), distances(lattice, x, y)
    placed = units >= 0
    assert np.allclose(found[placed, units[placed]], found[placed].min(axis=1), rtol=0, atol=1e-9)
    assert (found[~placed].min(axis=1) > reach(lattice) - 1e-9).all()


def test_ties_go_down_and_right():
    square = cover("square", (0.0, 0.0), (100.0, 100.0), side_um=16.0)
    assert [at(square, 0, 0), at(square, 16, 0), at(square, 0, 16), at(square, 15.999, 31.999)] == [
        (0, 0), (0, 1), (1, 0), (1, 0),
    ]  # fmt: skip
    tiled = cover("tiled", (0.0, 0.0), (300.0, 300.0))
    assert at(tiled, 27.5, 0) == (0, 2)
    assert at(tiled, 27.4999, 0) == (0, 0)
    # halfway between the centres (0, 0) and (27.5, 47.6...)
    below = 55 * math.sqrt(0.75) / 2
    assert at(tiled, 13.75, below) == (1, 1)
    assert at(tiled, 13.75, below - 1e-9) == (0, 0)


def test_a_disc_holds_its_rim():
    lattice = cover("visium", (0.0, 0.0), (500.0, 500.0))
    # 16.5, 22 and 27.5 are a right triangle
    assert [at(lattice, 27.5, 0), at(lattice, 16.5, 22), at(lattice, 116.5, 22)] == [(0, 0), (0, 0), (0, 2)]
    assert [at(lattice, 27.5 + 1e-9, 0), at(lattice, 50, 0), at(lattice, 16.5, 22 + 1e-9)] == [None] * 3


def test_visium_numbers_and_places():
    lattice = cover("visium", (1000.0, 2000.0), (1400.0, 2300.0))
    index = row_and_column(lattice, np.arange(lattice.n_units))
    assert (index.sum(axis=1) % 2 == 0).all()
    assert index[:6].tolist() == [[0, 0], [0, 2], [0, 4], [0, 6], [0, 8], [1, 1]]
    xy = all_centres(lattice)
    assert xy[0].tolist() == [1000.0, 2000.0]
    assert xy[5] == pytest.approx([1050.0, 2086.60254], abs=1e-5)
    assert lattice.row_step_um == pytest.approx(86.60254, abs=1e-5)


def test_areas():
    areas = {name: cover(name, (0, 0), (9, 9), side_um=SIDE[name]).area_um2 for name in GEOMETRIES}
    assert areas == pytest.approx({"visium": 2375.83, "tiled": 2619.7, "square": 256.0}, abs=0.05)
    assert areas["visium"] / (100 * 86.60254) == pytest.approx(0.274, abs=5e-4)


@pytest.mark.parametrize(("geometry", "share"), [("visium", 0.274), ("tiled", 1.0), ("square", 1.0)])
def test_share_of_uniform_points_that_are_in_a_unit(geometry, share):
    x, y = np.random.default_rng(1).uniform(0, 2000, (2, 100_000))
    units = units_at(over(geometry, x, y), x, y)
    assert (units >= 0).mean() == pytest.approx(share, abs=0.005)


def test_points_that_are_not_finite_or_beyond_are_nowhere():
    for geometry in GEOMETRIES:
        lattice = cover(geometry, (0.0, 0.0), (200.0, 200.0), side_um=SIDE[geometry])
        x = np.array([np.nan, 0.0, np.inf, -np.inf, 1e300, -1e4, 1e4])
        y = np.array([0.0, np.nan, 0.0, np.inf, 0.0, 0.0, 0.0])
        assert (units_at(lattice, x, y) == -1).all()
        assert units_at(lattice, x[:0], y[:0]).shape == (0,)


@settings(deadline=None, max_examples=200)
@given(
    geometry=st.sampled_from(GEOMETRIES),
    lower=st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)),
    size=st.tuples(st.floats(0, 500), st.floats(0, 500)),
    origin=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
    side=st.floats(0.5, 300),
)
def test_the_lattice_covers_its_box(geometry, lower, size, origin, side):
    upper = (lower[0] + size[0], lower[1] + size[1])
    lattice = cover(geometry, lower, upper, origin_um=origin, side_um=side if geometry == "square" else None)
    share = np.random.default_rng(0).random((2, 50))
    x = np.r_[lower[0] + share[0] * size[0], lower[0], lower[0], upper[0], upper[0]].clip(lower[0], upper[0])
    y = np.r_[lower[1] + share[1] * size[1], lower[1], upper[1], lower[1], upper[1]].clip(lower[1], upper[1])
    units = units_at(lattice, x, y)
    assert units.max() < lattice.n_units
    if geometry != "visium":
        assert units.min() >= 0


@settings(deadline=None, max_examples=60)
@given(geometry=st.sampled_from(GEOMETRIES), shift=st.tuples(st.integers(-40, 40), st.integers(-40, 40)))
def test_moving_points_and_lattice_together_changes_nothing(geometry, shift):
    points = np.random.default_rng(2).uniform(0, 300, (2, 200))
    first = units_at(over(geometry, *points), *points)
    moved = points + np.array(shift)[:, None] * 64.0
    assert np.array_equal(units_at(over(geometry, *moved), *moved), first)


def test_strips_have_the_area_of_the_unit():
    for geometry, error in (("visium", 1e-3), ("tiled", 1e-12), ("square", 1e-12)):
        lattice = cover(geometry, (0, 0), (9, 9), side_um=SIDE[geometry])
        edges, half = strips(lattice)
        assert (2 * half * np.diff(edges)).sum() == pytest.approx(lattice.area_um2, rel=error)


def test_wrong_sides_are_refused():
    for geometry, side in (("square", None), ("visium", 16.0)):
        with pytest.raises(ValueError, match="side_um is given for square units and for no others"):
            cover(geometry, (0, 0), (1, 1), side_um=side)


def test_sift_names_the_first_reason():
    x = np.array([1.0, np.nan, 3.0, 4.0, 5.0, 6.0, np.inf])
    y = np.arange(7.0)
    feature = np.array([0, 0, 1, 2, 0, 0, 1], np.int32)
    qv = np.array([20, 40, 0, 0, 19.9, np.nan, 0], np.float32)
    fates = np.zeros(4, np.int64)
    column_of = np.array([7, CONTROL, UNLISTED], np.int32)
    kept = sift(x, y, feature, qv, column_of, 20.0, fates)
    assert [part.tolist() for part in kept] == [[1.0], [0.0], [7]]
    assert fates.tolist() == [2, 1, 1, 2]
    fates[:] = 0
    assert sift(x, y, feature, None, column_of, 20.0, fates)[0].tolist() == [1.0, 5.0, 6.0]
    assert fates.tolist() == [2, 1, 1, 0]
    for wrong in (3, -1):
        with pytest.raises(ValueError, match=r"features are numbered .*; there are 3"):
            sift(x[:1], y[:1], np.array([wrong], np.int32), None, column_of, 0.0, fates)


def test_count_into_adds_and_tells_what_is_outside():
    table = np.zeros((2, 3), np.uint8)
    rows, columns = np.array([0, 1, 1, -1, 1]), np.array([2, 0, 0, 1, 2], np.int32)
    outside, carried = count_into(table, rows, columns)
    assert (outside, carried.tolist()) == (1, [])
    assert table.tolist() == [[0, 0, 1], [2, 0, 1]]


@pytest.mark.parametrize("n", [254, 255, 256, 510, 511, 1000])
def test_what_a_byte_does_not_hold_is_carried_over(n):
    table = np.zeros((2, 3), np.uint8)
    _, carried = count_into(table, np.ones(n, np.int64), np.full(n, 2, np.int32))
    assert set(carried.tolist()) <= {5}
    assert FULL * len(carried) + int(table[1, 2]) == n
    assert table[1, 2] > 0


def test_nonzero_rows_are_those_of_scipy():
    from scipy.sparse import csr_matrix

    table = np.random.default_rng(0).poisson(0.4, (40, 13)).astype(np.uint8)
    table[7], table[8, 0] = 0, 255
    for rows in (np.arange(40), np.array([8, 7, 39]), np.empty(0, np.int64)):
        expected = csr_matrix(table[rows])
        data, indices, indptr = nonzero_rows(table, rows)
        assert data.tolist() == expected.data.tolist()
        assert indices.tolist() == expected.indices.tolist()
        assert indptr.tolist() == expected.indptr.tolist()
