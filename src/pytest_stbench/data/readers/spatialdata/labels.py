"""Label images of a store: gone through tile by tile, drawn from the part that a window shows."""

from __future__ import annotations

import gc
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.rasterise import blank
from pytest_stbench.data.readers.spatialdata.images import level_of
from pytest_stbench.data.readers.spatialdata.store import readable
from pytest_stbench.data.readers.spatialdata.transforms import inverse, transformed
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.label_sums import LabelSums, joined, label_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.imaging.outlines import Kind
    from pytest_stbench.data.readers.spatialdata.frame import Frame
    from pytest_stbench.data.readers.spatialdata.store import Store

    Floats = NDArray[np.float64]

TILE = 1 << 20
"""Pixels that are read at once, but always whole chunks of the file."""

LARGE = 1 << 26
"""Pixels of a chunk above which it is read in :data:`STRIPS`: zarr decodes it whole each time and copies what
is asked for, so that this takes longer and 1 + 1 / STRIPS times the chunk instead of twice."""

STRIPS = 8

SIDE = 1024
"""Side in pixels of the parts of a window that are drawn one after the other."""


class Labels:
    """A label image of a store; a :class:`~pytest_stbench.data.segmentation.Segmentation`.

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
