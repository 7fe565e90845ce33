"""Images of a store: the levels of pyramids, H&E among them, and label images.

Label images are gone through tile by tile, and drawn from the part that a window shows.
"""

from __future__ import annotations

import gc
import math
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.encoded import on_white
from pytest_stbench.data.image import Image
from pytest_stbench.data.images.pyramid import MOST_TILE_BYTES, Stored
from pytest_stbench.data.readers.imaging.pictures import MAX_STRETCH, XENIUM_PIXEL_UM, side_of
from pytest_stbench.data.readers.spatialdata.frame import inverse, matrix_of, transformed
from pytest_stbench.data.readers.spatialdata.store import last, readable
from pytest_stbench.data.readers.spatialdata.zarr_pyramid import ZarrPyramid
from pytest_stbench.data.region import blank
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.label_sums import LabelSums, joined, label_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.imaging.outlines import Kind
    from pytest_stbench.data.readers.spatialdata.frame import Frame
    from pytest_stbench.data.readers.spatialdata.store import Store

    Floats = NDArray[np.float64]

MORPHOLOGY = ("morphology", "cell_labels", "nucleus_labels")
"""How elements begin whose pixels are those of Xenium's morphology image, the image itself first."""

COLOURS = (["r", "g", "b"], ["r", "g", "b", "a"])
WANTED_UM = 0.5
"""Patches are asked for at this many um per pixel by default: finer levels of an image are not read."""


def level_of(store: Store, element: str, largest: float = 0.0) -> tuple[Any, Floats]:
    """Return one level of a pyramid and the map (3, 3) of its pixels (x, y) to those of the element.

    The coarsest whose pixels are not larger than `largest` pixels of the element, else the finest.
    """
    group = store.group(element)
    with readable(store.path / element):
        found = levels_of(store, element)
        fine = [entry for entry in found if side_of(entry[1]) <= largest * (1 + 1e-6)]
        path, matrix = max(fine or found[:1], key=lambda entry: side_of(entry[1]))
        return group[path], matrix


def levels_of(store: Store, element: str) -> list[tuple[str, Floats]]:
    """Return the levels of a pyramid: names, and maps (3, 3) of their pixels to those of the element."""
    with readable(store.path / element):
        scales = store.attributes(element)["multiscales"][0]
        axes = [axis["name"] for axis in scales["axes"]]
        found = []
        for level in scales["datasets"]:
            matrix = np.eye(3)
            for transformation in reversed(level.get("coordinateTransformations", ())):
                matrix = matrix @ matrix_of(transformation, axes)
            found.append((level["path"], matrix))
        return found


def morphology_um(store: Store, frame: Frame) -> float:
    """Return the side in um of a pixel of Xenium's morphology image.

    It is told by the transformations of the image, else of the label images that lie on it; else it is
    the unit of the coordinate system, which counts these pixels. Of a system that is in um, and of no
    image, nothing is told: it is the usual size.
    """
    for name in MORPHOLOGY:
        for element in store.elements("images", "labels"):
            if last(element).startswith(name) and frame.has(element):
                return side_of(frame.to_um(element) @ level_of(store, element)[1])
    return XENIUM_PIXEL_UM if math.isclose(frame.um, 1) else frame.um


def is_rgb(store: Store, element: str) -> bool:
    """Tell whether an image says of itself that its channels are r, g and b."""
    return channels_of(store, element) in COLOURS


def channels_of(store: Store, element: str) -> list[str]:
    """Return the names of the channels of an image, in lower case; those of format 0.1 too."""
    attributes = store.attributes(element)
    said: Mapping[str, Any] = attributes.get("omero") or attributes.get("channels_metadata") or {}
    return [str(channel.get("label")).casefold() for channel in said.get("channels", ())]


def pixel_um(store: Store, frame: Frame, element: str) -> float:
    """Return um per pixel of the finest level of an image."""
    return side_of(frame.to_um(element) @ level_of(store, element)[1])


