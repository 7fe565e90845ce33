"""SpatialData: zarr stores, one a slide.

Of a store (a folder ``NAME.zarr``, zarr format 2 or 3, which names the slide) these are read: one
of ``tables`` (counts, labels of ``obs``), the shapes or labels that the table annotates (places of the
units: centroids), one of ``points`` (transcripts: ``points.parquet`` with the columns ``x``, ``y``,
the ``feature_key`` and the ``instance_key``), ``shapes`` and ``labels`` (outlines of cells and
nuclei), and an image of three channels r, g and b. A store without table has the cells that its
transcripts name.

Where there is a choice, ``params`` makes it: ``table``, ``region`` (of a table that annotates
several), ``points``, ``cells`` and ``nuclei`` (shapes or labels; else the annotated polygons are the
cells, and what has `nucle` in its name the nuclei), ``image``, and ``coordinates``, the coordinate
system (``global`` by default). Coordinates of that system become um by the unit of its axes, else
by `scale`. A table without annotated element has its places in ``obsm["spatial"]``, times `scale`.
Of a pyramid the coarsest level of at most 0.5 um per pixel is read.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from pytest_stbench.data.controls import is_control
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.readers.imaging.cells import CellTable, without_controls
from pytest_stbench.data.readers.imaging.labels import labels_of
from pytest_stbench.data.readers.imaging.source import (
    Bundle,
    ImagingSource,
    index_bundles,
    open_bundles,
)
from pytest_stbench.data.readers.imaging.tables import columns_of, text
from pytest_stbench.data.readers.spatialdata.elements import (
    Labels,
    Shapes,
    centroids,
    is_rgb,
    open_image,
    open_points,
    read_shapes,
    table_files,
)
from pytest_stbench.data.readers.spatialdata.store import Store, open_store, readable
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.segmentation import Segmentation
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

RULES = "spatialdata/1"
PARAMS = ("table", "region", "points", "cells", "nuclei", "image", "coordinates")


def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> ImagingSource:
    """Find the stores `samples`; errors as those of the Xenium reader."""
    return open_bundles(find_bundle, RULES, config, samples, roots)


def index_source(
    config: DatasetSpec,
    roots: Sequence[Path],
    store: Path | None,  # noqa: ARG001 - named by the reader protocol; the names of folders are enough
) -> list[Sample]:
    """Return one sample per store."""
    return index_bundles(find_bundle, config, roots)


def find_bundle(path: Path, config: DatasetSpec) -> Bundle:
    """Return what is in the store at `path`; raises ``DataError`` when it is none."""
    for name in config.params:
        if name not in PARAMS:
            message = (
                f"params.{name}: unknown{nearest(name, PARAMS)}; source spatialdata knows {listing(PARAMS)}"
            )
            raise DataError(message)
    scale = config.scale.um_per_px if config.scale is not None else None
    if isinstance(scale, str):
        message = f"scale: {scale!r}: a store has no such key: write um per unit of its coordinates"
        raise DataError(message)
    store = open_store(path, config.params, None if scale is None else float(scale))
    table, points = store.only("table", "tables"), store.only("points", "points")
    if table is None and points is None:
        message = f"{path}: neither a table nor points: there is nothing to count"
        raise DataError(message)
    outlines = _outlines(store, table)
    image = None if config.image is not None else _image(store)
    used = [element for element in (table, points, image, *outlines.values()) if element is not None]
    read = None if table is None else _Table(store, table, config)
    return Bundle(
        slide_id=path.name.removesuffix(".zarr"),
        files=store.files(*used, *(() if read is None else read.placed_by)),
        transcripts=None if points is None else partial(open_points, store, points),
        cells=None if read is None else read.cells,
        genes=None if read is None else read.genes,
        segmentations={kind: _segmentation(store, name, kind) for kind, name in outlines.items()},
        image=None if image is None else partial(open_image, store, image),
    )


def _outlines(store: Store, table: str | None) -> dict[str, str]:
    """Return the elements that outline cells and nuclei, by what they outline."""
    found = {}
    named = {
        "cell": store.named("cells", "shapes", "labels"),
        "nucleus": store.named("nuclei", "shapes", "labels"),
    }
    there = [f"{kind}/{name}" for kind in ("shapes", "labels") for name in store.names(kind)]
    regions = _regions(store, table) if table is not None else ()
    guess = {
        "cell": next((name for name in there if name.split("/")[1] in regions), None),
        "nucleus": next((name for name in there if "nucle" in name.casefold()), None),
    }
    for kind, name in named.items():
        element = name or guess[kind]
        if element is not None and (name is not None or not _is_circles(store, element)):
            found[kind] = element
    return found


def _is_circles(store: Store, element: str) -> bool:
    if not element.startswith("shapes/"):
        return False
    return "radius" in columns_of(table_files(store.path / element / "shapes.parquet")[0])


def _segmentation(store: Store, element: str, kind: Any) -> Segmentation:
    make = Shapes if element.startswith("shapes/") else Labels
    return make(store, element, kind)


def _image(store: Store) -> str | None:
    """Return the image that is named, else the only one that says it is r, g, b."""
    named = store.named("image", "images")
    coloured = [name for name in store.names("images") if is_rgb(store, f"images/{name}")]
    if named is not None or not coloured:
        return named
    if len(coloured) > 1:
        message = (
            f"{store.path}: {len(coloured)} images of r, g and b, {listing(coloured)}; write "
            f"`params: {{image: {coloured[0]}}}` to take one of them"
        )
        raise DataError(message)
    return f"images/{coloured[0]}"


def _regions(store: Store, table: str) -> tuple[str, ...]:
    found = store.attributes(table).get("region")
    return () if found is None else (found,) if isinstance(found, str) else tuple(found)


class _Table:
    """The table of a store: genes first, counts when they are asked for."""

    def __init__(self, store: Store, element: str, config: DatasetSpec) -> None:
        self._store = store
        self._element = element
        self._config = config
        self.path = store.path / element

    @cached_property
    def region(self) -> str | None:
        """The element whose instances are the units; None where the table annotates none."""
        regions = _regions(self._store, self._element)
        wanted = self._store.params.get("region")
        if wanted is not None and wanted not in regions:
            message = (
                f"{self.path}: params.region is {wanted!r}; the table annotates {listing(regions)}"
                f"{nearest(str(wanted), regions)}"
            )
            raise DataError(message)
        if wanted is None and len(regions) > 1:
            message = (
                f"{self.path}: annotates {len(regions)} elements, {listing(regions)}; write "
                f"`params: {{region: {regions[0]}}}`: a data set takes one of them from each store"
            )
            raise DataError(message)
        return str(wanted) if wanted is not None else (regions[0] if regions else None)

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The element that places the units, as ``kind/name``."""
        if self.region is None:
            return ()
        for kind in ("shapes", "labels"):
            if self.region in self._store.names(kind):
                return (f"{kind}/{self.region}",)
        message = f"{self.path}: annotates {self.region!r}, which is no shapes and no labels of the store"
        raise DataError(message)

    def _part(self, name: str) -> Any:
        """Return a part of the AnnData group, read."""
        group = self._store.group(self._element)
        with readable(self.path):
            from anndata.io import read_elem

            parent, _, last = name.rpartition("/")
            there = sorted(group[parent].keys() if parent else group.keys())
            if last not in there:
                message = f"{self.path}: no {name!r}; there is {listing(there)}{nearest(last, there)}"
                raise DataError(message)
            with quiet_anndata():
                return read_elem(group[name])

    @cached_property
    def _features(self) -> NDArray[np.str_]:
        group = self._store.group(self._element)
        with readable(self.path):
            from anndata.io import read_elem

            with quiet_anndata():
                names = read_elem(group["var"][group["var"].attrs["_index"]])
        return np.array(text(names), dtype=np.str_)

    def genes(self) -> tuple[str, ...]:
        """Return the symbols that were measured, controls left out; no count is read."""
        return tuple(dict.fromkeys(self._features[~is_control(self._features)].tolist()))

    def cells(self) -> CellTable:
        """Return the units with counts, places in um and labels."""
        layer = self._config.keys.counts
        counts = sparse.csr_matrix(self._part("X" if layer == "X" else f"layers/{layer}"))
        obs = self._part("obs")
        if counts.shape != (len(obs), len(self._features)):
            message = (
                f"{self.path}: counts of shape {counts.shape} for {len(obs)} units; write the store anew"
            )
            raise DataError(message)
        columns = {"niche": self._config.keys.niche, "cell_type": self._config.keys.cell_type}
        for key, column in columns.items():
            if column is not None and column not in obs:
                message = (
                    f"{self.path}: obs has no column {column!r} (keys.{key}); it has "
                    f"{listing(obs.columns)}{nearest(column, obs.columns)}"
                )
                raise DataError(message)
        rows, names, xy = self._placed(obs)
        found, genes, controls, notes = without_controls(counts[rows], self._features)
        return CellTable(
            names=names,
            genes=genes,
            counts=found,
            xy_um=xy,
            labels={key: labels_of(obs[column])[rows] for key, column in columns.items() if column},
            measures={"control_counts": controls},
            notes={**notes, "units_of_other_regions": len(obs) - len(rows)},
        )

    def _placed(self, obs: Any) -> tuple[NDArray[np.intp], NDArray[np.str_], NDArray[np.float64]]:
        """Return the rows of the region, the names of their instances and their places in um."""
        if self.region is None:
            um = self._store.um_per_unit
            if um is None:
                message = f"{self.path}: annotates no element: write `scale: UM_PER_UNIT` for obsm['spatial']"
                raise DataError(message)
            xy = np.asarray(self._part("obsm/spatial"), dtype=np.float64)[:, :2] * um
            return np.arange(len(obs)), np.array(text(obs.index), dtype=np.str_), xy
        attributes = self._store.attributes(self._element)
        keys = [attributes.get(name) for name in ("region_key", "instance_key")]
        absent = [key for key in keys if key not in obs]
        if absent:
            message = (
                f"{self.path}: obs has no column {absent[0]!r}, which says what units are; it has "
                f"{listing(obs)}"
            )
            raise DataError(message)
        rows = np.flatnonzero(np.array(text(obs[keys[0]])) == self.region)
        names = np.array(text(obs[keys[1]].iloc[rows]), dtype=np.str_)
        instances, places = self._instances()
        order = {name: row for row, name in enumerate(instances.tolist())}
        absent = [name for name in names.tolist() if name not in order]
        if absent:
            message = (
                f"{self.path}: {len(absent)} units, such as {absent[0]!r}, are not in {self.region!r}, which "
                "they annotate: write the store anew"
            )
            raise DataError(message)
        return rows, names, places[[order[name] for name in names.tolist()]]

    def _instances(self) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
        (element,) = self.placed_by
        if element.startswith("labels/"):
            return Labels(self._store, element, "cell").centroids()
        names, rings, _ = read_shapes(self._store, element)
        return names, centroids(rings)
