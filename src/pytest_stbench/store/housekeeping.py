"""What a store holds and what it costs, and how it is made smaller beside sessions that run."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_stbench.errors import StbenchError
from pytest_stbench.store.archive import read_meta
from pytest_stbench.store.lock import LocksUnsupportedError, locked

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
FULL = 0.8
"""Share of a disk from which a store warns."""
FOLDERS = ("predictions/*", "answers/*", "drawn/*", "remember/*", "checksums", "index")
UNNAMED = "damaged, or of an older version"


@dataclass(frozen=True, slots=True)
class Held:
    """A file of the store: bytes, and when it was last written or used (seconds since 1970)."""

    path: Path
    size: int
    used: float


@dataclass(slots=True)
class Cost:
    """What some files take: their number, bytes, seconds of computing (0 where unknown), last use."""

    files: int = 0
    size: int = 0
    seconds: float = 0.0
    used: float = 0.0


@dataclass(slots=True)
class Pruned:
    """How many files went and how many bytes, how many bytes are left, and how many files are in use."""

    removed: int = 0
    freed: int = 0
    left: int = 0
    in_use: int = 0
    failed: list[str] = field(default_factory=list)


def disk_share(folder: Path) -> float:
    """Return the share of the disk of `folder` that is in use, of what users may write; 0 if unknown."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return 0.0
    return usage.used / max(usage.used + usage.free, 1)


def held(root: Path) -> list[Held]:
    """Return the files of a store that may go, without locks and markers of models that run."""
    found = []
    for folder in FOLDERS:
        for path in root.glob(f"{folder}/*"):
            with suppress(OSError):  # it has just gone
                stat = path.stat()
                if path.is_file() and path.suffix != ".tmp":
                    found.append(Held(path, stat.st_size, stat.st_mtime))
    return sorted(found, key=lambda file: (file.used, file.path))


def costs(root: Path) -> dict[tuple[str, str], Cost]:
    """Return what predictions take by (model, task), and everything else by (kind, "")."""
    found: dict[tuple[str, str], Cost] = defaultdict(Cost)
    for file in held(root):
        seconds = 0.0
        if file.path.suffix == ".npz":
            try:
                meta = read_meta(file.path)
                what = (str(meta["model"]), str(meta["task"]))
                seconds = float(meta.get("seconds") or 0)
            except Exception:  # noqa: BLE001  # a damaged zip makes zipfile, zlib and numpy raise all kinds
                what = (UNNAMED, "")
        else:
            what = (file.path.parent.name, "")
        cost = found[what]
        cost.files += 1
        cost.size += file.size
        cost.seconds += seconds
        cost.used = max(cost.used, file.used)
    return dict(found)


def prune(root: Path, *, keep_days: float | None = None, max_size: int | None = None) -> Pruned:
    """Remove what was not used for `keep_days`, then the longest unused until `max_size` bytes are left.

    What a session computes or writes at this moment, by the locks it holds, stays. Everything that goes is
    computed again when it is next needed.

    Raises
    ------
    StbenchError
        The file system has no locks, so that nobody can say what is in use.
    """
    files = held(root)
    left = sum(file.size for file in files)
    pruned = Pruned()
    oldest = None if keep_days is None else time.time() - keep_days * DAY
    for file in files:
        aged = oldest is not None and file.used < oldest
        if not aged and (max_size is None or left <= max_size):
            continue
        try:
            gone = _remove(root, file)
        except LocksUnsupportedError:
            raise StbenchError(
                f"{root}: its file system has no locks, so that nobody can say what is in use: delete the "
                "folder when no session runs"
            ) from None
        except OSError as error:
            pruned.failed.append(f"{file.path}: {error.strerror or error}")
            continue
        if gone:
            left -= file.size
            pruned.removed += 1
            pruned.freed += file.size
        else:
            pruned.in_use += 1
    pruned.left = left
    return pruned


def _remove(root: Path, file: Held) -> bool:
    """Remove a file unless its key is locked; return whether it has gone."""
    if file.path.suffix != ".npz":
        file.path.unlink(missing_ok=True)
        return True
    with locked(root / "locks" / f"{file.path.stem}.lock", wait=False) as had:
        if had:
            file.path.unlink(missing_ok=True)
        return had
