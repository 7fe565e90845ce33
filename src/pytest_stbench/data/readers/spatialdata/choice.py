"""Which elements of a store are the slide: what ``params`` names, else what there is only one of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_stbench.data.readers.spatialdata.images import is_rgb
from pytest_stbench.data.readers.spatialdata.points import keys_of, stem
from pytest_stbench.data.readers.spatialdata.shapes import is_circles
from pytest_stbench.data.readers.spatialdata.store import kind_of, last
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from pytest_stbench.data.readers.spatialdata.frame import Frame
    from pytest_stbench.data.readers.spatialdata.store import Store

PLACES = ("shapes", "labels", "points")
OUTLINES = ("shapes", "labels")
CELLS = ("cell_boundaries", "cell_labels")
"""What spatialdata-io calls outlines of cells, where the table annotates circles around them."""

BINS = re.compile(r"square_(\d{3})um(_labels)?$")
"""What spatialdata-io calls the bins of Visium HD, by their side in um."""

STAINED = frozenset({"cosmx"})
"""Readers of spatialdata-io whose images of three channels are composites of stains and no H&E."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The table, the elements of its units, and the transcripts of a slide; ``FOLDER/NAME`` each."""

    table: str | None
    regions: tuple[str, ...]
    points: tuple[str, ...]

    @property
    def anchors(self) -> tuple[str, ...]:
        """What the coordinate system is told by: the elements of the units, else the transcripts."""
        return self.regions or self.points


def choose(store: Store) -> Chosen:
    """Return what is read of a store. Raises ``DataError`` where there is a choice, or nothing to count."""
    table = store.only("table", "tables")
    regions = () if table is None else regions_of(store, table)
    points = points_of(store, regions)
    if table is None and not points:
        raise DataError(
            f"{store.path}: neither a table nor points with a feature_key: there is nothing to count; write "
            "the store with one of them"
        )
    return Chosen(table=table, regions=regions, points=points)


def annotated(store: Store, table: str) -> tuple[str, ...]:
    """Return the names of the elements that a table annotates."""
    found = store.attributes(table).get("region")
    return () if found is None else (found,) if isinstance(found, str) else tuple(map(str, found))


def regions_of(store: Store, table: str) -> tuple[str, ...]:
    """Return the elements that place the units of a table: those that are named, else the only one."""
    there = annotated(store, table)
    wanted = store.params.get("region")
    where = store.path / table
    names = there if wanted is None else tuple(n for n in there if fnmatchcase(n, str(wanted)))
    if wanted is not None and not names:
        raise DataError(
            f"{where}: params.region is {wanted!r}; the table annotates {listing(there)}"
            f"{nearest(str(wanted), there)}"
        )
    if wanted is None and len(names) > 1:
        raise DataError(
            f"{where}: annotates {len(names)} elements, {listing(names)}; write `params: {{region: "
            f"{names[0]}}}` where each is a slide (a data set takes one of them from each store), `params: "
            '{region: "*"}` where they lie beside each other on one'
        )
    by_name = {last(element): element for element in reversed(store.elements(*PLACES))}
    absent = [name for name in names if name not in by_name]
    if absent:
        raise DataError(
            f"{where}: annotates {listing(map(repr, absent))}, which the store has not; its shapes, labels "
            f"and points are {listing(by_name)}: nobody knows where the units lie; write the store with it, "
            "or let the table annotate another element (SpatialData.set_table_annotates_spatialelement)"
        )
    return tuple(by_name[name] for name in names)


def points_of(store: Store, regions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the points that are the transcripts: those that are named, else the only ones.

    Of several, those whose names go with the regions of the units.
    """
    named = store.named("points", "points")
    if named:
        return named
    found, settled = transcripts_of(store, regions)
    if not settled:
        raise DataError(store.several("points", "points", found))
    return found


def transcripts_of(store: Store, regions: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Return the points that have a feature, and whether there is no choice among them.

    There is none where each region of the units has points of its own, which alone are returned.
    """
    found = tuple(name for name in store.elements("points") if "feature_key" in keys_of(store, name))
    stems = {stem(region) for region in regions if stem(region)}
    beside = tuple(name for name in found if stem(name) in stems)
    if beside and len(beside) == len(regions):
        return beside, True
    return found, len(found) < 2


def outlines_of(store: Store, chosen: Chosen) -> dict[str, tuple[str, ...]]:
    """Return the elements that outline cells and nuclei, by what they outline.

    Those that are named, else the polygons or labels that the table annotates, or what bears the
    names of spatialdata-io; nuclei are what has `nucle` in its name, as shapes or labels like the
    cells where both are there.
    """
    found = {}
    for kind, param in (("cell", "cells"), ("nucleus", "nuclei")):
        named = store.named(param, *OUTLINES)
        if named:
            found[kind] = named
    there = store.elements(*OUTLINES)
    if "cell" not in found:
        cells = tuple(region for region in chosen.regions if _outlines(store, region))
        if not cells:
            cells = tuple(e for name in CELLS for e in there if last(e) == name and _outlines(store, e))[:1]
        if cells:
            found["cell"] = cells
    if "nucleus" not in found:
        nuclei = [e for e in there if "nucle" in last(e).casefold() and _outlines(store, e)]
        alike = [e for e in nuclei if "cell" in found and kind_of(e) == kind_of(found["cell"][0])]
        for nucleus in (alike or nuclei)[:1]:
            found["nucleus"] = (nucleus,)
    return found


def image_of(store: Store, frame: Frame) -> str | None:
    """Return the image that is named, else the only one in the system that says it is r, g, b."""
    named = store.named("image", "images")
    coloured = named or coloured_images(store, frame)
    if len(coloured) > 1:
        raise DataError(store.several("image", "images of r, g and b", coloured))
    return coloured[0] if coloured else None


def coloured_images(store: Store, frame: Frame) -> tuple[str, ...]:
    """Return the images in the coordinate system that say they are r, g and b."""
    if store.reader in STAINED:
        return ()
    there = store.elements("images")
    return tuple(image for image in there if is_rgb(store, image) and frame.has(image))


def _outlines(store: Store, element: str) -> bool:
    """Tell whether an element is labels or polygons, and no bins."""
    if BINS.search(last(element)):
        return False
    return kind_of(element) == "labels" or (kind_of(element) == "shapes" and not is_circles(store, element))
