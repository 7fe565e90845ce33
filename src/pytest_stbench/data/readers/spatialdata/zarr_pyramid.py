"""The image of a store as a pyramid whose tiles are chunks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.encoded import on_white
from pytest_stbench.data.images.pyramid import Level, without_path
from pytest_stbench.data.readers.spatialdata.store import readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.images.pyramid import ReadTile, Tile


class ZarrPyramid:
    """A :class:`~pytest_stbench.data.images.pyramid.Pyramid` of arrays (channels, y, x) uint8.

    Parameters
    ----------
    levels
        Names of the arrays and the size of their pixels in those of the first.
    path, name
        Folder of the element in the store, and what errors call it.
    """

    statements: Mapping[str, float] = {}  # never written to
    missing = 0

    def __init__(self, levels: Sequence[tuple[str, float]], path: Path, name: str) -> None:
        self.key = object()
        self._path = path
        self._name = name
        arrays = without_path(lambda: self._opened([level for level, _ in levels]), path, name)
        self._arrays = arrays
        self.levels = tuple(
            Level(array.shape[2], array.shape[1], scale, (array.chunks[2], array.chunks[1]))
            for array, (_, scale) in zip(arrays, levels, strict=True)
        )

    def _opened(self, names: Sequence[str]) -> list[Any]:
        with readable(self._path):
            import zarr

            group = zarr.open_group(self._path, mode="r")
            return [group[name] for name in names]

    @contextmanager
    def reading(self) -> Iterator[ReadTile]:
        """Return what reads the tile of a level, row and column."""
        yield lambda level, row, column: without_path(
            lambda: self._tile(level, row, column), self._path, self._name
        )

    def _tile(self, level: int, row: int, column: int) -> Tile:
        width, height = self.levels[level].tile
        with readable(self._path):
            rows, columns = (
                slice(row * height, (row + 1) * height),
                slice(column * width, (column + 1) * width),
            )
            found = np.ascontiguousarray(
                np.moveaxis(np.asarray(self._arrays[level][:, rows, columns]), 0, -1)
            )
        if found.shape[2] == 3:
            return found
        from PIL import Image

        return on_white(Image.fromarray(found))
