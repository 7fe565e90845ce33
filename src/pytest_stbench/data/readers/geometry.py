"""Coordinates and images of the slides of h5ad files, in micrometres and pixels."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.readers import hdf5, units
from pytest_stbench.data.readers.annotations import entries_of, matrix, ordered
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.data.wording import absent, listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.hdf5 import Rows
    from pytest_stbench.data.technology import Lattice
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

# Names of x and of y without case and punctuation, most telling first: pixels before grid indices.
_PAIRS = (
    (r"pxlcol(.*)", r"pxlrow\1"),
    (r"imagecol(.*)", r"imagerow\1"),
    (r"pixelx", r"pixely"),
    (r"xpixel", r"ypixel"),
    (r"xpx", r"ypx"),
    (r"xum", r"yum"),
    (r"xcentroid", r"ycentroid"),
    (r"centroidx", r"centroidy"),
    (r"xlocation", r"ylocation"),
    (r"centerxglobalpx", r"centeryglobalpx"),
    (r"xglobalpx", r"yglobalpx"),
    (r"centerx", r"centery"),
    (r"globalx", r"globaly"),
    (r"spatialx", r"spatialy"),
    (r"xcoord(inate)?", r"ycoord\1"),
    (r"coordx", r"coordy"),
    (r"x", r"y"),
)
_GRID = ((r"arraycol", r"arrayrow"), (r"col(umn)?", r"row"))


def axes_of(names: Sequence[str], *, grid: bool = False) -> tuple[str, str] | None:
    """Return the names of x and y among `names`, whatever their order; None where no pair is known.

    x is counted along the columns of an image (``pxl_col_in_fullres``, ``imagecol``), y along its
    rows. With `grid`, rows and columns of an array are known too, after everything else.
    """
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(re.sub(r"[^a-z0-9]", "", name.casefold()), name)
    for x, y in (*_PAIRS, *(_GRID if grid else ())):
        for bare, name in plain.items():
            found = re.fullmatch(x, bare)
            other = None if found is None else plain.get(found.expand(y) if "\\" in y else y)
            if other is not None:
                return name, other
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Geometry:
    """Where the units of a slide are; ``array_index`` only where the file's indices are whole.

    ``notes`` says where the file contradicts the scale that is used, see
    :func:`~pytest_stbench.data.readers.units.scaled`.
    """

    xy_um: NDArray[np.float64]
    array_index: NDArray[np.int64] | None
    pitch_um: float | None
    fractional_index: int
    notes: dict[str, int]


def coordinates(
    file: h5py.File,
    path: Path,
    config: DatasetSpec,
    sample: Sample,
    rows: Rows,
    n_units: int,
) -> Geometry:
    """Return the coordinates of the units in um.

    The columns ``keys.x`` and ``keys.y`` of ``obs``, else ``obsm[keys.spatial]``, times the scale
    (without `scale` they are in um already). Where ``keys.spatial`` is null, or the file has no such
    entry, array indices ``keys.array_row`` and ``keys.array_col`` times the pitch of the technology.

    Raises
    ------
    DataError
        No coordinates, not two columns of numbers, a scale that is not a positive number, array
        indices of a technology without a known lattice.
    """
    keys = config.keys
    lattice = lattice_of(sample.technology, sample.resolution, config.pitch_um)
    index = None
    if keys.array_row is not None and keys.array_col is not None:
        named = "keys.array_row, keys.array_col"
        axes = [numbers_of(file, path, column, named) for column in (keys.array_row, keys.array_col)]
        index = np.column_stack(axes)[rows]
    pitch, notes = config.pitch_um, {}
    if _by_index(file, config, index):
        if index is None:
            message = f"{path}: keys.spatial is null: name array indices by keys.array_row and keys.array_col"
            raise DataError(message)
        xy = _from_index(index, lattice, path, sample)
    else:
        xy = places_of(file, path, config, n_units)[rows]
        scaled = units.scaled(file, path, config.scale, sample.slide, xy, index, lattice, rows)
        xy, notes = xy * scaled.um, scaled.notes
        pitch = pitch or scaled.pitch_um
    fractional = 0
    if index is not None:
        fractional = int((~np.isfinite(index) | (index != np.rint(index))).any(axis=1).sum())
    return Geometry(
        xy_um=xy,
        array_index=None if index is None or fractional else index.astype(np.int64),
        pitch_um=pitch or (None if lattice is None else lattice.pitch_um),
        fractional_index=fractional,
        notes=notes,
    )


def _by_index(file: h5py.File, config: DatasetSpec, index: NDArray[np.float64] | None) -> bool:
    keys = config.keys
    if keys.x is not None:
        return False
    if keys.spatial is None:
        return True
    explicit = "spatial" in keys.model_fields_set
    return index is not None and not explicit and keys.spatial not in entries_of(file)


def places_of(file: h5py.File, path: Path, config: DatasetSpec, n_units: int) -> NDArray[np.float64]:
    """Return x and y of all units of the file, (n, 2), in its own unit.

    Raises ``DataError`` where they are not there or are no numbers.
    """
    keys = config.keys
    if keys.x is not None and keys.y is not None:
        axes = [numbers_of(file, path, column, "keys.x, keys.y") for column in (keys.x, keys.y)]
        return np.column_stack(axes)
    assert keys.spatial is not None  # array indices are used else
    return entry_of(file, path, "keys.spatial", keys.spatial, n_units)


def image_of(
    file: h5py.File,
    path: Path,
    config: DatasetSpec,
    image: Path | None,
    rows: Rows,
    n_units: int,
) -> tuple[Image | None, NDArray[np.float64] | None]:
    """Return the slide's image and the units' coordinates in its pixels, or (None, None).

    Raises ``DataError`` when the image is declared and its file, scale or coordinates are not
    usable.
    """
    if config.image is None or image is None:
        return None, None
    said = config.image.um_per_px
    scale = None if said is None else units.um_of(file, path, "image.um_per_px", said)
    xy_px = entry_of(file, path, "image.spatial", config.image.spatial, n_units)[rows]
    return Image.declared(image, config.image, scale), xy_px


def entry_of(file: h5py.File, path: Path, key: str, name: str, n_units: int) -> NDArray[np.float64]:
    """Return x and y of ``obsm[name]``, (n, 2), in this order whatever that of a data frame's columns.

    Raises ``DataError`` naming `key` where the entry is not there or holds no two columns of numbers.
    """
    obsm = entries_of(file)
    if name not in obsm:
        message = f"{path}: obsm has no {name!r} ({key}); obsm has {listing(obsm)}{nearest(name, obsm)}"
        raise DataError(message)
    node = obsm[name]
    if "column-order" in getattr(node, "attrs", {}):
        columns = ordered(node)
        axes = axes_of(columns, grid=True)
        if axes is None and len(columns) != 2:
            raise DataError(
                f"{path}: obsm[{name!r}] ({key}) has the columns {listing(columns)}: none of them are known "
                "as x and y; name two of them x and y"
            )
        values = matrix(node, axes)
    else:
        values = matrix(node)
    if values.ndim != 2 or values.shape != (n_units, 2) or values.dtype.kind not in "iuf":
        raise DataError(
            f"{path}: obsm[{name!r}] ({key}) must hold x and y of {n_units} units, shape ({n_units}, 2); "
            f"found {values.dtype} of shape {values.shape}"
        )
    return np.array(values, dtype=np.float64)


def numbers_of(file: h5py.File, path: Path, name: str, key: str) -> NDArray[np.float64]:
    """Return a column of ``obs`` that holds numbers, (n,). Raises ``DataError`` naming `key`."""
    there = hdf5.columns(file["obs"])
    if name not in there:
        raise DataError(absent(f"{path}: obs", name, key, there))
    try:
        return hdf5.numbers(file["obs"], name)
    except ValueError as error:
        what = "array indices" if "array" in key else "coordinates"
        raise DataError(f"{path}: obs[{name!r}] holds {what}, so numbers; {error}") from error


def _from_index(
    index: NDArray[np.float64], lattice: Lattice | None, path: Path, sample: Sample
) -> NDArray[np.float64]:
    if lattice is None:
        raise DataError(
            f"{path}: no coordinates in um can be made from array indices: the lattice of technology "
            f"{sample.technology!r} is not known; set keys.spatial and scale, or technology to ST, Visium or "
            "Visium HD"
        )
    row, col = index[:, 0], index[:, 1]
    if lattice.kind == "square":
        return np.column_stack([col, row]) * lattice.pitch_um
    if ((row + col) % 2 == 1).any():
        raise DataError(
            f"{path}: array row + column must be even on a hexagonal lattice (Visium's numbering, "
            "columns count half pitches); set keys.spatial and scale instead"
        )
    return np.column_stack([col * 0.5, row * math.sqrt(0.75)]) * lattice.pitch_um
