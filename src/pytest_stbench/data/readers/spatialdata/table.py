"""The table of a store: units, their names, counts, labels and places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from pytest_stbench.data.features import genes_in, kinds_column, kinds_of
from pytest_stbench.data.labels import label_columns, labels_of
from pytest_stbench.data.naming import names_of
from pytest_stbench.data.readers import tissue
from pytest_stbench.data.readers.counts import only_genes
from pytest_stbench.data.readers.imaging.cells import CellTable
from pytest_stbench.data.readers.imaging.tables import ids_of
from pytest_stbench.data.readers.spatialdata.frame import transformed
from pytest_stbench.data.readers.spatialdata.images import Labels, level_of
from pytest_stbench.data.readers.spatialdata.points import places_of_points
from pytest_stbench.data.readers.spatialdata.shapes import read_shapes
from pytest_stbench.data.readers.spatialdata.store import Annotated, kind_of, last
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.spatialdata.frame import Frame
    from pytest_stbench.data.readers.spatialdata.store import Store
    from pytest_stbench.spec.model import DatasetSpec

    Floats = NDArray[np.float64]


def instances_of(store: Store, frame: Frame, element: str) -> tuple[NDArray[np.str_], Floats]:
    """Return names and places of all instances of an element, in units of the coordinate system."""
    if kind_of(element) == "labels":
        return Labels(store, frame, element, "cell", dict).raw_centroids()
    names, xy = _listed(store, element)
    return names, transformed(frame.raw(element), xy)


def extent_of(store: Store, frame: Frame, element: str) -> Floats:
    """Return the box (x0, y0, x1, y1) of an element in units of the coordinate system, (4,).

    Of labels it is that of the image. Raises ``DataError`` where the element is not in the system.
    """
    if kind_of(element) == "labels":
        array, matrix = level_of(store, element)
        height, width = array.shape[-2:]
        corners = transformed(matrix, np.array([(0, 0), (width, 0), (0, height), (width, height)], float))
    else:
        corners = _listed(store, element)[1]
    xy = transformed(frame.raw(element), corners)
    return np.concatenate([np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)])


def _listed(store: Store, element: str) -> tuple[NDArray[np.str_], Floats]:
    """Return names and places of shapes or points, in units of the file."""
    if kind_of(element) == "points":
        return places_of_points(store, element)
    found = read_shapes(store, element)
    return found.names, found.centres()


RELABELLED = "relabeled_"
"""Before the name of the column that ``rasterize_bins`` makes of the ids of instances."""

ARRAY = ("array_row", "array_col")


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """All units of a table: names, ids of the instances they annotate, and which region each is of.

    ``region`` is the place of an element among those that were chosen, -1 for none of them.
    """

    names: NDArray[np.str_]
    ids: NDArray[np.str_]
    region: NDArray[np.intp]


class Table:
    """A table and the elements of its units: genes first, counts when they are asked for.

    Units are called as the index of the table calls them (barcodes, ids of cells), or, where it
    only counts rows, by the ids of the instances that they annotate.
    """

    def __init__(self, store: Store, element: str, regions: tuple[str, ...], config: DatasetSpec) -> None:
        self._store = store
        self._keys = store.attributes(element)
        self._config = config
        self._data = Annotated(store, element)
        self.regions = regions
        self.path = store.path / element

    def genes(self) -> tuple[str, ...]:
        """Return the symbols of the genes that were measured; no count is read."""
        return genes_in(*self._features())

    def _features(self) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        """Return the names of the features, and what each is."""
        names = self._data.index("var")
        said = kinds_column(self._data.columns("var"), lambda name: labels_of(self._data.part(f"var/{name}")))
        return names, kinds_of(names, said)

    def cells(self, frame: Frame) -> CellTable:
        """Return the units with counts, places in um and labels."""
        layer = self._config.keys.counts
        counts = sparse.csr_matrix(self._data.part("X" if layer == "X" else f"layers/{layer}"))
        try:
            counts.check_format(full_check=True)  # scipy reads beyond parts that do not fit together
        except ValueError as error:
            raise DataError(f"{self.path}: counts are damaged ({error}); write the store anew") from None
        units, (features, kinds) = self.units(), self._features()
        if counts.shape != (len(units.names), len(features)):
            raise DataError(
                f"{self.path}: counts of shape {counts.shape} for {len(units.names)} units and "
                f"{len(features)} genes; write the store anew"
            )
        columns = label_columns(self._config.keys)
        labels = {k: labels_of(self._data.column(c, f"keys.{k}")) for k, c in columns.items()}
        of_regions = np.flatnonzero(units.region >= 0)
        rows = of_regions[self._inside(len(units.names))[of_regions]]
        measured = only_genes(counts[rows], features, kinds)
        return CellTable(
            names=units.names[rows],
            genes=measured.genes,
            counts=measured.counts,
            xy_um=self._places(frame, units, rows) * frame.um,
            labels={key: values[rows] for key, values in labels.items()},
            measures=measured.measures,
            notes={
                **measured.notes,
                "units_of_other_regions": len(units.names) - len(of_regions),
                tissue.NOTE: len(of_regions) - len(rows),
            },
        )

    def units(self) -> Units:
        """Return all units of the table."""
        index = self._data.index("obs")
        if not self.regions:
            return Units(index, index, np.zeros(len(index), dtype=np.intp))
        ids = self._ids(self._key("instance_key"), "instance_key")
        named = names_of(self._data.column(self._key("region_key"), "region_key"))
        region = np.full(len(index), -1, dtype=np.intp)
        for place, element in enumerate(self.regions):
            region[named == last(element)] = place
        rows_only = np.array_equal(index, np.arange(len(index)).astype(np.str_))
        chosen = ids[region >= 0]
        by_id = rows_only and len(np.unique(chosen)) == len(chosen)
        return Units(ids if by_id else index, ids, region)

    def names_of(
        self, column: str | None, region: str | None = None, *, by_id: bool = False
    ) -> dict[str, str]:
        """Return the names of units by what else they are called, where that differs.

        That is a column of the table. Where it has none of that name, nothing is said, or, with
        `by_id`, it is the ids of the instances. `region` is one of the elements of the units, None
        for all of them.
        """
        there = column in self._data.columns()
        if not there and not (by_id and self.regions):
            return {}
        units = self.units()
        ids = self._ids(str(column), "instance_key") if there else units.ids
        rows = units.region >= 0 if region is None else units.region == self.regions.index(region)
        named = zip(ids[rows].tolist(), units.names[rows].tolist(), strict=True)
        return {identifier: name for identifier, name in named if identifier != name}

    def instances(self) -> set[object]:
        """Return the ids of what the table annotates, and the names of its units."""
        units = self.units()
        return {*units.ids.tolist(), *units.names.tolist()}

    def lattice(self, frame: Frame) -> tuple[Floats, Floats] | None:
        """Return array rows and columns (n, 2) of the units and their places in units of the frame.

        None where the table has no such columns, or annotates nothing.
        """
        if not self.regions or not set(ARRAY) <= set(self._data.columns()):
            return None
        units = self.units()
        rows = np.flatnonzero(units.region >= 0)
        index = [self._data.column(name, name).to_numpy(dtype=np.float64)[rows] for name in ARRAY]
        return np.column_stack(index), self._places(frame, units, rows)

    def uns(self, name: str) -> Any:
        """Return an entry of ``uns``, None where it is not there."""
        there = self._store.group(self._data.element)
        return self._data.part(f"uns/{name}") if name in there.get("uns", {}) else None

    def _places(self, frame: Frame, units: Units, rows: NDArray[np.intp]) -> Floats:
        """Return x and y of some units in units of the coordinate system, (n, 2)."""
        if not self.regions:
            found = self._data.part(f"obsm/{self._config.keys.spatial}")
            return np.asarray(found, dtype=np.float64)[rows, :2]
        xy = np.full((len(rows), 2), np.nan)
        for place, region in enumerate(self.regions):
            here = np.flatnonzero(units.region[rows] == place)
            if len(here):
                element, ids = self._standing(frame, region, units)
                xy[here] = self._placed(frame, element, ids[rows[here]])
        return xy

    def _standing(self, frame: Frame, region: str, units: Units) -> tuple[str, NDArray[np.str_]]:
        """Return the element that places the units of a region, and their ids in it, (n,).

        That is the region, but for bins that ``rasterize_bins`` has drawn as labels: it puts the
        corner of a pixel where the centre of its bin is (spatialdata 0.8), half a bin off. They stand
        where the shapes do that they were drawn from, if these are still there.
        """
        shapes = f"shapes/{last(region).removesuffix('_labels')}"
        _, drawn, column = str(self._keys.get("instance_key")).partition(RELABELLED)
        if not drawn or column not in self._data.columns() or shapes not in self._store.elements("shapes"):
            return region, units.ids
        return (shapes, self._ids(column, "instance_key")) if frame.has(shapes) else (region, units.ids)

    def _placed(self, frame: Frame, region: str, wanted: NDArray[np.str_]) -> Floats:
        """Return the places of instances of an element, by their ids."""
        import pandas as pd

        ids, xy = instances_of(self._store, frame, region)
        known = pd.Index(ids)
        if not known.is_unique:
            double = known[known.duplicated()]
            raise DataError(
                f"{self._store.path / region}: {len(double)} instances have the id of another, such as "
                f"{str(double[0])!r}: nobody knows where their units are; write the store anew"
            )
        place = known.get_indexer(pd.Index(wanted))
        absent = wanted[place < 0]
        if len(absent):
            raise DataError(
                f"{self.path}: {len(absent)} units, such as {str(absent[0])!r}, are not in {last(region)!r}, "
                "which they annotate: write the store anew"
            )
        return xy[place]

    def _inside(self, n_units: int) -> NDArray[np.bool_]:
        """Return which units lie under tissue; all where the table does not say."""
        if tissue.COLUMN not in self._data.columns():
            return np.ones(n_units, dtype=bool)
        said = self._data.column(tissue.COLUMN, tissue.COLUMN)
        return tissue.inside(said, f"{self.path}: obs[{tissue.COLUMN!r}]")

    def _key(self, name: str) -> str:
        found, there = self._keys.get(name), self._data.columns()
        if found not in there:
            raise DataError(
                f"{self.path}: obs has no column {found!r} ({name}), which says what units are; it has "
                f"{listing(there)}: write the store anew"
            )
        return str(found)

    def _ids(self, column: str, key: str) -> NDArray[np.str_]:
        """Return a column of ids, (n,); an empty one where it is missing."""
        with ids_of(self.path):
            found = names_of(self._data.column(column, key))
        return np.array([name or "" for name in found.tolist()], dtype=np.str_)
