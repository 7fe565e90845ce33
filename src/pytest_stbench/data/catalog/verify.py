"""Whether the data of an entry is what it was, and the first look at data that nobody has seen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.data.catalog.entries import cache_dir, note, read_lock
from pytest_stbench.data.catalog.fetch import write_samples
from pytest_stbench.data.checksums import file_sha256, load_manifest
from pytest_stbench.errors import DataError
from pytest_stbench.spec.dataset_entry import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.spec.dataset_entry import DatasetEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was seen: ``new`` says that nobody had looked at this copy before.

    ``seen`` holds the checksums of what was fetched, by address; empty where the files were put
    there by hand.
    """

    folder: Path
    n_files: int
    new: bool
    seen: dict[str, dict[str, Any]]


def verify(entry: DatasetEntry, folder: Path) -> Verified:
    """Compare the files of `entry` in `folder` with what is known of them, and remember them.

    The first time a manifest of all files (``SHA256SUMS``) is written into the folder; from then
    on every file is compared with it. Files whose checksum stands in the entry are compared with
    that in any case.

    Raises
    ------
    DataError
        No file, a file that the entry names is missing, another checksum, a file that is not in
        the manifest, a manifest that differs from the one of the last look.
    """
    for file in entry.files:
        if file.unpack != "none":
            continue
        path = folder / file.path
        if not path.is_file():
            raise DataError(f"{path}: missing; remove {folder} and fetch it again, or put the file there")
        if file.sha256 is not None and (found := file_sha256(path)) != file.sha256:
            raise DataError(f"{path}: sha256 {found}; the catalog has {file.sha256}: get the file again")
    cache = cache_dir()
    known = read_lock(cache).get(entry.name, {})
    manifest = folder / MANIFEST
    new = not manifest.exists()
    if new:
        try:
            write_samples(entry, folder)
            paths = _files(folder)
            _write_manifest(manifest, paths)
        except OSError as error:
            message = f"{error.filename or folder}: cannot be written ({error.strerror or error})"
            raise DataError(message) from None
    else:
        paths = _files(folder)
        listed = load_manifest(manifest)
        listed.verify([path for path in paths if listed.lists(path)])
        gone = [name for name in listed.expected if not (folder / name).is_file()]
        if gone:
            raise DataError(f"{folder / gone[0]}: stands in {manifest} and is missing; get the data again")
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    if known.get("folder") == str(folder) and known.get("manifest", digest) != digest:
        raise DataError(
            f"{manifest}: changed since the last look; the data is not what was verified then. Get it "
            "again, or "
            f"take {entry.name!r} out of {cache}/stbench-data.lock.json if the change is meant"
        )
    today = datetime.now(UTC).date().isoformat()
    note(cache, entry.name, verified=today, folder=str(folder), manifest=digest)
    seen = {
        url: facts for url, facts in known.get("files", {}).items() if url in {f.url for f in entry.files}
    }
    return Verified(folder=folder, n_files=len(paths), new=new, seen=seen)


def contribution(entry: DatasetEntry, seen: dict[str, dict[str, Any]], day: str) -> str:
    """Return the lines that would make `entry` a verified one, as YAML."""
    lines = ["files:"]
    for file in entry.files:
        facts = seen.get(file.url or "", {})
        lines += [
            f"  - path: {file.path}",
            f"    url: {file.url}",
            f"    sha256: {facts['sha256']}",
            f"    size: {facts['size']}",
            f"    unpack: {file.unpack}",
        ]
    return "\n".join([*lines, f"verified: {day}"])


def _files(folder: Path) -> list[Path]:
    """Return all files of a data set, without the manifest and hidden ones."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    found = [path for path in found if path != folder / MANIFEST]
    if not found:
        raise DataError(f"{folder}: no file in it; put the data there, or remove it and fetch it again")
    return found


def _write_manifest(manifest: Path, paths: list[Path]) -> None:
    lines = [f"{file_sha256(path)}  {path.relative_to(manifest.parent).as_posix()}\n" for path in paths]
    write_atomically(manifest, lambda file: file.write("".join(lines).encode()), durable=False)
