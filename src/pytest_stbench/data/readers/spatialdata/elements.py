"""Elements of a store: points as transcripts, shapes and labels as outlines, images as H&E."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.rasterise import blank, bounds_of, rasterise
from pytest_stbench.data.readers.imaging.outlines import from_wkb, numbered, usable_rings
from pytest_stbench.data.readers.imaging.tables import columns_of, text, whole
from pytest_stbench.data.readers.spatialdata.store import readable
from pytest_stbench.data.readers.spatialdata.transforms import inverse, matrix_of, transformed
from pytest_stbench.data.readers.transcripts import TranscriptTable, columns_for
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.molecules import TranscriptBatch
    from pytest_stbench.data.readers.imaging.outlines import Kind
    from pytest_stbench.data.readers.spatialdata.store import Store

    Floats = NDArray[np.float64]

RGB = 3
WANTED_UM = 0.5
"""Patches are asked for at this many um per pixel by default: finer levels of an image are not read."""

MAX_STRETCH = 1.02
ROWS = 4096


class Points:
    """Points of a store, in um; :class:`~pytest_stbench.data.molecules.Transcripts`."""

    def __init__(self, parts: tuple[TranscriptTable, ...], matrix: Floats) -> None:
        self._parts = parts
        self._matrix = matrix

    @cached_property
    def features(self) -> NDArray[np.str_]:
        """Names of everything that was decoded, sorted."""
        return np.unique(np.concatenate([part.features for part in self._parts]))

    @cached_property
    def is_control(self) -> NDArray[np.bool_]:
        """Which of the features are controls."""
        marked = np.zeros(len(self.features), dtype=bool)
        for part in self._parts:
            marked[np.searchsorted(self.features, part.features[part.is_control])] = True
        return marked

    def batches(self, *, cells: bool = False) -> Iterator[TranscriptBatch]:
        """Yield all transcripts, a part of a file at a time."""
        for part in self._parts:
            place = np.searchsorted(self.features, part.features).astype(np.int32)
            for batch in part.batches(cells=cells):
                xy = transformed(self._matrix, np.column_stack([batch.x_um, batch.y_um]))
                yield replace(batch, x_um=xy[:, 0], y_um=xy[:, 1], feature=place[batch.feature])


def open_points(store: Store, element: str) -> Points:
    """Open the points of a store; the headers of its tables alone are read."""
    folder = store.path / element
    matrix, _ = store.placed(element)
    keys = store.attributes(element).get("spatialdata_attrs", {})
    feature = keys.get("feature_key")
    if feature is None:
        message = (
            f"{folder}: its attributes name no `feature_key`, so nobody knows which column is the gene; "
            "write it anew with PointsModel.parse(..., feature_key=...)"
        )
        raise DataError(message)
    paths = table_files(folder / "points.parquet")
    return Points(tuple(_table(path, feature, keys.get("instance_key")) for path in paths), matrix)


def _table(path: Path, feature: str, instance: str | None) -> TranscriptTable:
    there = columns_of(path)
    wanted = {"x": "x", "y": "y", "feature": feature}
    if instance in there:
        wanted["cell"] = str(instance)
    return TranscriptTable(path, replace(columns_for(path, there, wanted), fov=None), 1.0)


def table_files(path: Path) -> tuple[Path, ...]:
    """Return the parquet files of a table, a file or a folder of parts in the order of their numbers."""
    if path.is_file():
        return (path,)
    parts = sorted(path.glob("*.parquet"), key=lambda part: [int(n) for n in re.findall(r"\d+", part.name)])
    if not parts:
        message = f"{path}: no parquet file; the store is damaged or of an old format: write it anew"
        raise DataError(message)
    return tuple(parts)


class Shapes:
    """Polygons of a store, in um; a :class:`~pytest_stbench.data.segmentation.Segmentation`."""

    def __init__(self, store: Store, element: str, kind: Kind) -> None:
        self._store = store
        self._element = element
        self.kind: Kind = kind

    @property
    def names(self) -> NDArray[np.str_]:
        """Names of the instances, the index of the shapes."""
        return self._read[0]

    @cached_property
    def _read(self) -> tuple[NDArray[np.str_], list[Floats]]:
        names, rings, radius = read_shapes(self._store, self._element)
        if radius is not None:
            message = f"{self._store.path / self._element}: circles, which are spots and no outlines of cells"
            raise DataError(message)
        return names, rings

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image of a window; a pixel belongs to the outline around its centre."""
        return rasterise(self._read[1], um_per_px, window_um, bounds_um=self._bounds)

    @cached_property
    def _bounds(self) -> NDArray[np.float64]:
        return bounds_of(self._read[1])


def read_shapes(store: Store, element: str) -> tuple[NDArray[np.str_], list[Floats], Floats | None]:
    """Return names and rings in um; of circles their centres, with radii in units of the file."""
    folder = store.path / element
    (path,) = table_files(folder / "shapes.parquet")
    there = columns_of(path)
    if "geometry" not in there:
        message = f"{path}: no column 'geometry'; it has {listing(there)}: write the store anew"
        raise DataError(message)
    radius = "radius" in there
    # pandas brings the index, which names the instances, along
    table = whole(path, ["geometry", *(["radius"] if radius else [])])
    names = np.array(text(table.index), dtype=np.str_)
    matrix, _ = store.placed(element)
    rings = from_wkb(table["geometry"], path)
    rings = rings if radius else usable_rings(rings)[0]
    return (
        names,
        [transformed(matrix, ring) if len(ring) else ring for ring in rings],
        table["radius"].to_numpy(np.float64) if radius else None,
    )


