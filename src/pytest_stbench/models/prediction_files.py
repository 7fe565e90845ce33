"""Files of predictions: how each is read into a table, and whether it is what was written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.data.checksums import Checksums
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.untrusted import refuse_hollow_zip
from pytest_stbench.errors import DataError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Predictions of one slide as they stand in a file."""

    values: NDArray[Any]
    units: list[str]
    columns: list[str]


def from_h5ad(path: Path) -> Table:
    """Return the X of an AnnData. Raises ``ModelError``."""
    import anndata
    import h5py
    from scipy import sparse

    from pytest_stbench.data.readers.hdf5_bounds import check_bounds

    def read() -> anndata.AnnData:
        with h5py.File(path, "r", locking="best-effort") as file:
            check_bounds(file, path)
        data = anndata.read_h5ad(path)
        values: Any = data.X
        if sparse.issparse(values):  # scipy reads beyond parts that do not fit together
            values.check_format(full_check=True)
        return data

    with quiet_anndata():
        data = _readable(path, read)
    values = data.X.toarray() if hasattr(data.X, "toarray") else np.asarray(data.X)
    return Table(values=values, units=list(map(str, data.obs_names)), columns=list(map(str, data.var_names)))


def _from_parquet(path: Path) -> Table:
    import pandas as pd

    frame = _readable(path, lambda: pd.read_parquet(path))
    if "unit" in frame.columns:
        frame = frame.set_index("unit")
    if isinstance(frame.index, pd.RangeIndex):
        message = f"{path}: the rows have no names; write the units as the index or in a column `unit`"
        raise ModelError(message)
    return Table(
        values=frame.to_numpy(), units=list(map(str, frame.index)), columns=list(map(str, frame.columns))
    )


def _from_npz(path: Path) -> Table:
    found = arrays_of(path)
    columns = next((name for name in ("genes", "classes", "columns") if name in found), None)
    if "values" not in found or "units" not in found or columns is None:
        raise ModelError(
            f"{path}: an npz of predictions holds `values`, `units` and `genes` (or `classes`); "
            f"found {', '.join(found) or 'none'}"
        )
    return Table(
        values=found["values"],
        units=[str(name) for name in found["units"].tolist()],
        columns=[str(name) for name in found[columns].tolist()],
    )


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz by name. Raises ``ModelError``."""

    def read() -> dict[str, NDArray[Any]]:
        refuse_hollow_zip(path)
        # numpy leaves a file open that it was given by name and cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    found: dict[str, NDArray[Any]] = _readable(path, read)
    return found


def _readable(path: Path, read: Any) -> Any:
    try:
        return read()
    except Exception as error:  # every format has errors of its own for damaged files
        raise ModelError(f"{path}: cannot be read (truncated, damaged or another format): {error}") from error


READERS = MappingProxyType({"h5ad": from_h5ad, "parquet": _from_parquet, "npz": _from_npz})
"""By the ending of the file; each raises ``ModelError`` where it cannot be read."""


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
