"""What was learnt of a file once, kept on disk until the file changes.

An entry is one JSON file, named by the file's path and trusted only while path, size, times (of the
content, and of the inode, which no tool that copies sets back) and inode are the same, and only by the
version of the numbers that wrote it. An entry that cannot be read, or was damaged, counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.sealed import unsealed, write_sealed
from pytest_stbench.spec.numbers import NUMBERS

if TYPE_CHECKING:
    import os
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