def open_image(store: Store, frame: Frame, element: str) -> tuple[Image, Floats]:
    """Return an image and the map (3, 3) from um to its pixels; its header alone is read.

    Raises ``DataError`` where it is not (3, y, x) uint8 (or r, g, b and alpha), or stretched more
    along one axis.
    """
    to_um = frame.to_um(element)
    array, own = level_of(store, element, WANTED_UM / side_of(to_um))
    matrix, where = to_um @ own, store.path / element
    shape = tuple(array.shape)
    if len(shape) != 3 or shape[0] not in (3, 4) or array.dtype != np.uint8:
        raise DataError(
            f"{where}: an H&E image is (3, y, x) uint8, found {array.dtype} of shape {shape}; name another "
            "by `params: {image: NAME}`"
        )
    if shape[0] == 4 and not is_rgb(store, element):
        raise DataError(
            f"{where}: four channels, {', '.join(channels_of(store, element))}, are no H&E image of r, g and "
            "b; name another by `params: {image: NAME}`"
        )
    long, short = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    if long > MAX_STRETCH * short:
        raise DataError(
            f"{where}: its pixels are {long:.4g} by {short:.4g} um; models see square pixels: resample the "
            "image, or register it by rotation, shift and one scale"
        )
    height, width = shape[1:]
    rows, columns = array.chunks[1:]
    if 3 * height * width > SMALL_BYTES and 3 * rows * columns <= MOST_TILE_BYTES:
        levels = _levels(store, element, own, (width, height))
        return Image(Stored(where, partial(ZarrPyramid, levels)), mpp=side_of(matrix)), inverse(matrix)
    image = Image(partial(_pixels, array, where), mpp=side_of(matrix))
    return image, inverse(matrix)


def _levels(store: Store, element: str, own: Floats, full: tuple[int, int]) -> tuple[tuple[str, float], ...]:
    """Return name and size of pixels of the level that is read, the first, and of those coarser than it."""
    group, base = store.group(element), side_of(own)
    found: list[tuple[str, float]] = []
    for path, matrix in levels_of(store, element):
        size = group[path].shape[-1], group[path].shape[-2]
        scale = side_of(matrix) / base
        fits = all(abs(side / scale - own) <= 1 for side, own in zip(full, size, strict=True))
        if math.isclose(scale, 1, rel_tol=1e-6):
            found.insert(0, (path, 1.0))
        elif scale > 1 and fits:
            found.append((path, scale))
    return tuple(found)


def _pixels(array: Any, where: Path) -> NDArray[np.uint8]:
    """Return the pixels as (H, W, 3); transparent parts become white."""
    with readable(where):
        found = np.moveaxis(np.asarray(array[...]), 0, -1)
    if found.shape[-1] == 3:
        return np.ascontiguousarray(found)
    import PIL.Image

    return on_white(PIL.Image.fromarray(np.ascontiguousarray(found)))


TILE = 1 << 20
"""Pixels that are read at once, but always whole chunks of the file."""

SMALL_BYTES = 32 << 20
"""Decoded bytes up to which an image is read whole."""

LARGE = 1 << 26
"""Pixels of a chunk above which it is read in :data:`STRIPS`: zarr decodes it whole each time and copies what
is asked for, so that this takes longer and 1 + 1 / STRIPS times the chunk instead of twice."""

STRIPS = 8

SIDE = 1024
"""Side in pixels of the parts of a window that are drawn one after the other."""


