"""What was learnt of a file once, kept on disk until the file changes.

An entry is one JSON file, named by the file's path and trusted only while path, size and
modification time are the same, and only by the version of the numbers that wrote it. An entry that
cannot be read counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.spec.numbers import NUMBERS

if TYPE_CHECKING:
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
            entry = json.loads(self._entry(path).read_text(encoding="utf-8"))
            stat = path.stat()
        except (OSError, ValueError):
            return None
        if not isinstance(entry, dict) or not isinstance(entry.get("facts"), dict):
            return None
        known = tuple(entry.get(name) for name in ("path", "size", "mtime_ns", "numbers"))
        if known != (str(path.resolve()), stat.st_size, stat.st_mtime_ns, NUMBERS):
            return None
        facts: dict[str, Any] = entry["facts"]
        return facts

    def put(self, path: Path, facts: dict[str, Any], stat: os.stat_result) -> None:
        """Keep `facts` of `path`, learnt while it had `stat` (taken before it was read).

        Not kept where the folder cannot be written or the file was changed just now.
        """
        if self.folder is None or time.time_ns() - stat.st_mtime_ns < _SETTLED_NS:
            return
        entry = {
            "path": str(path.resolve()),
            "size": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "numbers": NUMBERS,
            "facts": facts,
        }
        target = self._entry(path)
        temporary = target.with_name(f"{target.name}.{os.getpid()}.{time.monotonic_ns()}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(entry), encoding="utf-8")
            temporary.replace(target)
        except OSError:
            # A store that cannot be written costs time, never correctness.
            with contextlib.suppress(OSError):
                temporary.unlink()

    def _entry(self, path: Path) -> Path:
        assert self.folder is not None
        digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
        return self.folder / f"{digest[:32]}.json"
