"""Outlines of one vertex a row: which rows are one ring, and which rings one outline."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.naming import coded
from pytest_stbench.data.readers.imaging.instances import Found, cells_in, numbered, planes_in
from pytest_stbench.data.readers.imaging.tables import numbers_of, read_table

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.imaging.instances import Keys

    Codes = NDArray[np.intp]
    Floats = NDArray[np.float64]
    Geometries = NDArray[np.object_]

PLACES = (
    ("vertex_x", "vertex_y"),
    ("x_global_px", "y_global_px"),
    ("global_x", "global_y"),
    ("x_um", "y_um"),
    ("x", "y"),
)
"""Columns of the vertices: Xenium, CosMx, MERSCOPE, plain tables."""

PAIRS = tuple(" and ".join(pair) for pair in PLACES)

NO_HOLE = frozenset({"0", "false", "f", "no"})
AT_ONCE = 1 << 16
LEAST = 3
"""Rows of a ring, the closing one not counted, that can cover anything."""


def places_in(there: Sequence[str]) -> tuple[str, str] | None:
    """Return the columns of the vertices, None where there are none."""
    return next((pair for pair in PLACES if set(pair) <= set(there)), None)


def read_vertices(
    path: Path, keys: Keys, places: tuple[str, str], um_per_px: float, known: Container[object]
) -> Found:
    """Return the outlines of a table of vertices.

    Rows of one cell, plane, label and part are one outline, wherever they stand; their order within a
    ring is that of the file. Where no column tells parts, a ring ends when it comes back to its
    first vertex and what follows is closed as well. A ring is a hole if a column says so, or if it
    lies within the first ring of an outline whose rings are numbered.
    """
    table = read_table(path, [*keys.columns, *places], names=keys.columns)
    xy = numbers_of(table, places, path) * um_per_px
    cells, planes = cells_in(table, keys, known), planes_in(table, keys)
    labels = None if keys.label is None else coded(table[keys.label])
    part, ring = (None if name is None else coded(table[name])[0] for name in (keys.part, keys.ring))
    hole = None if keys.hole is None else _holes(table[keys.hole])
    outline = numbered(cells[0], planes and planes[0], labels and labels[0], part)
    nested = ring is not None or hole is not None
    within = numbered(ring, hole) if nested else np.zeros_like(outline)
    row = np.arange(len(outline))
    if (np.diff(outline) < 0).any() or (np.diff(within) < 0).any():
        row = np.lexsort((within, outline))
        xy = xy[row]
    starts = np.flatnonzero(
        (np.diff(outline[row], prepend=-1) != 0) | (np.diff(within[row], prepend=-1) != 0)
    )
    ends = np.append(starts[1:], len(xy))
    if part is None and not nested:
        starts, ends = _closed_apart(xy, starts, ends)
    first, build = row[starts], partial(_each, xy, starts, ends)
    if nested:
        of = outline[first]
        first = first[np.flatnonzero(np.diff(of, prepend=-1))]
        build = partial(_holed, xy, starts, ends, of, None if hole is None else hole[row[starts]] > 0)
    return Found(
        cells=(cells[0][first], cells[1]),
        planes=None if planes is None else (planes[0][first], planes[1]),
        labels=None if labels is None else (labels[0][first], labels[1]),
        apart=part is None,
        build=build,
        empty=None if nested else ends - starts < LEAST,
    )


def _closed_apart(xy: Floats, starts: Codes, ends: Codes) -> tuple[Codes, Codes]:
    """Return where rings begin and end, those included that follow a closed one under the same name."""
    if not len(starts):
        return starts, ends
    back = np.flatnonzero((xy == np.repeat(xy[starts], ends - starts, axis=0)).all(axis=1))
    times = np.diff(np.searchsorted(back, np.append(starts, len(xy))))
    closed = (xy[ends - 1] == xy[starts]).all(axis=1)
    found = [
        rings
        for ring in np.flatnonzero(times > 1 + closed).tolist()
        if (rings := _rings_within(xy[starts[ring] : ends[ring]], int(starts[ring])))
    ]
    if not found:
        return starts, ends
    whole = np.isin(starts, [rings[0][0] for rings in found], invert=True)
    apart = np.array([ring for rings in found for ring in rings], dtype=np.intp)
    starts, ends = np.append(starts[whole], apart[:, 0]), np.append(ends[whole], apart[:, 1])
    order = np.argsort(starts)
    return starts[order], ends[order]


def _rings_within(xy: Floats, offset: int) -> list[tuple[int, int]]:
    """Return begin and end of the different rings; nothing where not all are closed: then it is one."""
    begin, found = 0, list[tuple[int, int]]()
    seen: list[set[tuple[float, ...]]] = []
    while begin < len(xy):
        back = np.flatnonzero((xy[begin + 1 :] == xy[begin]).all(axis=1))
        back = back[back + 1 >= LEAST]
        if not len(back):
            return []
        end = begin + int(back[0]) + 2
        corners = set(map(tuple, xy[begin:end].tolist()))
        if corners not in seen:  # the same ring once more says nothing new
            seen.append(corners)
            found.append((offset + begin, offset + end))
        begin = end
    return found


def _each(xy: Floats, starts: Codes, ends: Codes, chosen: Codes) -> Iterator[tuple[Geometries, Codes]]:
    """Yield the polygon of each ring."""
    for begin in range(0, len(chosen), AT_ONCE):
        some = chosen[begin : begin + AT_ONCE]
        polygons, usable = _polygons(xy, starts[some], ends[some])
        yield polygons, some[usable]


def _holed(
    xy: Floats, starts: Codes, ends: Codes, of: Codes, is_hole: NDArray[np.bool_] | None, chosen: Codes
) -> Iterator[tuple[Geometries, Codes]]:
    """Yield the outlines that rings and holes make together."""
    import shapely

    ring = np.flatnonzero(np.isin(of, chosen))
    polygons, usable = _polygons(xy, starts[ring], ends[ring])
    ring = ring[usable]
    polygons = shapely.make_valid(polygons)
    outlines, at, of_ring = np.unique(of[ring], return_index=True, return_inverse=True)
    around = polygons[at][of_ring]
    inside = shapely.covers(around, polygons) & ~shapely.equals(around, polygons)
    holes = inside if is_hole is None else is_hole[ring]
    whole = polygons[at]
    bounds = np.append(at, len(ring))
    for place in np.flatnonzero(np.diff(bounds) > 1).tolist():
        mine = np.arange(bounds[place], bounds[place + 1])
        parts, cut = (shapely.union_all(polygons[mine[holes[mine] == flag]]) for flag in (False, True))
        whole[place] = shapely.difference(parts, cut)
    yield whole, outlines


def _holes(flags: Any) -> Codes:
    """Return 0 for rows of no hole, and a number above for those of each."""
    codes, names = coded(flags)
    none = np.array([*(name.casefold() in NO_HOLE for name in names.tolist()), True])
    return np.where(none[codes], 0, codes + 1)


def _polygons(xy: Floats, starts: Codes, ends: Codes) -> tuple[Geometries, NDArray[np.bool_]]:
    """Return the polygons of rings, and which rings there are any of: with three vertices, all finite."""
    import shapely

    if not len(starts):
        return np.empty(0, dtype=object), np.empty(0, dtype=bool)
    lengths = ends - starts
    inner = np.arange(lengths.sum()) + np.repeat(starts - np.append(0, np.cumsum(lengths)[:-1]), lengths)
    of = np.repeat(np.arange(len(starts)), lengths)
    closed = (xy[ends - 1] == xy[starts]).all(axis=1)
    usable = lengths - closed >= LEAST
    usable[of[~np.isfinite(xy[inner]).all(axis=1)]] = False
    kept = usable[of]
    if not kept.any():
        return np.empty(0, dtype=object), usable
    rings = shapely.linearrings(xy[inner][kept], indices=(np.cumsum(usable) - 1)[of[kept]])
    return shapely.polygons(rings), usable
