"""SpatialData: zarr stores, one a slide.

Of a store (a folder ``NAME.zarr``, zarr format 2 or 3, which names the slide) these are read: one
of ``tables`` (counts, labels of ``obs``), the shapes, labels or points that the table annotates
(places of the units: centroids), one of ``points`` (transcripts: ``points.parquet`` with the columns
``x``, ``y``, the ``feature_key`` and the ``instance_key``), ``shapes`` and ``labels`` (outlines of
cells and nuclei), and an image of three channels r, g and b. A store without table has the cells
that its transcripts name, else those of its outlines.

Units are called as the index of the table calls them, or by the ids of the instances where the
index only counts rows; transcripts and outlines call their cells alike. Units that lie off tissue
(``in_tissue``) are left out and counted.

Where there is a choice, ``params`` makes it: ``table``, ``region`` (of a table that annotates
several; ``*`` takes all), ``points``, ``cells`` and ``nuclei`` (shapes or labels), ``image``, and
``coordinates``, the coordinate system: else ``global``, or the only one of the units, or that in
which they stand as they are written. Its unit is told by :mod:`~.scale`, or by `scale`. A table
without annotated element has its places in ``obsm``, times `scale`. Of a pyramid of an image the
coarsest level of at most 0.5 um per pixel is read.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.naming import KnownCells
from pytest_stbench.data.readers.imaging.bundles import (
    Bundle,
    ImagingSource,
    index_bundles,
    open_bundles,
)
from pytest_stbench.data.readers.imaging.pictures import of_explorer
from pytest_stbench.data.readers.spatialdata.choice import choose, image_of, outlines_of
from pytest_stbench.data.readers.spatialdata.frame import Frame
from pytest_stbench.data.readers.spatialdata.images import Labels, morphology_um, open_image
from pytest_stbench.data.readers.spatialdata.points import keys_of, open_points, stem
from pytest_stbench.data.readers.spatialdata.scale import technology_of, um_per_unit
from pytest_stbench.data.readers.spatialdata.shapes import CELL, Shapes, index_name
from pytest_stbench.data.readers.spatialdata.store import kind_of, last, open_store
from pytest_stbench.data.readers.spatialdata.table import Table
from pytest_stbench.data.region import blank
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.imaging.outlines import Kind
    from pytest_stbench.data.readers.spatialdata.choice import Chosen
    from pytest_stbench.data.readers.spatialdata.store import Store
    from pytest_stbench.data.slide import Segmentation
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

RULES = "spatialdata/3"
PARAMS = ("table", "region", "points", "cells", "nuclei", "image", "coordinates")


def index_source(config: DatasetSpec, roots: Sequence[Path], store: Path | None) -> list[Sample]:  # noqa: ARG001  # the signature of an index
    """Return one sample per store, with the technology where the store says whose reader made it."""
    return index_bundles(find_bundle, config, roots)


@reader(
    "R07",
    "spatialdata",
    index=index_source,
    needs_path=True,
    files="of the folders `NAME.zarr` that `path` names: a table, the shapes or labels it annotates, "
    "points, outlines of cells and nuclei, an image of r, g and b; zarr formats 2 and 3",
    source="https://spatialdata.scverse.org/en/stable/design_doc.html",
)
def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> ImagingSource:
    """SpatialData zarr stores: table, transcripts, outlines and image (extra `spatialdata`).

    Find the stores `samples`; errors as those of the Xenium reader.
    """
    return open_bundles(find_bundle, RULES, config, samples, roots)


@dataclass(frozen=True, slots=True)
class Opened:
    """A store, what is read of it, and where that lies."""

    store: Store
    chosen: Chosen
    table: Table | None
    frame: Frame


def opened(path: Path, config: DatasetSpec) -> Opened:
    """Return the store at `path` with what is chosen of it. Raises ``DataError``."""
    for name in config.params:
        if name not in PARAMS:
            raise DataError(
                f"params.{name}: unknown{nearest(name, PARAMS)}; source spatialdata knows {listing(PARAMS)}"
            )
    store = open_store(path, config.params)
    chosen = choose(store)
    table = None if chosen.table is None else Table(store, chosen.table, chosen.regions, config)
    frame = Frame(store, chosen.anchors, partial(um_per_unit, store, table, config))
    return Opened(store, chosen, table, frame)


def find_bundle(path: Path, config: DatasetSpec) -> Bundle:
    """Return what is in the store at `path`; raises ``DataError`` when it is none."""
    found = opened(path, config)
    store, chosen, table, frame = found.store, found.chosen, found.table, found.frame
    outlines = outlines_of(store, chosen)
    image = None if config.image is not None else image_of(store, frame)
    further = [element for elements in outlines.values() for element in elements]
    technology, resolution = technology_of(store, chosen)
    used = [element for element in (chosen.table, image) if element is not None]
    return Bundle(
        slide_id=path.name.removesuffix(".zarr"),
        files=store.files(*used, *chosen.regions, *chosen.points, *further),
        transcripts=partial(_transcripts, store, frame, chosen, table) if chosen.points else None,
        cells=None if table is None else partial(table.cells, frame),
        genes=None if table is None else table.genes,
        segmentations={
            kind: _segmentation(store, frame, elements, kind, table)  # type: ignore[arg-type]  # the kinds
            for kind, elements in outlines.items()
        },
        image=None if image is None else partial(open_image, store, frame, image),
        technology=technology,
        resolution=resolution,
        alignment=partial(_aligned, store, frame) if "Xenium" in (technology, config.technology) else None,
    )


def _aligned(store: Store, frame: Frame, path: Path) -> NDArray[np.float64]:
    """Return the map from um to pixels of an H&E that is aligned to the morphology image of the store."""
    return of_explorer(path, morphology_um(store, frame))


def _transcripts(store: Store, frame: Frame, chosen: Chosen, table: Table | None) -> Any:
    """Open the transcripts, with the names that units have for the cells that they name."""
    regions = {stem(region): region for region in chosen.regions}
    several = len(chosen.points) > 1

    def names(element: str) -> Callable[[], Mapping[str, str]]:
        if table is None:
            return dict
        region = regions.get(stem(element)) if several else None
        return partial(table.names_of, keys_of(store, element).get("instance_key"), region, by_id=True)

    known = frozenset[object]() if table is None else KnownCells(table.instances)
    return open_points(store, frame, {element: names(element) for element in chosen.points}, known)


def _segmentation(
    store: Store, frame: Frame, elements: tuple[str, ...], kind: Kind, table: Table | None
) -> Segmentation:
    parts: list[Segmentation] = []
    for element in elements:
        names: Callable[[], Mapping[str, str]] = dict
        if table is not None and element in table.regions:
            names = partial(table.names_of, None, element, by_id=True)
        elif table is not None and kind == "cell":
            column = index_name(store, element) if kind_of(element) == "shapes" else last(element)
            names = partial(table.names_of, column)
        if kind_of(element) == "labels":
            parts.append(Labels(store, frame, element, kind, names))
            continue
        cells = dict if table is None else partial(table.names_of, CELL)
        parts.append(Shapes(store, frame, element, kind, names, cells))
    return parts[0] if len(parts) == 1 else Several(parts, kind)


class Several:
    """Outlines in several elements of one kind; where they overlap, the later one is seen."""

    def __init__(self, parts: Sequence[Segmentation], kind: Kind) -> None:
        self._parts = parts
        self.kind: Kind = kind

    @property
    def names(self) -> NDArray[np.str_]:
        """Names of the instances, those of the first element first."""
        return np.concatenate([part.names for part in self._parts])

    @property
    def owners(self) -> NDArray[np.str_]:
        """The cell that each instance is or lies in."""
        return np.concatenate([part.owners for part in self._parts])

    @property
    def notes(self) -> Mapping[str, int]:
        """What was counted in all elements together."""
        return dict(sum((Counter(part.notes) for part in self._parts), Counter()))

    def __copy__(self) -> Several:
        return Several([copy(part) for part in self._parts], self.kind)

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image of a window."""
        image, before = blank(um_per_px, window_um), 0
        for part in self._parts:
            drawn = part.labels(um_per_px, window_um)
            np.copyto(image, drawn + before, where=drawn > 0)
            before += len(part.names)
        return image
