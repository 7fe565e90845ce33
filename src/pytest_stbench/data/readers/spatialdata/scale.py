"""The unit of a store's coordinate system: what is declared, and what the store itself says.

It is told by

- the unit of the axes of the system, or a system that is called like a unit (``microns``);
- shapes and points of Xenium and MERSCOPE, which are in um before they are mapped to pixels;
- bins of Visium HD, whose elements are named by their side (``square_008um``);
- the lattice of Visium, 100 um, by ``array_row`` and ``array_col`` of its spots: circles of one
  radius that fits it;
- Stereo-seq's ``resolution`` (nm).

Whose store it is stands at its top (spatialdata-io from 0.7 on); in others it is told by the
columns of the points and by the names of the shapes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.readers.annotations import EXACT, positive_number
from pytest_stbench.data.readers.imaging.tables import columns_of
from pytest_stbench.data.readers.spatialdata.choice import BINS
from pytest_stbench.data.readers.spatialdata.points import point_files
from pytest_stbench.data.readers.spatialdata.shapes import is_circles, read_shapes
from pytest_stbench.data.readers.spatialdata.store import kind_of, last
from pytest_stbench.data.readers.units import KEYS, SPOT_UM, VISIUM_PITCH_UM, UnitSize, contradiction
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.grid_fit import MAX_RESIDUAL, grid_fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.spatialdata.choice import Chosen
    from pytest_stbench.data.readers.spatialdata.frame import Frame
    from pytest_stbench.data.readers.spatialdata.store import Store
    from pytest_stbench.data.readers.spatialdata.table import Table
    from pytest_stbench.spec.model import DatasetSpec

    Floats = NDArray[np.float64]

MAX_STRETCH = 1.1
"""Ratio of the scales in two directions above which an array is not that of Visium."""

CELLS = re.compile(r"(cell|nucleus)_segmentations$")

_COLUMNS = {
    "xenium": frozenset({"transcript_id", "overlaps_nucleus", "qv"}),
    "merscope": frozenset({"barcode_id", "transcript_id", "gene", "fov"}),
    "cosmx": frozenset({"x_global_px", "CellComp", "target"}),
}
"""Columns of points by which the vendor is known where the store does not say it."""

_UM = {
    "xenium": ("transcripts", "cell_boundaries", "nucleus_boundaries", "cell_circles"),
    "merscope": ("_transcripts", "_polygons"),
}
"""How elements are called that are in um before any transformation."""

_TECHNOLOGY = {
    "xenium": ("Xenium", "cell"), "merscope": ("MERSCOPE", "cell"), "cosmx": ("CosMx", "cell"),
    "visium": ("Visium", "spot"), "stereoseq": ("Stereo-seq", "cell"), "seqfish": ("seqFISH", "cell"),
}  # fmt: skip


def um_per_unit(store: Store, table: Table | None, config: DatasetSpec, frame: Frame) -> UnitSize:
    """Return the unit of the coordinate system: the declared one, else what the store says.

    Raises ``DataError`` where neither is there, or two of them differ by more than 5 %.
    """
    declared = [] if config.scale is None else [UnitSize(float(config.scale.um_per_px), "`scale`")]
    said = [*declared, *evidence(store, table, frame)]
    if not said:
        what = f"coordinate system {frame.system!r} has"
        if table is not None and not table.regions:
            what = f"places in obsm[{config.keys.spatial!r}] have"
        raise DataError(
            f"{store.path}: {what} no unit of length, and nothing in the store tells it: write `scale: "
            "UM_PER_UNIT` (where it is pixels, um per pixel of the image that they are counted in)"
        )
    if apart := contradiction(said):
        low, high = apart
        raise DataError(
            f"{store.path}: a unit of coordinate system {frame.system!r} is {low.um:.4g} um by {low.where} "
            f"and {high.um:.4g} um by {high.where}: correct `scale`, name another system by `params: "
            "{coordinates: NAME}`, or correct the store"
        )
    return said[0]


def evidence(store: Store, table: Table | None, frame: Frame) -> Iterator[UnitSize]:
    """Yield every size of the unit that the store tells."""
    if table is None or table.regions or store.elements("points"):
        yield from _by_axes(store, frame)
    vendor = vendor_of(store)
    if vendor in _UM:
        yield from _by_um(store, frame, _UM[vendor])
    yield from _by_bins(store, frame)
    if table is not None and not table.regions:
        yield from _by_uns(table)
    if table is not None:
        yield from _by_lattice(store, table, frame)
        if vendor == "stereoseq":
            yield from _by_resolution(table)


def vendor_of(store: Store) -> str | None:
    """Return the reader that made the store, else the vendor that its elements are like."""
    if store.reader is not None:
        return store.reader
    for element in store.elements("points"):
        there = set(columns_of(point_files(store, element)[0]))
        for vendor, columns in _COLUMNS.items():
            if columns <= there:
                return vendor
    if any(BINS.search(element) for element in store.elements("shapes", "labels")):
        return "visium_hd"
    return None


def technology_of(store: Store, chosen: Chosen) -> tuple[str | None, str | None]:
    """Return technology and resolution as the store says them, None for what it does not."""
    vendor = vendor_of(store)
    if vendor == "visium_hd":
        units = [last(region) for region in chosen.regions]
        cells = any(CELLS.search(name) for name in units)
        return "Visium HD", "cell" if cells else "bin"
    return _TECHNOLOGY.get(str(vendor), (None, None))


def _by_axes(store: Store, frame: Frame) -> Iterator[UnitSize]:
    for element in store.elements("shapes", "points", "labels"):
        if frame.has(element):
            um = frame.unit(element)
            if um is not None:
                yield UnitSize(um, f"the unit of the axes of {element}")
            return


def _by_um(store: Store, frame: Frame, names: tuple[str, ...]) -> Iterator[UnitSize]:
    for element in store.elements("points", "shapes"):
        if last(element).endswith(names) and frame.has(element):
            pixels = np.sqrt(abs(np.linalg.det(frame.raw(element)[:2, :2])))
            yield UnitSize(float(1 / pixels), f"the transformation of {element}, which is in um")
            return


def _by_bins(store: Store, frame: Frame) -> Iterator[UnitSize]:
    for element in store.elements("shapes", "labels"):
        named = BINS.search(last(element))
        if named is None or not frame.has(element):
            continue
        side = np.median(_sides(store, element)) if kind_of(element) == "shapes" else 1.0
        size = side * np.sqrt(abs(np.linalg.det(frame.raw(element)[:2, :2])))
        if np.isfinite(size) and size > 0:
            yield UnitSize(float(int(named[1]) / size), f"the side of the bins {element}")
            return


def _sides(store: Store, element: str) -> Floats:
    """Return the sides of square bins, which may be drawn as circles, in units of the file."""
    found = read_shapes(store, element)
    if found.radius is not None:
        return 2 * found.radius
    import shapely

    return np.asarray(np.sqrt(shapely.area(found.shapes)), dtype=np.float64)


def _by_lattice(store: Store, table: Table, frame: Frame) -> Iterator[UnitSize]:
    """Spots of Visium: circles of one radius on its lattice, whose pitch they fit."""
    circles = [region for region in table.regions if kind_of(region) == "shapes"]
    if len(circles) != 1 or BINS.search(last(circles[0])) or not is_circles(store, circles[0]):
        return
    found = table.lattice(frame)
    if found is None:
        return
    index, xy = found
    fit = None if (index.sum(axis=1) % 2 == 1).any() else grid_fit(xy, index, hexagonal=True)
    radius = read_shapes(store, circles[0]).radius
    if fit is None or fit.residual > MAX_RESIDUAL or fit.stretch > MAX_STRETCH:
        return
    if radius is None or np.ptp(radius) > EXACT * radius.max():
        return
    diameter = 2 * radius.mean() * np.sqrt(abs(np.linalg.det(frame.raw(circles[0])[:2, :2])))
    drawn = VISIUM_PITCH_UM * diameter / fit.pitch
    if min(abs(drawn / um - 1) for um in SPOT_UM) <= EXACT:
        yield UnitSize(
            VISIUM_PITCH_UM / fit.pitch,
            f"the pitch of {last(circles[0])!r}, {VISIUM_PITCH_UM:g} um by array_row and array_col",
        )


def _by_uns(table: Table) -> Iterator[UnitSize]:
    """Sizes that an AnnData says exactly, as the reader of h5ad files takes them."""
    for key in KEYS:
        um = positive_number(table.uns(key))
        if um is not None:
            yield UnitSize(um, f"uns[{key!r}]")
    libraries: Any = table.uns("spatial")
    for name, library in libraries.items() if isinstance(libraries, dict) else ():
        factors = library.get("scalefactors") if isinstance(library, dict) else None
        um = positive_number(factors.get("microns_per_pixel")) if isinstance(factors, dict) else None
        if um is not None:
            yield UnitSize(um, f"microns_per_pixel of library {name!r}")


def _by_resolution(table: Table) -> Iterator[UnitSize]:
    attributes: Any = table.uns("cellBin_attrs") or {}
    nm = positive_number(attributes.get("resolution"))
    if nm is not None:
        yield UnitSize(nm / 1000, f"uns['cellBin_attrs']['resolution'], {nm:g} nm")
