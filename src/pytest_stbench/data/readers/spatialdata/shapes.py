"""Shapes of a store: polygons that outline cells, circles that place spots."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.areas import areas_of
from pytest_stbench.data.naming import names_of
from pytest_stbench.data.readers.imaging.geometries import from_wkb
from pytest_stbench.data.readers.imaging.instances import outline_notes
from pytest_stbench.data.readers.imaging.tables import columns_of, ids_of, read_table
from pytest_stbench.data.readers.spatialdata.points import table_files
from pytest_stbench.data.readers.spatialdata.store import readable
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.areas import Areas
    from pytest_stbench.data.readers.imaging.outlines import Kind
    from pytest_stbench.data.readers.spatialdata.frame import Frame
    from pytest_stbench.data.readers.spatialdata.store import Store

    Floats = NDArray[np.float64]

RADIUS = "radius"
GEOMETRY = "geometry"
CELL = "cell_id"
"""Column of spatialdata-io that says which cell a nucleus of Xenium lies in."""

RAGGED = "coords"
"""Array that shapes of format 0.1 have instead of a table."""


@dataclass(frozen=True, slots=True, eq=False)
class Geometries:
    """Shapes in units of the file.

    ``names`` (n,) are those of the index, ``shapes`` (n,) geometries of shapely, ``radius`` (n,) that
    of circles, and ``cells`` (n,) the cell that each lies in, where a column says it.
    """

    names: NDArray[np.str_]
    shapes: NDArray[np.object_]
    radius: Floats | None
    cells: NDArray[np.str_] | None = None

    def areas(self) -> tuple[Areas, int]:
        """Return what the shapes cover, and how many had to be mended."""
        return areas_of([(self.shapes, np.arange(len(self.names)))], len(self.names))

    def centres(self) -> Floats:
        """Return where each shape is, (n, 2): nan where it has no vertex.

        The centre of mass of its area, parts and holes included; of shapes without area that of
        their points or edges.
        """
        import shapely

        found = np.full((len(self.names), 2), np.nan)
        if self.radius is None:
            found = self.areas()[0].centroids()
        rest = np.isnan(found[:, 0])
        middle, of = shapely.get_coordinates(shapely.centroid(self.shapes[rest]), return_index=True)
        found[np.flatnonzero(rest)[of]] = middle
        return found


def is_circles(store: Store, element: str) -> bool:
    """Tell whether shapes are circles; the header alone is read."""
    if _is_ragged(store, element):
        return RADIUS in store.group(element)
    return RADIUS in columns_of(_file(store, element))


def read_shapes(store: Store, element: str) -> Geometries:
    """Return the shapes of an element; raises ``DataError`` where they cannot be read."""
    if _is_ragged(store, element):
        return _ragged(store, element)
    path = _file(store, element)
    there = columns_of(path)
    if GEOMETRY not in there:
        raise DataError(f"{path}: no column 'geometry'; it has {listing(there)}: write the store anew")
    # pandas brings the index, which names the instances, along
    wanted = [name for name in (RADIUS, CELL) if name in there]
    others = read_table(path, wanted or [name for name in there if name != GEOMETRY][:1] or [GEOMETRY])
    radius = others[RADIUS].to_numpy(np.float64) if RADIUS in there else None
    with ids_of(path):
        names = np.array(names_of(others.index), dtype=np.str_)
        cells = names_of(others[CELL]) if CELL in others else None
    owners = None if cells is None else np.array([cell or "" for cell in cells.tolist()], dtype=np.str_)
    return Geometries(names, _geometries(path), radius, owners)


def index_name(store: Store, element: str) -> str | None:
    """Return what the index of shapes is called, None where it has no name; the header alone is read."""
    if _is_ragged(store, element):
        return None
    import pyarrow.parquet as pq

    path = _file(store, element)
    with readable(path):
        names = (pq.read_schema(path).pandas_metadata or {}).get("index_columns", [])
    return names[0] if len(names) == 1 and isinstance(names[0], str) else None


@dataclass(eq=False)
class Shapes:
    """Polygons of a store, in um; a :class:`~pytest_stbench.data.slide.Segmentation`.

    `names_of_units` gives those of instances that units call otherwise, `names_of_cells` those of the cells
    in which nuclei lie.
    """

    store: Store
    frame: Frame
    element: str
    kind: Kind
    names_of_units: Callable[[], Mapping[str, str]]
    names_of_cells: Callable[[], Mapping[str, str]] = dict

    @cached_property
    def names(self) -> NDArray[np.str_]:
        """Names of the instances: their units, else the index of the shapes."""
        return _named(self._read[0].names, self.names_of_units())

    @cached_property
    def owners(self) -> NDArray[np.str_]:
        """The cells in which nuclei lie, where a column says it; else the instances themselves."""
        cells = self._read[0].cells
        return self.names if cells is None or self.kind == "cell" else _named(cells, self.names_of_cells())

    @property
    def areas(self) -> Areas:
        """What each instance covers, in um."""
        return self._read[1]

    @property
    def notes(self) -> Mapping[str, int]:
        """What was counted, as soon as the shapes were read."""
        return outline_notes(self.kind, *self._read[1:]) if "_read" in self.__dict__ else {}

    @cached_property
    def _read(self) -> tuple[Geometries, Areas, int]:
        found = read_shapes(self.store, self.element)
        if found.radius is not None:
            message = f"{self.store.path / self.element}: circles, which are spots and no outlines of cells"
            raise DataError(message)
        areas, mended = found.areas()
        return found, areas.transformed(self.frame.to_um(self.element)), mended

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image of a window; a pixel belongs to the outline around its centre."""
        return self.areas.labels(um_per_px, window_um)


