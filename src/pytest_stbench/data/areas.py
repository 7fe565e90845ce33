"""What instances cover: polygons with their parts and holes, held as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.region import blank
from pytest_stbench.kernels.inside import grid_of, inside
from pytest_stbench.kernels.scanline import draw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pytest_stbench.kernels.inside import Grid

    Floats = NDArray[np.float64]
    Geometries = NDArray[np.object_]
    Window = tuple[float, float, float, float]

POLYGON = 3
"""Type of a geometry, as shapely numbers them; larger ones have parts."""


@dataclass(eq=False)
class Areas:
    """Polygons of n instances, disjoint within one; an instance may have none.

    Parameters
    ----------
    n
        Number of instances.
    owner
        Instance of each polygon, ascending, (p,).
    xy
        Vertices of all rings in um, (v, 2); rings are closed.
    rings, polygons
        Where each ring begins in `xy` and each polygon in `rings`, and the ends. The first ring of
        a polygon goes around it, the others around its holes.
    size
        Area of each polygon in um2, (p,).
    """

    n: int
    owner: NDArray[np.intp]
    xy: Floats
    rings: NDArray[np.int64]
    polygons: NDArray[np.int64]
    size: Floats

    @property
    def um2(self) -> Floats:
        """Area of each instance, (n,): all of its parts without holes; 0 where it covers nothing."""
        return np.bincount(self.owner, weights=self.size, minlength=self.n)

    @property
    def parts(self) -> NDArray[np.int64]:
        """Number of polygons of each instance, (n,)."""
        return np.bincount(self.owner, minlength=self.n).astype(np.int64)

    @property
    def with_holes(self) -> int:
        """Number of instances that have a hole."""
        return len(np.unique(self.owner[np.diff(self.polygons) > 1]))

    def transformed(self, matrix: Floats) -> Areas:
        """Return the areas after an affine map (3, 3) of x and y."""
        size = self.size * abs(np.linalg.det(matrix[:2, :2]))
        return Areas(
            self.n, self.owner, self.xy @ matrix[:2, :2].T + matrix[:2, 2], self.rings, self.polygons, size
        )

    def centroids(self) -> Floats:
        """Return the centre of mass of each instance, (n, 2), parts and holes included; nan without area."""
        import shapely

        centres = shapely.get_coordinates(shapely.centroid(self.geometries())).reshape(-1, 2)
        weights = [
            np.bincount(self.owner, weights=self.size * centres[:, axis], minlength=self.n) for axis in (0, 1)
        ]
        with np.errstate(invalid="ignore"):
            found: Floats = np.stack(weights, axis=1) / self.um2[:, None]
        return found

    def geometries(self) -> Geometries:
        """Return the polygons as geometries of shapely, (p,)."""
        import shapely

        offsets = (self.rings, self.polygons)
        found: Geometries = shapely.from_ragged_array(shapely.GeometryType.POLYGON, self.xy, offsets)
        return found

    def chosen(self, places: NDArray[np.intp]) -> Areas:
        """Return some of the polygons, in the order of `places`."""
        ring, polygons = _between(self.polygons, places)
        vertex, rings = _between(self.rings, ring)
        return Areas(self.n, self.owner[places], self.xy[vertex], rings, polygons, self.size[places])

    def labels(self, um_per_px: float, window_um: Window) -> NDArray[np.int32]:
        """Return the label image (H, W) of a window (x0, y0, x1, y1); 0 is background.

        A pixel belongs to the instance around its centre, instance k as k + 1. Where polygons overlap
        it is the smaller one's, of equal ones the last one's, so that a cell within another is seen.

        Raises ``DataError`` if the window is empty or has more than 2^28 pixels.
        """
        image = blank(um_per_px, window_um)
        left, top, right, bottom = self._bounds.T
        x0, y0, x1, y1 = window_um
        near = np.flatnonzero((left <= x1) & (top <= y1) & (right >= x0) & (bottom >= y0))
        part = self if len(near) == len(self.owner) else self.chosen(near)
        xy_px = (part.xy - (x0, y0)) / um_per_px - 0.5
        draw(image, xy_px, part.rings, part.polygons, part._upwards, (part.owner + 1).astype(np.int32))
        return image

    def around(self, x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the instance around each point (m,) in um, -1 for none, and whether it lies in several.

        Where polygons overlap it is the smaller one's, as in :meth:`labels`.
        """
        if not len(self.owner):
            return np.full(len(x), -1, np.int64), np.zeros(len(x), np.bool_)
        return inside(self._grid, x, y)

    @cached_property
    def _grid(self) -> Grid:
        return grid_of(self.xy, self.rings, self.polygons, self._upwards, self.owner, self._bounds)

    @property
    def _upwards(self) -> NDArray[np.intp]:
        """Polygons as they lie over each other: the smallest above, of equal ones the last."""
        return np.argsort(-self.size, kind="stable")

    @cached_property
    def _bounds(self) -> Floats:
        """x0, y0, x1, y1 of each polygon, (p, 4)."""
        if not len(self.owner):
            return np.empty((0, 4))
        starts = self.rings[self.polygons[:-1]]
        return np.hstack([np.minimum.reduceat(self.xy, starts), np.maximum.reduceat(self.xy, starts)])


