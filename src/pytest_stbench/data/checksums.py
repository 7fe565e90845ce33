"""The sha256 of files, computed once per version of a file."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pytest_stbench.data.filecache import FileCache
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

_HEX = re.compile(r"[0-9a-f]{64}")


def file_sha256(path: Path, store: Path | None = None) -> str:
    """Return the sha256 of a file's content in hex.

    With `store`, the value is kept in ``store/checksums`` by path, size and modification time.
    Raises ``DataError`` when the file cannot be read.
    """
    cache = FileCache(None if store is None else store / "checksums")
    known = (cache.get(path) or {}).get("sha256")
    if isinstance(known, str) and _HEX.fullmatch(known):
        return known
    try:
        stat = path.stat()
        with path.open("rb") as stream:
            value = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror or error}); check the file and its permissions"
        raise DataError(message) from error
    cache.put(path, {"sha256": value}, stat)
    return value
