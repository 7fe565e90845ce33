from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings, strategies as st
from matplotlib.path import Path
from shapely import GeometryCollection, LineString, MultiPolygon, Point, Polygon

from pytest_stbench.data.areas import areas_of
from pytest_stbench.data.region import blank
from pytest_stbench.errors import DataError

SQUARE = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])
BOX = [(0, 0), (4, 0), (4, 4), (0, 4)]
INNER = [(1, 1), (2, 1), (2, 2), (1, 2)]


def areas(*geometries):
    """Areas of one geometry an instance; rings are made polygons of, empty ones are left out."""
    made = [
        Polygon(g) if isinstance(g, (list, np.ndarray)) and len(g) else None if isinstance(g, list) else g
        for g in geometries
    ]
    return areas_of([(np.array([None, *made], dtype=object)[1:], np.arange(len(made)))], len(made))[0]


def rasterise(rings, um_per_px, window):
    return areas(*(list(ring) for ring in rings)).labels(um_per_px, window)


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
    found = rasterise([SQUARE, [], SQUARE + 1], 1.0, (0.0, 0.0, 4.0, 4.0))
    assert found[1:4, 1:4].tolist() == [[1, 1, 0], [1, 3, 3], [0, 3, 3]]
    assert rasterise([], 1.0, (0.0, 0.0, 2.0, 2.0)).tolist() == [[0, 0], [0, 0]]


def test_a_cell_within_another_is_seen():
    around = 3 * (SQUARE - 2) + 2
    for rings, inner in (([SQUARE, around], 1), ([around, SQUARE], 2)):
        found = rasterise(rings, 1.0, (-1.0, -1.0, 5.0, 5.0))
        assert (found[2:4, 2:4] == inner).all()
        assert (found == inner).sum() == 4
        assert (found == 3 - inner).sum() == 32


def test_polygons_that_share_an_edge_share_no_pixel_and_leave_none():
    # all centres of pixels lie on edges
    cells = [Polygon(np.array(BOX) / 4 + (x + 0.5, y + 0.5)) for y in range(4) for x in range(4)]
    found = areas(*cells).labels(1.0, (0.0, 0.0, 5.0, 5.0))
    assert found[:4, :4].ravel().tolist() == list(range(1, 17))
    assert (found > 0).sum() == 16


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


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_parts_and_holes_are_those_of_shapely(seed):
    rng = np.random.default_rng(seed)
    # random stars, some cut out of others, some disjoint: what shapely makes of them is the truth
    discs = [
        Point(*rng.uniform(0, 20, 2)).buffer(rng.uniform(1, 8), quad_segs=int(rng.integers(1, 5)))
        for _ in range(4)
    ]
    shapes = [
        discs[0].difference(discs[1]),
        discs[0].symmetric_difference(discs[2]),
        shapely.union_all(discs),
        discs[3].difference(discs[3].buffer(-0.7)),
    ]
    window = (-3.0, -2.0, 24.0, 22.0)
    y, x = np.indices(blank(0.5, window).shape)
    centres = -3 + (x.ravel() + 0.5) * 0.5, -2 + (y.ravel() + 0.5) * 0.5
    for shape in shapes:
        made = areas(shape)
        assert made.um2[0] == pytest.approx(shape.area)
        if shape.area:
            np.testing.assert_allclose(made.centroids()[0], shape.centroid.coords[0])
        assert (made.labels(0.5, window).ravel() == shapely.contains_xy(shape, *centres)).all()


