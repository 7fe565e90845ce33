"""Outlines of cells and nuclei: polygons in tables or GeoJSON, or an image of labels."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from zipfile import BadZipFile

import numpy as np

from pytest_stbench.data.readers.imaging.geometries import (
    GEOMETRY,
    is_geojson,
    read_geojson,
    read_geometries,
)
from pytest_stbench.data.readers.imaging.instances import CELLS, Instances, chosen, instances, keys_of
from pytest_stbench.data.readers.imaging.tables import columns_of, first_of, ids_of
from pytest_stbench.data.readers.imaging.vertices import PAIRS, places_in, read_vertices
from pytest_stbench.data.region import blank
from pytest_stbench.data.untrusted import refuse_hollow, refuse_hollow_zip
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.areas import Areas
    from pytest_stbench.data.readers.imaging.instances import Found

    Kind = Literal["cell", "nucleus"]


class Polygons:
    """Outlines of one kind in a file; a :class:`~pytest_stbench.data.slide.Segmentation`.

    An instance is a cell, or, where a key or a row of its own tells them apart, one of the nuclei of a
    cell. Its area is all of its parts without holes. Of outlines on several planes, the lowest plane
    that the instance has counts. Open rings are closed. Where outlines overlap, the smaller one lies
    above, so that a cell within another is seen.

    Parameters
    ----------
    path
        A table (``.parquet``, ``.csv``, ``.csv.gz``) of one vertex or one geometry a row, or GeoJSON.
    kind
        What is outlined.
    um_per_px
        Size of a unit of the coordinates.
    known
        Names of the cells, where a table lists them: see :func:`~pytest_stbench.data.naming.cells_of`.
    """

    def __init__(
        self, path: Path, kind: Kind, um_per_px: float = 1.0, known: Container[object] = frozenset()
    ) -> None:
        self.path = path
        self.kind: Kind = kind
        self._um_per_px = um_per_px
        self._known = known

    @property
    def names(self) -> NDArray[np.str_]:
        """Names of the instances, in the order of the file: of the cell, ``CELL:LABEL`` of several nuclei."""
        return self._read.names

    @property
    def owners(self) -> NDArray[np.str_]:
        """The cell that each instance is, or lies in."""
        return self._read.owners

    @property
    def areas(self) -> Areas:
        """What each instance covers, in um."""
        return self._read.areas

    @property
    def unusable(self) -> int:
        """Number of instances that cover nothing."""
        return int((self.areas.um2 == 0).sum())

    @property
    def notes(self) -> Mapping[str, int]:
        """What was counted: instances by plane at once, the rest as soon as the outlines were read."""
        return self._read.notes if "_read" in self.__dict__ else self._by_plane

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image of a window; a pixel belongs to the outline around its centre."""
        return self.areas.labels(um_per_px, window_um)

    @cached_property
    def _by_plane(self) -> Mapping[str, int]:
        try:
            if is_geojson(self.path) or keys_of(columns_of(self.path)).plane is None:
                return {}
            return chosen(self._found(), self.kind).notes
        except DataError:
            return {}  # it is raised where somebody asks for the outlines

    @cached_property
    def _read(self) -> Instances:
        found = self._found()
        return instances(found, chosen(found, self.kind), self.kind)

    def _found(self) -> Found:
        with ids_of(self.path):
            return read_outlines(self.path, self._um_per_px, self._known)


def read_outlines(path: Path, um_per_px: float, known: Container[object]) -> Found:
    """Return what a file of outlines holds. Raises ``DataError`` where nothing says where they are."""
    if is_geojson(path):
        return read_geojson(path, um_per_px, known)
    there = columns_of(path)
    keys, places, geometry = keys_of(there), places_in(there), first_of(GEOMETRY, there)
    if geometry is not None:
        return read_geometries(path, keys, geometry, um_per_px, known)
    if places is not None and keys.cell is not None:
        return read_vertices(path, keys, places, um_per_px, known)
    raise DataError(
        f"{path}: no outlines found: it needs one vertex a row, in {listing(PAIRS)}, with a column of the "
        f"cell ({listing(CELLS)}), or one geometry a row, in {listing(GEOMETRY)}; it has {listing(there)}"
    )


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

    @property
    def owners(self) -> NDArray[np.str_]:
        """The labels: the image says no more of cells."""
        return self.names

    @property
    def notes(self) -> Mapping[str, int]:
        """Nothing is left out of a label image."""
        return {}

    @cached_property
    def _read(self) -> tuple[NDArray[np.int64], NDArray[np.int32], float]:
        values, scale = _image(self.path)
        scale = self._um_per_px if scale is None else scale
        if scale is None or not scale > 0:
            raise DataError(
                f"{self.path}: the size of a pixel is not known; write `scale: UM_PER_PX` in the task file"
            )
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
    """Return the labels of an image, ascending, and the image with their places from 1.

    Background becomes 0: 0, negative numbers, and the largest of an unsigned type of 32 bits or more.
    Raises ``DataError`` naming `path` where the image has not two axes of whole numbers.
    """
    if values.ndim != 2 or values.dtype.kind not in "iu":
        found = f"{values.dtype} of shape {values.shape}"
        raise DataError(f"{path}: a label image has two axes of whole numbers, found {found}")
    levels, place = np.unique(values, return_inverse=True)
    named = levels > 0
    if values.dtype.kind == "u" and values.dtype.itemsize >= 4:
        named &= levels != np.iinfo(values.dtype).max
    number = np.where(named, np.cumsum(named), 0).astype(np.int32)
    return levels[named], number[place.reshape(values.shape)]


def _image(path: Path) -> tuple[NDArray[Any], float | None]:
    try:
        if path.suffix == ".npz":
            refuse_hollow_zip(path)
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                scale = float(archive["um_per_px"]) if "um_per_px" in archive else None
                return archive["labels"], scale
        import PIL.Image

        with PIL.Image.open(path) as image:
            # A whole number of up to 32 bits a pixel.
            refuse_hollow(
                path, f"the image {image.size}", 4 * image.width * image.height, path.stat().st_size
            )
            return np.asarray(image), None
    except (OSError, ValueError, KeyError, SyntaxError, TypeError, EOFError, BadZipFile) as error:
        message = f"{path}: cannot be read as a label image (png, tif, or npz with `labels`): {error}"
        raise DataError(message) from error