def _between(
    offsets: NDArray[np.int64], chosen: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return what lies between the offsets of those that are chosen, and its own offsets."""
    lengths = offsets[chosen + 1] - offsets[chosen]
    own = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    inner = np.arange(own[-1]) + np.repeat(offsets[chosen] - own[:-1], lengths)
    return inner, own


def areas_of(blocks: Iterable[tuple[Geometries, NDArray[np.intp]]], n: int) -> tuple[Areas, int]:
    """Return what the geometries of `n` instances cover, and how many geometries had to be mended.

    Parameters
    ----------
    blocks
        Geometries of shapely (g,) and the instance of each, some at a time. Polygons, multipolygons and
        collections of them count with all their parts; nothing is made of None, of geometries without
        area and of those with a coordinate that is not finite.
    n
        Number of instances.

    Notes
    -----
    Rings that cross or touch themselves are mended so that all they go around is covered. A hole that
    is the same ring as its outline is none. Of an instance in several parts, those that overlap are
    joined, so that nothing counts twice.
    """
    mended, flat = 0, []
    for geometries, instance in blocks:
        polygons, of = _polygons(geometries)
        polygons, again, broken = _valid(polygons)
        mended += broken
        flat.append(_flat(polygons, instance[of[again]], n))
    found = _joined(flat, n)
    if (np.diff(found.owner) < 0).any():
        found = found.chosen(np.argsort(found.owner, kind="stable"))
    several = np.flatnonzero(found.parts > 1)
    if not len(several):
        return found, mended
    beside = np.isin(found.owner, several)
    polygons, owner = _disjoint(found.chosen(np.flatnonzero(beside)))
    found = _joined([found.chosen(np.flatnonzero(~beside)), _flat(polygons, owner, n)], n)
    return found.chosen(np.argsort(found.owner, kind="stable")), mended


def _polygons(geometries: Geometries) -> tuple[Geometries, NDArray[np.intp]]:
    """Return the polygons of geometries, (p,), and the place of the geometry of each."""
    import shapely

    found, of = geometries, np.arange(len(geometries))
    if shapely.has_z(found).any() or (shapely.get_type_id(found) != POLYGON).any():
        found, of = shapely.get_parts(shapely.force_2d(geometries), return_index=True)
    while (shapely.get_type_id(found) > POLYGON).any():  # parts of collections may have parts
        found, inner = shapely.get_parts(found, return_index=True)
        of = of[inner]
    xy, place = shapely.get_coordinates(found, return_index=True)
    broken = np.zeros(len(found), dtype=bool)
    broken[place[~np.isfinite(xy).all(axis=1)]] = True
    kept = np.flatnonzero((shapely.get_type_id(found) == POLYGON) & ~broken & ~shapely.is_empty(found))
    return found[kept], of[kept]


def _valid(polygons: Geometries) -> tuple[Geometries, NDArray[np.intp], int]:
    """Return polygons that do not cross themselves, the place from which each came, and how many did."""
    import shapely

    place = np.arange(len(polygons))
    broken = np.flatnonzero(~shapely.is_valid(polygons))
    if len(broken):
        whole = np.array([_without_equal_holes(polygon) for polygon in polygons[broken]], dtype=object)
        mended = shapely.make_valid(whole, method="structure", keep_collapsed=False)
        parts, of = _polygons(mended)
        sound = np.delete(place, broken)
        polygons, place = np.concatenate([polygons[sound], parts]), np.concatenate([sound, broken[of]])
    wide = np.flatnonzero(shapely.area(polygons) > 0)
    return polygons[wide], place[wide], len(broken)


def _without_equal_holes(polygon: Any) -> Any:
    import shapely

    around = shapely.make_valid(shapely.Polygon(polygon.exterior))
    holes = [
        h for h in polygon.interiors if not shapely.equals(shapely.make_valid(shapely.Polygon(h)), around)
    ]
    return shapely.Polygon(polygon.exterior, holes)


def _disjoint(areas: Areas) -> tuple[Geometries, NDArray[np.intp]]:
    """Return the polygons of instances in several parts, overlapping ones joined, and their instances."""
    import shapely

    polygons = areas.geometries()
    owners, at = np.unique(areas.owner, return_inverse=True)
    whole = shapely.multipolygons(polygons, indices=at)
    for place in np.flatnonzero(~shapely.is_valid(whole)):
        whole[place] = shapely.union_all(shapely.get_parts(whole[place]))
    parts, of = _polygons(whole)
    return parts, owners[of]


def _flat(polygons: Geometries, owner: NDArray[np.intp], n: int) -> Areas:
    import shapely

    # of no geometry at all shapely makes no polygons
    empty = np.empty((0, 2)), (np.zeros(1, np.int64), np.zeros(1, np.int64))
    xy, (rings, starts) = shapely.to_ragged_array(polygons)[1:] if len(polygons) else empty
    return Areas(n, owner, xy, rings.astype(np.int64), starts.astype(np.int64), shapely.area(polygons))


def _joined(areas: list[Areas], n: int) -> Areas:
    """Return the polygons of several, one after the other."""
    if len(areas) == 1:
        return areas[0]

    def laid(offsets: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        lengths = [np.diff(part) for part in offsets]
        return np.concatenate([[0], np.cumsum(np.concatenate([np.empty(0, np.int64), *lengths]))])

    return Areas(
        n,
        np.concatenate([np.empty(0, np.intp), *(part.owner for part in areas)]),
        np.concatenate([np.empty((0, 2)), *(part.xy for part in areas)]),
        laid([part.rings for part in areas]),
        laid([part.polygons for part in areas]),
        np.concatenate([np.empty(0), *(part.size for part in areas)]),
    )
