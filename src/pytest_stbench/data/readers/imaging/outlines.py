"""Outlines of cells and nuclei: polygons in tables, or an image of labels."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_stbench.data.rasterise import blank, bounds_of, rasterise
from pytest_stbench.data.readers.imaging.tables import columns_of, text, whole
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Kind = Literal["cell", "nucleus"]

VERTICES = (
    ("cell_id", "vertex_x", "vertex_y"),
    ("cellID", "x_global_px", "y_global_px"),
    ("cell_ID", "x_global_px", "y_global_px"),
)
"""Columns of one vertex a row: Xenium and plain tables, CosMx."""

GEOMETRY = ("EntityID", "Geometry")
"""Columns of one outline a row, in well-known binary: MERSCOPE."""


class Polygons:
    """Polygons of one kind; a :class:`~pytest_stbench.data.segmentation.Segmentation`.

    Open rings are closed. ``unusable`` counts outlines of fewer than three different vertices or
    with coordinates that are not finite: they cover nothing. Where outlines overlap, the
    smaller one lies above, so that a cell within another is seen.
    """

    def __init__(self, path: Path, kind: Kind, um_per_px: float = 1.0) -> None:
        self.path = path
        self.kind: Kind = kind
        self._um_per_px = um_per_px

    @property
    def names(self) -> NDArray[np.str_]:
        """Names of the instances, in the order of the file."""
        return self._read[0]

    @property
    def unusable(self) -> int:
        """Number of outlines that cover nothing."""
        return self._read[2]

    @cached_property
    def _read(self) -> tuple[NDArray[np.str_], list[NDArray[np.float64]], int]:
        there = columns_of(self.path)
        for identifier, x, y in VERTICES:
            if {identifier, x, y} <= set(there):
                fov = ["fov"] if "fov" in there and identifier != "cell_id" else []
                table = whole(self.path, [*fov, identifier, x, y])
                names = text(table[identifier])
                if fov:
                    names = [f"{f}_{name}" for f, name in zip(text(table["fov"]), names, strict=True)]
                xy = table[[x, y]].to_numpy(np.float64) * self._um_per_px
                return _checked(*_rings(names, xy))
        if set(GEOMETRY) <= set(there):
            table = whole(self.path, GEOMETRY)
            return _checked(
                np.array(text(table["EntityID"]), dtype=np.str_), from_wkb(table["Geometry"], self.path)
            )
        message = (
            f"{self.path}: no outlines found: one vertex a row needs the columns "
            f"{' or '.join(', '.join(names) for names in VERTICES)}; the table has {listing(there)}"
        )
        raise DataError(message)

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image of a window; a pixel belongs to the outline around its centre."""
        return rasterise(self._read[1], um_per_px, window_um, bounds_um=self._bounds)

    @cached_property
    def _bounds(self) -> NDArray[np.float64]:
        return bounds_of(self._read[1])


class LabelImage:
    """An image whose pixels name the instance they belong to; 0 is background."""

    def __init__(self, path: Path, kind: Kind, um_per_px: float | None = None) -> None:
        self.path = path
        self.kind: Kind = kind
        self._um_per_px = um_per_px

    @property
    def names(self) -> NDArray[np.str_]:
        """The labels of the image as text, ascending."""
        return np.array([str(label) for label in self._read[0]], dtype=np.str_)

    @cached_property
    def _read(self) -> tuple[NDArray[np.int64], NDArray[np.int32], float]:
        values, scale = _image(self.path)
        scale = self._um_per_px if scale is None else scale
        if scale is None or not scale > 0:
            message = (
                f"{self.path}: the size of a pixel is not known; write `scale: UM_PER_PX` in the task file"
            )
            raise DataError(message)
        return *numbered(values, self.path), float(scale)

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image of a window, each pixel that of the source under its centre."""
        _, source, scale = self._read
        image = blank(um_per_px, window_um)
        x = window_um[0] + (np.arange(image.shape[1]) + 0.5) * um_per_px
        y = window_um[1] + (np.arange(image.shape[0]) + 0.5) * um_per_px
        column, row = np.floor(x / scale).astype(np.intp), np.floor(y / scale).astype(np.intp)
        columns = np.flatnonzero((column >= 0) & (column < source.shape[1]))
        rows = np.flatnonzero((row >= 0) & (row < source.shape[0]))
        image[np.ix_(rows, columns)] = source[np.ix_(row[rows], column[columns])]
        return image


def numbered(values: NDArray[Any], path: Path) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the labels of an image, ascending, and the image with their places from 1; 0 stays 0.

    Raises ``DataError`` naming `path` where it has not two axes of whole numbers.
    """
    if values.ndim != 2 or values.dtype.kind not in "iu":
        found = f"{values.dtype} of shape {values.shape}"
        message = f"{path}: a label image has two axes of whole numbers, found {found}"
        raise DataError(message)
    levels, place = np.unique(values, return_inverse=True)
    offset = 0 if len(levels) and levels[0] == 0 else 1
    return levels[levels != 0], (place.reshape(values.shape) + offset).astype(np.int32)


