"""What was fetched and seen on this machine: ``stbench-data.lock.json`` in the cache folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

LOCK_NAME = "stbench-data.lock.json"
FORMAT = "stbench-data-lock/1"


def read_lock(cache: Path) -> dict[str, dict[str, Any]]:
    """Return what is known of each data set, by its name.

    ``files`` maps the address of a fetched file to its ``sha256`` and ``size``; ``verified`` is
    the day, ``folder`` the place and ``manifest`` the sha256 of the manifest of the last
    ``stbench data verify``. Raises ``DataError`` where the file is not of this format.
    """
    path = cache / LOCK_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read ({error}); remove it, and verify the data sets again"
        raise DataError(message) from None
    known = content.get("datasets") if isinstance(content, dict) else None
    if not isinstance(known, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path}: not of the format {FORMAT}; remove it, and verify the data sets again")
    return known


def note(cache: Path, name: str, **facts: Any) -> None:
    """Add `facts` to what is known of the data set `name`; ``files`` are added to those known."""
    from filelock import FileLock

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f".{LOCK_NAME}.lock"):
            known = read_lock(cache)
            before = known.get(name, {})
            files = {**before.get("files", {}), **facts.pop("files", {})}
            known[name] = {**before, **facts, "files": files}
            text = json.dumps({"format": FORMAT, "datasets": known}, indent=2, sort_keys=True) + "\n"
            write_atomically(cache / LOCK_NAME, lambda file: file.write(text.encode()), durable=False)
    except OSError as error:
        raise DataError(f"{cache / LOCK_NAME}: cannot be written ({error.strerror or error})") from None