class Labels:
    """A label image of a store; a :class:`~pytest_stbench.data.slide.Segmentation`.

    Its full resolution is read. `names` gives those of labels that units call otherwise.
    """

    def __init__(
        self, store: Store, frame: Frame, element: str, kind: Kind, names: Callable[[], Mapping[str, str]]
    ) -> None:
        self._where = store.path / element
        self._store = store
        self._frame = frame
        self._element = element
        self._names = names
        self.kind: Kind = kind

    @cached_property
    def names(self) -> NDArray[np.str_]:
        """Names of the instances; their labels, ascending, are the order."""
        known = self._names()
        found = map(str, self.sums.labels.tolist())
        return np.array([known.get(label, label) for label in found], dtype=np.str_)

    @property
    def owners(self) -> NDArray[np.str_]:
        """The instances themselves: the image says no more of cells."""
        return self.names

    @property
    def notes(self) -> Mapping[str, int]:
        """Nothing is left out of a label image."""
        return {}

    @cached_property
    def sums(self) -> LabelSums:
        """Labels, sizes and places in pixels; the whole image is gone through once.

        Background is 0, negative numbers and the largest of an unsigned type of 32 bits or more.
        """
        dtype = self._array.dtype
        found = joined(self._parts(), dtype)
        last = np.iinfo(dtype).max if dtype.kind == "u" and dtype.itemsize >= 4 else None
        return found.chosen((found.labels > 0) & (found.labels != last))

    @cached_property
    def _array(self) -> Any:
        array, _ = level_of(self._store, self._element)
        if len(array.shape) != 2 or array.dtype.kind not in "iu":
            raise DataError(
                f"{self._where}: a label image has two axes of whole numbers, found {array.dtype} of shape "
                f"{tuple(array.shape)}"
            )
        return array

    @cached_property
    def _to_um(self) -> Floats:
        _, matrix = level_of(self._store, self._element)
        return self._frame.to_um(self._element) @ matrix

    def _parts(self) -> Iterator[LabelSums]:
        """Yield the sums of all tiles: of whole chunks, or of strips of a large one."""
        array = self._array
        height, width = array.shape
        rows, columns = array.chunks
        rows = min(height, rows * max(1, TILE // max(1, rows * min(columns, width))))
        columns = min(width, columns * max(1, TILE // max(1, rows * columns)))
        large = rows * columns > LARGE
        step = -(-rows // STRIPS) if large else rows
        for top in range(0, height, step):
            for left in range(0, width, columns):
                with readable(self._where):
                    part = np.asarray(array[top : top + step, left : left + columns])
                sums = label_sums(part, (top, left))
                del part  # the next is read beside nothing
                if large:
                    gc.collect()  # zarr's tasks hold the chunk in a cycle
                yield sums

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image of a window, each pixel that of the source under its centre."""
        image = blank(um_per_px, window_um)
        back = inverse(self._to_um)
        height, width = self._array.shape
        for top in range(0, image.shape[0], SIDE):
            for left in range(0, image.shape[1], SIDE):
                part = image[top : top + SIDE, left : left + SIDE]
                x = window_um[0] + (left + np.arange(part.shape[1]) + 0.5) * um_per_px
                y = window_um[1] + (top + np.arange(part.shape[0]) + 0.5) * um_per_px
                grid = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1)
                column, row = np.moveaxis(np.floor(transformed(back, grid)).astype(np.int64), -1, 0)
                inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
                if inside.any():
                    part[inside] = self._numbers(row[inside], column[inside])
        return image

    def _numbers(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the number of the instance in each of some pixels; 0 for background."""
        top, left = row.min(), column.min()
        with readable(self._where):
            source = np.asarray(self._array[top : row.max() + 1, left : column.max() + 1])
        values = source[row - top, column - left]
        known = self.sums.labels
        if not len(known):
            return np.zeros(len(values), dtype=np.int32)
        place = np.minimum(np.searchsorted(known, values), len(known) - 1)
        return np.where(known[place] == values, place + 1, 0).astype(np.int32)

    def raw_centroids(self) -> tuple[NDArray[np.str_], Floats]:
        """Return labels as text and the mean of the pixel centres of each, in units of the frame's system."""
        found = np.array([str(label) for label in self.sums.labels.tolist()], dtype=np.str_)
        matrix = self._frame.raw(self._element) @ level_of(self._store, self._element)[1]
        return found, transformed(matrix, self.sums.centroids)