def _rings(
    names: Sequence[str], xy: NDArray[np.float64]
) -> tuple[NDArray[np.str_], list[NDArray[np.float64]]]:
    """Return the names in the order they come and the vertices of each."""
    place: dict[str, int] = {}
    codes = np.array([place.setdefault(name, len(place)) for name in names], dtype=np.intp)
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(1, len(place)))
    return np.array(list(place), dtype=np.str_), np.split(xy[order], ends) if place else []


def _checked(
    names: NDArray[np.str_], rings: list[NDArray[np.float64]]
) -> tuple[NDArray[np.str_], list[NDArray[np.float64]], int]:
    kept, unusable = usable_rings(rings)
    return names, kept, unusable


def usable_rings(rings: Sequence[NDArray[np.float64]]) -> tuple[list[NDArray[np.float64]], int]:
    """Return the rings, empty where they cover nothing, and how many do: see :class:`Polygons`."""
    usable = [len(np.unique(ring, axis=0)) >= 3 and bool(np.isfinite(ring).all()) for ring in rings]
    kept = [ring if good else np.empty((0, 2)) for ring, good in zip(rings, usable, strict=True)]
    return kept, usable.count(False)


def _image(path: Path) -> tuple[NDArray[Any], float | None]:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                scale = float(archive["um_per_px"]) if "um_per_px" in archive else None
                return archive["labels"], scale
        import PIL.Image

        with PIL.Image.open(path) as image:
            return np.asarray(image), None
    except (OSError, ValueError, KeyError, SyntaxError) as error:
        message = f"{path}: cannot be read as a label image (png, tif, or npz with `labels`): {error}"
        raise DataError(message) from error


def from_wkb(values: Iterable[object], path: Path) -> list[NDArray[np.float64]]:
    """Return the outer ring (vertices, 2) of each geometry in well-known binary, one vertex of a point.

    Raises ``DataError`` naming `path` where one is damaged or neither point nor polygon.
    """
    return [_from_wkb(value, path) for value in values]


def _from_wkb(value: object, path: Path) -> NDArray[np.float64]:
    """Return the outer ring of a polygon, or of the largest of several, in well-known binary."""
    raw = bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""
    try:
        rings, _ = _wkb(raw, 0)
        return max(rings, key=len)[:, :2] if rings else np.empty((0, 2))
    except (struct.error, IndexError, ValueError) as error:
        message = f"{path}: an outline is not well-known binary ({error})"
        raise DataError(message) from error


def _wkb(raw: bytes, start: int) -> tuple[list[NDArray[np.float64]], int]:
    order = "<" if raw[start] == 1 else ">"
    (kind,) = struct.unpack_from(f"{order}I", raw, start + 1)
    width = 3 if kind & 0x80000000 or 1000 < kind % 10000 < 3000 else 2
    base, place = kind & 0xFF if kind & 0x80000000 else kind % 1000, start + 5
    if base == 1:
        point = np.frombuffer(raw, f"{order}f8", width, place).reshape(1, width)
        return [point.astype(np.float64)], place + width * 8
    (count,) = struct.unpack_from(f"{order}I", raw, place)
    place += 4
    rings: list[NDArray[np.float64]] = []
    if base == 3:
        for ring in range(count):
            (points,) = struct.unpack_from(f"{order}I", raw, place)
            values = np.frombuffer(raw, f"{order}f8", points * width, place + 4).reshape(points, width)
            rings += [values.astype(np.float64)] if ring == 0 else []
            place += 4 + points * width * 8
    elif base in (6, 7):
        for _ in range(count):
            found, place = _wkb(raw, place)
            rings += found
    else:
        message = f"geometry type {base}, expected point, polygon or multipolygon"
        raise ValueError(message)
    return rings, place
