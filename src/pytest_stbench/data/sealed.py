"""Small records on disk that carry a digest of themselves.

A record says what it is of. One that was damaged, or stands under another name, is told from a sound
one by every byte: who reads it takes it for absent.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.atomic import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

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
