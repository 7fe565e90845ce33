"""Files that are replaced whole, and small records on disk that carry a digest of themselves.

A record says what it is of. One that was damaged, or stands under another name, is told from a sound
one by every byte: who reads it takes it for absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write_atomically(
    path: Path,
    write: Callable[[BinaryIO], object],
    *,
    durable: bool = True,
    ready: Callable[[], None] | None = None,
) -> None:
    """Write `path` through a temporary file beside it; readers see the old file or the new one.

    The temporary file is called ``NAME.TOKEN.tmp``, gets the mode of the file that it replaces, and is
    removed when anything goes wrong. `durable`: the machine may lose power at once. `ready` puts in its
    place what the file names, just before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{path.name}.{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        if ready is not None:
            ready()
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable; not every system can open a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


_HEAD, _MIDDLE, _TAIL = b'{"sha256": "', b'", "record": ', b"}\n"


def sealed(place: str, value: object) -> bytes:
    """Return `value` (JSON-safe) as the one content of a record of `place`, as JSON in UTF-8."""
    record = json.dumps([place, value]).encode()
    return b"".join((_HEAD, _digest(record), _MIDDLE, record, _TAIL))


def unsealed(place: str, content: bytes) -> Any:
    """Return the value that :func:`sealed` was given with `place`.

    Raises ``ValueError`` for any other content: a byte that differs, the record of another place.
    """
    record = content[len(_HEAD) + 64 + len(_MIDDLE) : -len(_TAIL)]
    if content != b"".join((_HEAD, _digest(record), _MIDDLE, record, _TAIL)):
        raise ValueError("its digest is that of another content")
    of, value = json.loads(record)
    if of != place:
        raise ValueError(f"it is the record of {of}")
    return value


def write_sealed(path: Path, place: str, value: object, *, durable: bool = True) -> None:
    """Write the record of `value` in the place of `path`, atomically."""
    content = sealed(place, value)
    write_atomically(path, lambda file: file.write(content), durable=durable)


def _digest(record: bytes) -> bytes:
    return hashlib.sha256(record).hexdigest().encode("ascii")
