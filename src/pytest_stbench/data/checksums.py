"""The sha256 of files, computed once per version of a file."""

from __future__ import annotations

import hashlib
import re
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.filecache import FileCache, state_of
from pytest_stbench.data.wording import byte_size
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

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