def centroids(rings: list[Floats]) -> Floats:
    """Return the centroid of each ring, (n, 2): of the area, or the mean of points that span none."""
    found = np.full((len(rings), 2), np.nan)
    for place, ring in enumerate(rings):
        if not len(ring):
            continue
        # about the first vertex: areas of small rings far from the origin lose no digits
        points = ring - ring[0]
        following = np.roll(points, -1, axis=0)
        cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
        area = cross.sum()
        if abs(area) > np.finfo(np.float64).tiny:
            found[place] = ring[0] + ((points + following) * cross[:, None]).sum(axis=0) / (3 * area)
        else:
            found[place] = ring[0] + points.mean(axis=0)
    return found


class Labels:
    """A label image of a store; a :class:`~pytest_stbench.data.segmentation.Segmentation`."""

    def __init__(self, store: Store, element: str, kind: Kind) -> None:
        self._store = store
        self._element = element
        self.kind: Kind = kind

    @property
    def names(self) -> NDArray[np.str_]:
        """The labels of the image as text, ascending."""
        return np.array([str(label) for label in self._read[0]], dtype=np.str_)

    @cached_property
    def _read(self) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
        """Return labels, the place of each pixel's label in them from 1, and the map to um."""
        array, matrix = level_of(self._store, self._element)
        with readable(self._store.path / self._element):
            values = np.asarray(array[...])
        return *numbered(values, self._store.path / self._element), matrix

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image of a window, each pixel that of the source under its centre."""
        _, source, matrix = self._read
        back = inverse(matrix)
        image = blank(um_per_px, window_um)
        x = window_um[0] + (np.arange(image.shape[1]) + 0.5) * um_per_px
        for start in range(0, len(image), ROWS):
            y = window_um[1] + (np.arange(start, min(start + ROWS, len(image))) + 0.5) * um_per_px
            grid = np.stack([axis.ravel() for axis in np.meshgrid(x, y)], axis=1)
            column, row = np.floor(transformed(back, grid)).astype(np.intp).T
            inside = (column >= 0) & (column < source.shape[1]) & (row >= 0) & (row < source.shape[0])
            part = image[start : start + len(y)].reshape(-1)
            part[inside] = source[row[inside], column[inside]]
        return image

    def centroids(self) -> tuple[NDArray[np.str_], Floats]:
        """Return the names and the mean of the pixel centres of each label, in um."""
        _, source, matrix = self._read
        n = len(self.names)
        size = np.bincount(source.ravel(), minlength=n + 1)[1:]
        middle = np.empty((n, 2))
        for column, axis in enumerate((1, 0)):
            place = np.broadcast_to(
                (np.arange(source.shape[axis]) + 0.5).reshape((-1, 1) if axis == 0 else (1, -1)), source.shape
            )
            weights = np.bincount(source.ravel(), weights=place.ravel(), minlength=n + 1)[1:]
            middle[:, column] = weights / size
        return self.names, transformed(matrix, middle)


def level_of(store: Store, element: str, wanted_um: float = 0.0) -> tuple[Any, Floats]:
    """Return one level of a pyramid and the map (3, 3) of its pixels (x, y) to um.

    The coarsest whose pixels are not larger than `wanted_um`, else the finest.
    """
    attributes = store.attributes(element)
    matrix, _ = store.placed(element)
    group = store.group(element)
    with readable(store.path / element):
        scales = attributes["multiscales"][0]
        axes = [axis["name"] for axis in scales["axes"]]
        found = []
        for level in scales["datasets"]:
            to_um = matrix
            for transformation in reversed(level.get("coordinateTransformations", ())):
                to_um = to_um @ matrix_of(transformation, axes)
            found.append((level["path"], to_um))
        fine = [entry for entry in found if _pixel_um(entry[1]) <= wanted_um * (1 + 1e-6)]
        path, to_um = max(fine or found[:1], key=lambda entry: _pixel_um(entry[1]))
        return group[path], to_um


def _pixel_um(matrix: Floats) -> float:
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))


def is_rgb(store: Store, element: str) -> bool:
    """Tell whether an image says of itself that its channels are r, g and b."""
    channels: list[Mapping[str, Any]] = store.attributes(element).get("omero", {}).get("channels", [])
    return [str(channel.get("label")).casefold() for channel in channels] == ["r", "g", "b"]


def open_image(store: Store, element: str) -> tuple[Image, Floats]:
    """Return an image and the map (3, 3) from um to its pixels; its header alone is read.

    Raises ``DataError`` where it is not (3, y, x) uint8, or stretched more along one axis.
    """
    array, matrix = level_of(store, element, WANTED_UM)
    where = store.path / element
    if len(array.shape) != 3 or array.shape[0] != RGB or array.dtype != np.uint8:
        message = (
            f"{where}: an H&E image is (3, y, x) uint8, found {array.dtype} of shape {tuple(array.shape)}; "
            "name another by `params: {image: NAME}`"
        )
        raise DataError(message)
    long, short = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    if long > MAX_STRETCH * short:
        message = (
            f"{where}: its pixels are {long:.4g} by {short:.4g} um; models see square pixels: resample the "
            "image, or register it by rotation, shift and one scale"
        )
        raise DataError(message)
    image = Image(partial(_pixels, array, where), mpp=_pixel_um(matrix))
    return image, inverse(matrix)


def _pixels(array: Any, where: Path) -> NDArray[np.uint8]:
    with readable(where):
        return np.ascontiguousarray(np.moveaxis(np.asarray(array[...]), 0, -1))
