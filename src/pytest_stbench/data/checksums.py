"""What was learnt of a file once, kept on disk until it changes: its sha256; manifests to compare it with.

An entry is one JSON file, named by the file's path and trusted only while path, size, times (of the
content, and of the inode, which no tool that copies sets back) and inode are the same, and only by the
version of the numbers that wrote it. An entry that cannot be read, or was damaged, counts as absent.
Manifests have the format of ``sha256sum``.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.atomic import unsealed, write_sealed
from pytest_stbench.data.roots import relative
from pytest_stbench.data.wording import byte_size
from pytest_stbench.errors import DataError
from pytest_stbench.spec.numbers import NUMBERS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

# A file that is written twice within the clock's resolution keeps its time: what was learnt of a
# file as young as this is not kept.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class FileCache:
    """Facts of files below `folder`; without a folder nothing is kept."""

    folder: Path | None

    def get(self, path: Path) -> dict[str, Any] | None:
        """Return what is known of `path` as it is now, or None."""
        if self.folder is None:
            return None
        try:
            known, facts = unsealed(self._place(path), self._entry(path).read_bytes())
            found: dict[str, Any] | None = facts if known == [NUMBERS, *state_of(path.stat())] else None
        except (OSError, ValueError):
            return None
        return found

    def put(self, path: Path, facts: dict[str, Any], stat: os.stat_result) -> None:
        """Keep `facts` of `path`, learnt while it had `stat` (taken before it was read).

        Not kept where the folder cannot be written or the file was changed just now.
        """
        if self.folder is None or time.time_ns() - stat.st_mtime_ns < _SETTLED_NS:
            return
        # A store that cannot be written costs time, never correctness.
        with contextlib.suppress(OSError):
            write_sealed(
                self._entry(path), self._place(path), [[NUMBERS, *state_of(stat)], facts], durable=False
            )

    def _place(self, path: Path) -> str:
        assert self.folder is not None
        return f"{self.folder.name} {path.resolve()}"

    def _entry(self, path: Path) -> Path:
        assert self.folder is not None
        digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
        return self.folder / f"{digest[:32]}.json"


def state_of(stat: os.stat_result) -> tuple[int, ...]:
    """Return what changes with the content of a file, also where a tool puts its time back."""
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


_HEX = re.compile(r"[0-9a-f]{64}")
_READ: dict[tuple[Path, tuple[int, ...]], str] = {}
"""What this process has read: with ``anew`` a file is read once a run."""
THREADS = 2
"""Disks, not cores, set the pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksums:
    """How checksums of data are had.

    Parameters
    ----------
    store
        Folder in which they are kept, in ``checksums``; None keeps nothing.
    anew
        Whether every file is read in this process, whatever is kept of it.
    progress
        A context manager around the reading of files, told what is read and how much.
    """

    store: Path | None = None
    anew: bool = False
    progress: Callable[[str], AbstractContextManager[Any]] = nullcontext

    def of(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Return the sha256 of each file in hex. Raises ``DataError`` when one cannot be read."""
        files = dict.fromkeys(paths)
        found = {path: known for path in files if (known := self._known(path)) is not None}
        unread = [path for path in files if path not in found]
        if unread:
            from concurrent.futures import ThreadPoolExecutor

            size = byte_size(sum(path.stat().st_size for path in unread if path.exists()))
            label = f"checksums of {len(unread)} file{'s' if len(unread) > 1 else ''} ({size})"
            # The digest leaves the interpreter free, so that who waits can tell of it.
            with self.progress(label), ThreadPoolExecutor(THREADS) as pool:
                found |= zip(unread, pool.map(self._read, unread), strict=True)
        return found

    def _known(self, path: Path) -> str | None:
        if self.anew:
            try:
                return _READ.get((path.resolve(), state_of(path.stat())))
            except OSError:
                return None
        known = (self._cache.get(path) or {}).get("sha256")
        return known if isinstance(known, str) and _HEX.fullmatch(known) else None

    def _read(self, path: Path) -> str:
        try:
            stat = path.stat()
            with path.open("rb") as stream:
                value = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read ({error.strerror or error}); check the file and its permissions"
            ) from error
        self._cache.put(path, {"sha256": value}, stat)
        _READ[path.resolve(), state_of(stat)] = value
        return value

    @property
    def _cache(self) -> FileCache:
        return FileCache(None if self.store is None else self.store / "checksums")


def file_sha256(path: Path, store: Path | None = None) -> str:
    """Return the sha256 of a file's content in hex.

    With `store`, the value is kept in ``store/checksums`` by path, size, times and inode.
    Raises ``DataError`` when the file cannot be read.
    """
    return Checksums(store=store).of([path])[path]


_LINE = re.compile(r"([0-9A-Fa-f]{64}) [ *](.+)")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Expected sha256 by path, relative to the manifest's own folder."""

    path: Path
    expected: Mapping[str, str]

    def lists(self, path: Path) -> bool:
        """Return whether `path` stands in the manifest."""
        return self._name(path) != ""

    def verify(self, files: Iterable[Path], checksums: Checksums | None = None) -> None:
        """Compare the content of `files` with the manifest; read in this process, not remembered.

        Raises ``DataError`` for the first file that is not listed or differs.
        """
        names = {path: self._name(path) for path in files}
        read = replace(checksums or Checksums(), anew=True)
        for path, name in names.items():
            if not name:
                raise DataError(
                    f"{path}: not listed in {self.path}; add its line (`sha256sum FILE`), "
                    "or leave out `sha256` if the data has no manifest"
                )
        for path, found in read.of(names).items():
            name = names[path]
            if found != self.expected[name]:
                raise DataError(
                    f"{path}: sha256 differs from {self.path}: expected {self.expected[name]}, "
                    f"found {found}; get the file again, or update the manifest if the change is meant"
                )

    def _name(self, path: Path) -> str:
        # As it is written first: a link inside the folder is listed under its own name.
        for file, home in (
            (path.absolute(), self.path.absolute().parent),
            (path.resolve(), self.path.resolve().parent),
        ):
            if file.is_relative_to(home) and file.relative_to(home).as_posix() in self.expected:
                return file.relative_to(home).as_posix()
        return ""


def load_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises ``DataError`` with file and line for what is not ``sha256sum`` format, for paths that
    are absolute or leave the manifest's folder, and for a path listed with two values.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a sha256 manifest ({error})") from error
    expected: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise DataError(
                f"{path}:{number}: not a line of `sha256sum` (64 hex digits, two spaces, path): {line[:80]!r}"
            )
        name = relative(match[2], f"{path}:{number}: path")
        value = match[1].lower()
        if expected.setdefault(name, value) != value:
            raise DataError(f"{path}:{number}: {name} is listed twice with different values")
    return Manifest(path, expected)