@pytest.mark.parametrize(
    ("shape", "um2", "parts", "holes"),
    [
        pytest.param(Polygon(BOX, [INNER]), 15, 1, 1, id="a hole"),
        pytest.param(Polygon(BOX, [BOX]), 16, 1, 0, id="the same ring twice is no hole"),
        pytest.param(Polygon(BOX, [BOX[2:] + BOX[:2]]), 16, 1, 0, id="nor begun elsewhere"),
        pytest.param(Polygon(BOX, [BOX[::-1]]), 16, 1, 0, id="nor the other way round"),
        pytest.param(Polygon(BOX, [INNER, INNER]), 15, 1, 1, id="a hole twice is one"),
        pytest.param(Polygon(BOX + BOX), 16, 1, 0, id="a ring that is gone round twice"),
        pytest.param(Polygon([(0, 0), (4, 4), (4, 0), (0, 4)]), 8, 2, 0, id="a ring that crosses itself"),
        pytest.param(
            Polygon([(0, 0), (4, 0), (2, 2), (4, 4), (0, 4), (2, 2)]), 8, 2, 0, id="touches itself outside"
        ),
        pytest.param(
            Polygon([(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 2), (2, 1)]), 14.5, 1, 1, id="and inside"
        ),
        pytest.param(
            Polygon([(0, 0), (4, 0), (4, 4), (0, 4), (0, 1), (3, 1), (3, 3), (1, 3), (1, 0)]), 15, 1, 0,
            id="laps over itself",
        ),
        pytest.param(Polygon(BOX, [[(0, 0), (2, 0), (2, 2), (0, 2)]]), 12, 1, 0, id="a bay called a hole"),
        pytest.param(MultiPolygon([Polygon(BOX), Polygon(BOX)]), 16, 1, 0, id="a part twice"),
        pytest.param(
            MultiPolygon([Polygon(BOX), Polygon(np.array(BOX) + 2)]), 28, 1, 0, id="parts that overlap"
        ),
        pytest.param(
            MultiPolygon([Polygon(BOX), Polygon(np.array(BOX) + 9)]), 32, 2, 0, id="parts of the same area"
        ),
        pytest.param(
            MultiPolygon(
                [Polygon(BOX, [[(1, 1), (3, 1), (3, 3), (1, 3)]]), Polygon([(1.5, 1.5), (2, 1.5), (2, 2)])]
            ),
            12.125, 2, 1, id="an island in a hole",
        ),
        pytest.param(
            GeometryCollection(
                [MultiPolygon([Polygon(BOX)]),
                 GeometryCollection([Point(1, 1), Polygon(np.array(BOX) + 9)])]
            ),
            32, 2, 0, id="a collection of collections",
        ),
        pytest.param(shapely.force_3d(Polygon(BOX), 7.0), 16, 1, 0, id="with heights"),
        pytest.param(Polygon([(0, 0), (1, 1), (2, 2)]), 0, 0, 0, id="a line"),
        pytest.param(Polygon(), 0, 0, 0, id="empty"),
        pytest.param(None, 0, 0, 0, id="missing"),
        pytest.param(LineString(BOX), 0, 0, 0, id="a line string"),
    ],
)  # fmt: skip
def test_what_a_geometry_covers(shape, um2, parts, holes):
    made = areas(shape)
    assert made.um2[0] == pytest.approx(um2)
    assert (made.parts[0], made.with_holes) == (parts, holes)
    image = made.labels(0.125, (-1.0, -1.0, 14.0, 14.0))
    assert (image > 0).sum() / 64 == pytest.approx(um2, abs=0.8)
    assert set(np.unique(image)) <= {0, 1}


def test_coordinates_that_are_not_finite_cover_nothing_and_spoil_nothing():
    with np.errstate(invalid="ignore"):
        made = areas(
            Polygon([(0, 0), (np.nan, 1), (2, 2)]),
            Polygon(BOX),
            MultiPolygon([Polygon(BOX), Polygon([(9, 9), (12, 9), (12, np.inf)])]),
        )
    assert made.um2.tolist() == [0, 16, 16]


def test_instances_stand_in_their_order_whatever_the_order_of_geometries():
    parts = [Polygon(np.array(BOX) + 10 * k) for k in range(4)]
    blocks = [
        (np.array(parts[2:], dtype=object), np.array([2, 0])),
        (np.array(parts[:2], dtype=object), np.array([0, 3])),
    ]
    made, mended = areas_of(blocks, 4)
    assert made.parts.tolist() == [2, 0, 1, 1]
    assert mended == 0
    np.testing.assert_allclose(made.centroids(), [(17, 17), (np.nan, np.nan), (22, 22), (12, 12)])
    assert areas_of([], 0)[0].labels(1.0, (0, 0, 2, 2)).max() == 0
    assert areas_of([], 2)[0].parts.tolist() == [0, 0]


