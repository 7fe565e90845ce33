"""Coordinates and images of the slides of h5ad files, in micrometres and pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

    from pytest_stbench.data.technology import Lattice
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Geometry:
    """Where the units of a slide are; ``array_index`` only where the file's indices are whole."""

    xy_um: NDArray[np.float64]
    array_index: NDArray[np.int64] | None
    pitch_um: float | None
    fractional_index: int


def coordinates(
    file: h5py.File,
    path: Path,
    config: DatasetSpec,
    sample: Sample,
    rows: NDArray[np.intp] | None,
    n_units: int,
) -> Geometry:
    """Return the coordinates of the units in um.

    ``obsm[keys.spatial]`` times ``scale.um_per_px`` (without `scale` it is in um already). Where
    the file has no such entry and ``keys.array_row`` and ``keys.array_col`` are declared, array
    indices times the pitch of the technology.

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
        axes = [_numbers(file, path, keys.array_row), _numbers(file, path, keys.array_col)]
        index = np.column_stack(axes)
        index = index if rows is None else index[rows]
    explicit = "spatial" in keys.model_fields_set
    if index is not None and not explicit and keys.spatial not in file.get("obsm", {}):
        xy = _from_index(index, lattice, path, sample)
    else:
        xy = _pixels(file, path, "keys.spatial", keys.spatial, rows, n_units)
        if config.scale is not None:
            xy = xy * _um_per_px(file, path, "scale.um_per_px", config.scale.um_per_px)
    fractional = 0
    if index is not None:
        fractional = int((~np.isfinite(index) | (index != np.rint(index))).any(axis=1).sum())
    return Geometry(
        xy_um=xy,
        array_index=None if index is None or fractional else index.astype(np.int64),
        pitch_um=config.pitch_um if lattice is None else lattice.pitch_um,
        fractional_index=fractional,
    )


def image_of(
    file: h5py.File,
    path: Path,
    config: DatasetSpec,
    image: Path | None,
    rows: NDArray[np.intp] | None,
    n_units: int,
) -> tuple[Image | None, NDArray[np.float64] | None]:
    """Return the slide's image and the units' coordinates in its pixels, or (None, None).

    Raises ``DataError`` when the image is declared and its file, scale or coordinates are not
    usable.
    """
    if config.image is None or image is None:
        return None, None
    scale = _um_per_px(file, path, "image.um_per_px", config.image.um_per_px)
    xy_px = _pixels(file, path, "image.spatial", config.image.spatial, rows, n_units)
    found = Image(image, mpp=scale, target_mpp=config.image.mpp)
    found.check()
    return found, xy_px


def _pixels(
    file: h5py.File, path: Path, key: str, name: str, rows: NDArray[np.intp] | None, n_units: int
) -> NDArray[np.float64]:
    obsm = file.get("obsm", {})
    there = obsm.dtype.names if hasattr(obsm, "dtype") else tuple(obsm)
    if name not in there:
        message = f"{path}: obsm has no {name!r} ({key}); obsm has {listing(there)}{nearest(name, there)}"
        raise DataError(message)
    values = obsm.fields(name)[()] if hasattr(obsm, "fields") else hdf5.matrix(obsm[name])
    if values.ndim != 2 or values.shape != (n_units, 2) or values.dtype.kind not in "iuf":
        message = (
            f"{path}: obsm[{name!r}] ({key}) must hold x and y of {n_units} units, shape ({n_units}, 2); "
            f"found {values.dtype} of shape {values.shape}"
        )
        raise DataError(message)
    return np.array(values if rows is None else values[rows], dtype=np.float64)


def _um_per_px(file: h5py.File, path: Path, key: str, scale: float | str) -> float:
    if isinstance(scale, str):
        place = scale.removeprefix("uns:")
        try:
            value = hdf5.number(file, place)
        except hdf5.MissingKey as error:
            message = (
                f"{path}: uns has no {place!r} ({key}: no {error.key!r}); "
                f"there is {listing(error.known)}{nearest(error.key, error.known)}"
            )
            raise DataError(message) from error
        except ValueError as error:
            message = f"{path}: uns:{place} ({key}) must be one number; it is {error}"
            raise DataError(message) from error
    else:
        value = float(scale)
    if not math.isfinite(value) or value <= 0:
        message = f"{path}: {key} is {value:g}; um per pixel must be a positive number"
        raise DataError(message)
    return value


def _numbers(file: h5py.File, path: Path, name: str) -> NDArray[np.float64]:
    there = hdf5.columns(file["obs"])
    if name not in there:
        message = (
            f"{path}: obs has no column {name!r} (keys.array_row, keys.array_col); "
            f"its columns are {listing(there)}{nearest(name, there)}"
        )
        raise DataError(message)
    names, codes = hdf5.categories(file["obs"], name)
    try:
        values = np.array([*map(float, names), np.nan])
    except ValueError as error:
        message = f"{path}: obs[{name!r}] holds array indices, so numbers; {error}"
        raise DataError(message) from error
    taken: NDArray[np.float64] = values[codes]
    return taken


def _from_index(
    index: NDArray[np.float64], lattice: Lattice | None, path: Path, sample: Sample
) -> NDArray[np.float64]:
    if lattice is None:
        message = (
            f"{path}: no coordinates in um can be made from array indices: the lattice of technology "
            f"{sample.technology!r} is not known; set keys.spatial and scale, or technology to ST, Visium or "
            "Visium HD"
        )
        raise DataError(message)
    row, col = index[:, 0], index[:, 1]
    if lattice.kind == "square":
        return np.column_stack([col, row]) * lattice.pitch_um
    if ((row + col) % 2 == 1).any():
        message = (
            f"{path}: array row + column must be even on a hexagonal lattice (Visium's numbering, "
            "columns count half pitches); set keys.spatial and scale instead"
        )
        raise DataError(message)
    return np.column_stack([col * 0.5, row * math.sqrt(0.75)]) * lattice.pitch_um
