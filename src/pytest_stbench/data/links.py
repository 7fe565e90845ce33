"""Links that lead out of the folder of the data: whoever made the data does not choose what is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def refuse_links_out(files: Iterable[Path], roots: Sequence[Path]) -> None:
    """Raise ``DataError`` for the first file that is, or lies behind, a link out of all of `roots`."""
    homes = [root.resolve() for root in roots]
    folders: dict[Path, bool] = {}
    for path in files:
        folder = path.parent
        if folder not in folders:
            folders[folder] = _inside(folder.resolve(), homes)
        if folders[folder] and not (path.is_symlink() and not _inside(path.resolve(), homes)):
            continue
        raise DataError(
            f"{path} is a link to {path.resolve()}, outside of the folder of the data: copy the file there, "
            "or point --stbench-data at the folder that really holds the data"
        )


def refuse_links_in(folder: Path) -> None:
    """Raise ``DataError`` for the first link below `folder` that leads out of it."""
    home = folder.resolve()
    for parent, names, files in os.walk(folder):
        for name in (*names, *files):
            path = Path(parent, name)
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                raise DataError(
                    f"{path} is a link to {path.resolve()}, outside of {folder}: copy what it leads to there"
                )


def _inside(path: Path, homes: Sequence[Path]) -> bool:
    return any(path.is_relative_to(home) for home in homes)
