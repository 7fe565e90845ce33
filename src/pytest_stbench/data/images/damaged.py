"""Damaged tiles shown white, where a task file says so; counted by decoding every tile once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_stbench.data.checksums import state_of
from pytest_stbench.data.images.looking import pyramid_of
from pytest_stbench.data.images.pyramid import DamagedTileError
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from pathlib import Path

    from pytest_stbench.data.images.looking import Reader
    from pytest_stbench.data.images.pyramid import Pyramid, ReadTile, Tile

_COUNTED: dict[Hashable, int] = {}
"""Damaged tiles by what reads a file, the file and its state: a slide is read several times in a run."""


class WhiteWhereDamaged:
    """A pyramid that leaves out its damaged tiles; a :class:`~pytest_stbench.data.images.pyramid.Pyramid`."""

    def __init__(self, pyramid: Pyramid, path: Path) -> None:
        self._pyramid = pyramid
        self._path = path
        self.levels = pyramid.levels
        self.statements = pyramid.statements
        self.missing = pyramid.missing
        self.key = object()

    @contextmanager
    def reading(self) -> Iterator[ReadTile]:
        """Open the file; what is returned reads the tile of a level, row and column."""
        with self._noting([]) as read:
            yield read

    def damaged(self) -> int:
        """Return the number of damaged tiles of all levels; each tile is decoded, once in a process."""
        key = (type(self._pyramid), self._path, state_of(self._path.stat()))
        if key not in _COUNTED:
            found: list[tuple[int, int, int]] = []
            with self._noting(found) as read:
                for number, level in enumerate(self.levels):
                    columns, rows = -(-level.width // level.tile[0]), -(-level.height // level.tile[1])
                    for at in range(rows * columns):
                        read(number, *divmod(at, columns))
            _COUNTED[key] = len(found)
        return _COUNTED[key]

    @contextmanager
    def _noting(self, found: list[tuple[int, int, int]]) -> Iterator[ReadTile]:
        with self._pyramid.reading() as read:

            def tile(level: int, row: int, column: int) -> Tile | None:
                try:
                    return read(level, row, column)
                except DamagedTileError:
                    found.append((level, row, column))
                    return None

            yield tile


def white_where_damaged(path: Path, name: str, reader: Reader | None = None) -> WhiteWhereDamaged:
    """Return a file as a pyramid without its damaged tiles.

    Raises ``DataError`` as :func:`~pytest_stbench.data.images.looking.pyramid_of`, and where it has no tiles.
    """
    found = pyramid_of(path, name, reader)
    if found is None:
        raise DataError(
            f"{name}: `damaged_tiles: white` is of images that are read in tiles, and this one is decoded "
            "whole: leave it out; of a damaged file nothing can be shown"
        )
    return WhiteWhereDamaged(found, path)
