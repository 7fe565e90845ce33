"""Locks between processes, one file each; released by the system when their process dies."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL_SECONDS = 0.05


class LocksUnsupportedError(OSError):
    """The file system of the store has no locks, or the lock file cannot be made."""


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file `path` during the block; yields whether it was had.

    With ``wait=False`` a lock that somebody else holds yields False at once. The lock belongs to
    the open file, so threads of one process exclude each other too; it is not reentrant. The file
    stays: removing it would split those who wait. Raises ``LocksUnsupportedError`` where the file
    system offers no locks that die with their process.
    """
    from filelock import FileLock, SoftFileLock, Timeout

    lock = FileLock(path, timeout=-1 if wait else 0, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(poll_interval=POLL_SECONDS)
    except Timeout:
        yield False
        return
    except NotImplementedError as error:
        raise LocksUnsupportedError(errno.ENOSYS, str(error), str(path)) from error
    except OSError as error:
        raise LocksUnsupportedError(error.errno, error.strerror, str(path)) from error
    owner = os.getpid()
    try:
        # Some versions of filelock go over to marker files, which outlive their process.
        if isinstance(lock, SoftFileLock):
            raise LocksUnsupportedError(errno.ENOSYS, "the file system has no locks", str(path))
        yield True
    finally:
        # A forked child shares the open file: to release it there would free the parent's lock.
        if os.getpid() == owner:
            lock.release()


@contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Hold off whoever else on this machine would read, join and write the file `path` during the block.

    Nobody is held off where there are no locks. The lock lies with what the user's programs remember, so that
    none is left beside the file, and none in the folder of fetched data.
    """
    from platformdirs import user_state_path

    digest = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
    lock = user_state_path("pytest-stbench", appauthor=False) / "saving" / f"{digest}.lock"
    with ExitStack() as stack:
        with suppress(LocksUnsupportedError):
            stack.enter_context(locked(lock))
        yield