def _named(names: NDArray[np.str_], known: Mapping[str, str]) -> NDArray[np.str_]:
    return np.array([known.get(name, name) for name in names.tolist()], dtype=np.str_) if known else names


def _file(store: Store, element: str) -> Path:
    (path,) = table_files(store.path / element / "shapes.parquet")
    return path


def _is_ragged(store: Store, element: str) -> bool:
    return (store.path / element / RAGGED).is_dir()


def _geometries(path: Path) -> NDArray[np.object_]:
    import pyarrow.parquet as pq
    import shapely

    with readable(path):
        table = pq.read_table(path, columns=[GEOMETRY])
        column = table.column(GEOMETRY).combine_chunks()
        geo = json.loads((table.schema.metadata or {}).get(b"geo", b"{}"))
        encoding = str(geo.get("columns", {}).get(GEOMETRY, {}).get("encoding", "WKB"))
        if encoding.upper() == "WKB":
            return from_wkb(column.to_numpy(zero_copy_only=False), path)
        return _arrow(column, shapely.GeometryType[encoding.upper()])


def _arrow(column: Any, kind: Any) -> NDArray[np.object_]:
    """Return geometries that are nested lists of coordinates (GeoArrow)."""
    import pyarrow as pa
    import shapely

    offsets = []
    while pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        offsets.append(column.offsets.to_numpy())
        column = column.values
    if pa.types.is_struct(column.type):
        xy = np.column_stack([column.field(axis).to_numpy(zero_copy_only=False) for axis in ("x", "y")])
    else:
        xy = column.values.to_numpy().reshape(-1, column.type.list_size)[:, :2]
    found: NDArray[np.object_] = shapely.from_ragged_array(kind, xy, tuple(reversed(offsets)) or None)
    return found


def _ragged(store: Store, element: str) -> Geometries:
    """Return shapes of format 0.1: coordinates, offsets and index as arrays of zarr."""
    import shapely

    group = store.group(element)
    with readable(store.path / element):
        kind = shapely.GeometryType(store.attributes(element)["spatialdata_attrs"]["geos"]["type"])
        places = range(sum(name.startswith("offset") for name in group))
        offsets = tuple(np.asarray(group[f"offset{place}"][...]).ravel() for place in places)
        xy = np.asarray(group[RAGGED][...], dtype=np.float64)
        shapes = shapely.from_ragged_array(kind, xy, offsets or None)
        radius = np.asarray(group[RADIUS][...], dtype=np.float64) if RADIUS in group else None
        return Geometries(np.array(names_of(group["Index"][...]), dtype=np.str_), shapes, radius)
