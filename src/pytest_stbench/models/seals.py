"""Checksums of the files of a folder of predictions: whether they are what was written."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.checksums import file_sha256
from pytest_stbench.data.sealed import write_atomically
from pytest_stbench.errors import DataError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILES, SEAL = "files", "seal"
"""Fields of the manifest: sha256 by path, and the sha256 of these and of the tasks they are for."""


class Seals:
    """The checksums that the manifest of `folder` gives. Raises ``ModelError`` where they were changed."""

    def __init__(self, folder: Path, path: Path, manifest: Mapping[str, Any]) -> None:
        self._folder = folder
        self._path = path
        self._files = manifest.get(FILES, {})
        self._checked: set[tuple[Path, int, int]] = set()
        if not isinstance(self._files, dict):
            message = f"{path}: `{FILES}` must give a sha256 by path; `stbench seal {folder}` writes them"
            raise ModelError(message)
        if SEAL in manifest and manifest[SEAL] != _seal(manifest):
            message = (
                f"{path}: `{FILES}` or `tasks` are others than `stbench seal` wrote; see what was changed, "
                f"and seal the folder again (`stbench seal {folder}`) if it is meant"
            )
            raise ModelError(message)

    def check(self, path: Path) -> None:
        """Compare a file with its checksum, once; nothing where it has none.

        Raises ``ModelError`` when it differs or cannot be read.
        """
        name = path.relative_to(self._folder).as_posix()
        if name not in self._files:
            return
        stat = path.stat()
        state = (path, stat.st_size, stat.st_mtime_ns)
        if state in self._checked:
            return
        found = _sha256(path)
        if found != self._files[name]:
            message = (
                f"{path}: sha256 differs from {self._path}: expected {self._files[name]}, found {found}; get "
                f"the file again, or seal the folder again (`stbench seal {self._folder}`) if the change is "
                "meant"
            )
            raise ModelError(message)
        self._checked.add(state)

    def without(self, paths: Iterable[Path]) -> tuple[str, ...]:
        """Return a sentence on the `paths` without checksum; nothing where all have one."""
        names = [path.relative_to(self._folder).as_posix() for path in paths]
        bare = [name for name in names if name not in self._files]
        if not bare:
            return ()
        which = "no file" if len(bare) == len(names) else f"{bare[0]} ({len(bare)} of {len(names)} files)"
        has = "has a" if which == "no file" else "has no"
        message = (
            f"{self._folder}: {which} {has} checksum in {self._path.name}, so that a damaged or exchanged "
            f"file cannot be told: `stbench seal {self._folder}` where they were written"
        )
        return (message,)


def seal(folder: Path, path: Path, manifest: Mapping[str, Any], endings: Iterable[str]) -> int:
    """Write the sha256 of every file of predictions into the manifest; return how many there are.

    Parameters
    ----------
    folder
        Holds the predictions, and the manifest `path`, which is made if need be.
    manifest
        What the manifest holds; its other fields are kept.
    endings
        Of files that hold predictions.

    Raises
    ------
    ModelError
        No file of predictions, a file that cannot be read, a folder that cannot be written to.
    """
    kept = {f".{ending}" for ending in endings}
    if not folder.is_dir():
        message = f"{folder}: there is no such folder"
        raise ModelError(message)
    found = sorted(file for file in folder.rglob("*") if file.suffix in kept and file.is_file())
    if not found:
        message = f"{folder}: no file of predictions in it ({', '.join(sorted(kept))})"
        raise ModelError(message)
    files = {file.relative_to(folder).as_posix(): _sha256(file) for file in found}
    made = {"name": None, "pretraining": None, "tasks": {}, **manifest, FILES: files}
    text = json.dumps({**made, SEAL: _seal(made)}, indent=1) + "\n"
    try:
        write_atomically(path, lambda file: file.write(text.encode()))
    except OSError as error:
        message = f"{path}: cannot be written ({error.strerror or error})"
        raise ModelError(message) from error
    return len(files)


def _seal(manifest: Mapping[str, Any]) -> str:
    about = {FILES: manifest.get(FILES), "tasks": manifest.get("tasks")}
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except DataError as error:
        raise ModelError(str(error)) from None