def test_affine_maps():
    made = areas(Polygon(BOX, [INNER]), Polygon(np.array(BOX) + 9))
    matrix = np.array([[0.0, -2.0, 5.0], [1.0, 0.0, -3.0], [0, 0, 1]])
    moved = made.transformed(matrix)
    np.testing.assert_allclose(moved.um2, 2 * made.um2)
    np.testing.assert_allclose(moved.centroids(), made.centroids() @ matrix[:2, :2].T + matrix[:2, 2])


@pytest.mark.parametrize("shift", [0.0, 50_000.0])
def test_centroids_are_those_of_the_area(shift):
    hook = np.array([(0, 0), (6, 0), (6, 2), (2, 2), (2, 5), (0, 5), (0, 0)], float)
    step = np.linspace(0, 6, 1201)[:-1] + 0.0025
    x, y = np.meshgrid(step, step)
    inside = ((y < 2) & (x < 6)) | ((x < 2) & (y < 5))
    expected = np.array([x[inside].mean(), y[inside].mean()]) + shift
    found = areas(hook + shift, hook[::-1] + shift, []).centroids()
    np.testing.assert_allclose(found[:2], [expected, expected], atol=2e-3)
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize("window", [(0, 0, 0, 1), (0, 1, 1, 1), (2, 0, 1, 1), (0, 0, np.inf, 1)])
def test_empty_windows_are_refused(window):
    with pytest.raises(DataError, match="is empty: give x0 < x1"):
        blank(1.0, window)


def test_what_no_memory_holds_is_refused():
    with pytest.raises(DataError, match="100000 x 100000 pixels is too large"):
        blank(0.1, (0.0, 0.0, 1e4, 1e4))
    with pytest.raises(DataError, match="at 0 um per pixel is empty"):
        blank(0, (0.0, 0.0, 1.0, 1.0))


def blobs(rng, n, extent=60.0):
    """Polygons of n cells that overlap, some with a hole, some in two parts."""
    made = []
    for _ in range(n):
        turn = np.sort(rng.uniform(0, 2 * np.pi, 9))
        ring = rng.uniform(2, 6, (9, 1)) * np.column_stack([np.cos(turn), np.sin(turn)])
        shape = Polygon(ring + rng.uniform(0, extent, 2)).buffer(0)
        if rng.random() < 0.3:
            shape = shape.difference(shape.centroid.buffer(0.8))
        if rng.random() < 0.3:
            shape = shape.union(Point(rng.uniform(0, extent, 2)).buffer(1.5, quad_segs=3))
        made.append(shape)
    return made


def test_points_are_in_the_smallest_polygon_around_them():
    rng = np.random.default_rng(3)
    shapes = blobs(rng, 80)
    made = areas(*shapes)
    points = rng.uniform(-3, 63, (5000, 2))
    found, several = made.around(points[:, 0], points[:, 1])
    parts, of = shapely.get_parts(shapes, return_index=True)
    expected, n_around = np.full(len(points), -1), np.zeros(len(points), int)
    for place in np.argsort(-shapely.area(parts), kind="stable"):
        within = shapely.contains_xy(parts[place], points)
        n_around += within
        expected[within] = of[place]
    assert (n_around > 1).sum() > 500
    np.testing.assert_array_equal(found, expected)
    # parts of an instance are disjoint, so that two polygons are two instances
    np.testing.assert_array_equal(several, n_around > 1)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_points_are_where_label_images_show_them(seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 9, (6, 2))
    boxes = [shapely.box(*corner, *(corner + rng.integers(1, 6, 2))) for corner in corners]
    made = areas(*boxes)
    image = made.labels(1.0, (-0.5, -0.5, 15.5, 15.5))
    y, x = (axis.ravel().astype(float) for axis in np.indices(image.shape))
    # pixel centres are whole numbers, so that many lie on edges and corners
    np.testing.assert_array_equal(made.around(x, y)[0], image.ravel() - 1)


def test_points_that_are_nowhere():
    made = areas(BOX, [])
    x, y = np.array([2, np.nan, 2, np.inf, -9, 2.0]), np.array([2, 2, np.nan, 2, 2, 1e300])
    found, several = made.around(x, y)
    assert found.tolist() == [0, -1, -1, -1, -1, -1]
    assert not several.any()
    assert areas([]).around(x, y)[0].tolist() == [-1] * 6
