"""Checksums of the files of a folder of predictions: whether they are what was written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.data.checksums import Checksums
from pytest_stbench.errors import DataError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILES, SEAL = "files", "seal"
"""Fields of the manifest: sha256 by path, and the sha256 of these and of the tasks they are for."""


class Seals:
    """The checksums that the manifest of `folder` gives, and those of the other files.

    `checksums` says how the latter are had; files that have a seal are read in this process, whatever is
    kept. Raises ``ModelError`` where the manifest was changed.
    """

    def __init__(self, folder: Path, path: Path, manifest: Mapping[str, Any], checksums: Checksums) -> None:
        self._folder = folder
        self._path = path
        self._files = manifest.get(FILES, {})
        # To seal a folder is to say nothing new of it.
        self._about = {
            name: value
            for name, value in manifest.items()
            if name not in (FILES, SEAL) and value is not None and value != {}
        }
        self._checksums = checksums
        if not isinstance(self._files, dict):
            message = f"{path}: `{FILES}` must give a sha256 by path; `stbench seal {folder}` writes them"
            raise ModelError(message)
        if SEAL in manifest and manifest[SEAL] != _seal(manifest):
            raise ModelError(
                f"{path}: `{FILES}` or `tasks` are others than `stbench seal` wrote; see what was changed, "
                f"and seal the folder again (`stbench seal {folder}`) if it is meant"
            )

    def check(self, path: Path) -> None:
        """Compare a file with its checksum, once for each state of it; nothing where it has none.

        Raises ``ModelError`` when it differs or cannot be read.
        """
        name = path.relative_to(self._folder).as_posix()
        if name not in self._files:
            return
        found = _sha256([path], replace(self._checksums, anew=True))[path]
        if found != self._files[name]:
            raise ModelError(
                f"{path}: sha256 differs from {self._path}: expected {self._files[name]}, found {found}; get "
                f"the file again, or seal the folder again (`stbench seal {self._folder}`) if the change is "
                "meant"
            )

    def revision(self, paths: Iterable[Path]) -> str:
        """Return a digest of what the files `paths` say and of what the manifest says of them.

        A seal stands for its file: who reads the file compares them. Raises ``ModelError`` when a file
        cannot be read.
        """
        names = {path.relative_to(self._folder).as_posix(): path for path in paths}
        bare = _sha256([path for name, path in names.items() if name not in self._files], self._checksums)
        files = {name: self._files.get(name) or bare[path] for name, path in names.items()}
        text = json.dumps([self._about, files], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

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
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such folder")
    found = files_in(folder, endings)
    if not found:
        message = f"{folder}: no file of predictions in it ({', '.join(sorted(f'.{e}' for e in endings))})"
        raise ModelError(message)
    digests = _sha256(found, Checksums(anew=True))
    files = {file.relative_to(folder).as_posix(): digest for file, digest in digests.items()}
    made = {"name": None, "pretraining": None, "tasks": {}, **manifest, FILES: files}
    text = json.dumps({**made, SEAL: _seal(made)}, indent=1) + "\n"
    try:
        write_atomically(path, lambda file: file.write(text.encode()))
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror or error})") from error
    return len(files)


def files_in(folder: Path, endings: Iterable[str]) -> list[Path]:
    """Return the files of predictions below `folder`, sorted."""
    kept = {f".{ending}" for ending in endings}
    return sorted(file for file in folder.rglob("*") if file.suffix in kept and file.is_file())


def _seal(manifest: Mapping[str, Any]) -> str:
    about = {FILES: manifest.get(FILES), "tasks": manifest.get("tasks")}
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _sha256(paths: Iterable[Path], checksums: Checksums) -> dict[Path, str]:
    try:
        return checksums.of(paths)
    except DataError as error:
        raise ModelError(str(error)) from None
