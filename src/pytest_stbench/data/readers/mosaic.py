"""Patches of a file as the image that they were cut from, put together tile by tile."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.images.pyramid import Level, without_path
from pytest_stbench.data.readers import hdf5

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.images.pyramid import ReadTile, Tile

TILE = 512
WHITE = 255


class Mosaic:
    """A :class:`~pytest_stbench.data.images.pyramid.Pyramid` of one level.

    Parameters
    ----------
    corners
        First column and row of each patch, (p, 2); where patches overlap the later lies above.
    shape
        Height and width of the image.
    size
        Side of a patch.
    path, name
        HDF5 file of ``img`` (p, size, size, 3), and what errors call it.
    """

    statements: Mapping[str, float] = {}  # never written to
    missing = 0

    def __init__(
        self, corners: NDArray[np.int64], shape: tuple[int, int], size: int, path: Path, name: str
    ) -> None:
        self.key = object()
        self.levels = (Level(shape[1], shape[0], 1.0, (TILE, TILE)),)
        self._corners = corners
        self._path = path
        self._name = name
        self._columns = -(-shape[1] // TILE)
        first, last = corners // TILE, (corners + size - 1) // TILE
        reach = int((last - first).max()) + 1
        steps = np.stack(np.meshgrid(np.arange(reach), np.arange(reach)), axis=-1).reshape(-1, 1, 2)
        tiles = first + steps
        patch = np.broadcast_to(np.arange(len(corners)), tiles.shape[:2])
        touched = (tiles <= last).all(axis=2)
        number = tiles[touched] @ [1, self._columns]
        order = np.lexsort((patch[touched], number))
        self._tiles = number[order]
        self._patches = patch[touched][order]

    @contextmanager
    def reading(self) -> Iterator[ReadTile]:
        """Open the file; what is returned reads the tile of a level, row and column."""
        file = without_path(self._open, self._path, self._name)
        try:
            yield lambda _, row, column: without_path(
                lambda: self._tile(file, row, column), self._path, self._name
            )
        finally:
            file.close()

    def _open(self) -> Any:
        with hdf5.named(self._path, "patches"):
            return hdf5.file_of(self._path, ("img",), "patches")

    def _tile(self, file: Any, row: int, column: int) -> Tile | None:
        number = row * self._columns + column
        patches = self._patches[slice(*np.searchsorted(self._tiles, [number, number + 1]))]
        if not len(patches):
            return None
        tile = np.full((TILE, TILE, 3), WHITE, dtype=np.uint8)
        with hdf5.named(self._path, "patches"):
            pixels = file["img"][patches]
        for patch, (x, y) in zip(
            pixels, (self._corners[patches] - [column * TILE, row * TILE]).tolist(), strict=True
        ):
            side = patch.shape[0]
            x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, TILE), min(y + side, TILE)
            tile[y0:y1, x0:x1] = patch[y0 - y : y1 - y, x0 - x : x1 - x]
        return tile
