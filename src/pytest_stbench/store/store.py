"""Predictions on disk, so that nothing is computed twice and a rerun resumes.

Layout of the folder: ``predictions/ab/KEY.npz``, ``answers/ab/KEY.npz`` (of a model without ``fit`` to one
input, shared by cells), ``drawn/ab/KEY.npz`` (counts of simulated slides),
``locks/KEY.lock``, ``starts/KEY.json`` (a model is running, or was when its process ended),
``remember/KIND/KEY.json``. Every file carries a digest of what it holds; one that does not match is
absent. All of it may be deleted at any time between runs.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import time
import warnings
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_stbench.data.atomic import unsealed, write_atomically, write_sealed
from pytest_stbench.errors import StbenchWarning
from pytest_stbench.store.archive import read_archive, write_archive
from pytest_stbench.store.housekeeping import DAY, FOLDERS, FULL, disk_share
from pytest_stbench.store.lock import LocksUnsupportedError, locked
from pytest_stbench.store.marker import Claim, StartMarker, StoredPrediction
from pytest_stbench.store.signals import noted_exit, noted_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

T = TypeVar("T")

IGNORE = b"*\n"
PREDICTIONS = "predictions"
NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL})


class StoreWarning(StbenchWarning):
    """The store cannot do all it should; the run goes on."""


class NotKept(StoreWarning):
    """The store cannot be written; what is made is in memory alone."""


class Store:
    """A folder of predictions that any number of processes may share.

    Files are replaced whole, which alone makes it correct; locks only save work. A folder that
    cannot be written to, or a full disk, is one warning, and the run goes on in memory.

    Parameters
    ----------
    root
        The folder; made when something is first written.
    run_id
        Name of the run, the same in all its processes. ``claim(..., retry=True)`` clears what
        *earlier* runs left, so that a model which ends the process does so once per run.
    """

    def __init__(self, root: Path, *, run_id: str | None = None) -> None:
        self.root = root
        self.run_id = run_id or secrets.token_hex(8)
        self._warned: set[str] = set()
        self._swept = False

    def load(self, key: str, kind: str = PREDICTIONS) -> StoredPrediction | None:
        """Return the prediction of `key` (see :func:`cell_key`), or other arrays of a `kind`, or None.

        A damaged file counts as absent, with a warning, and is replaced by the next save.
        """
        path = self._prediction(key, kind)
        try:
            values, meta = read_archive(path, key=key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:  # noqa: BLE001  # a damaged zip makes zipfile, zlib and numpy raise all kinds
            self._warn(
                f"read {path}",
                f"what the store keeps in {path} cannot be used ({type(error).__name__}: {error}): "
                "it is computed again",
            )
            return None
        _note_use(path)
        return StoredPrediction(values=values, meta=meta)

    def holds(self, key: str) -> bool:
        """Tell whether a prediction of `key` is on disk, without reading it."""
        return self._prediction(key).is_file()

    def save(
        self,
        key: str,
        prediction: Mapping[str, NDArray[Any]],
        meta: Mapping[str, Any],
        kind: str = PREDICTIONS,
    ) -> bool:
        """Keep `prediction`, one float32 matrix per slide id, and `meta` (JSON-safe).

        Call it for predictions inside the claim of `key`: its lock is what tells a file that is being
        written from one that a dead process left. Returns whether it is on disk. A failure of the disk is
        a warning, once, and leaves nothing half-written.
        """
        try:
            self._prepare()
            write_archive(self._prediction(key, kind), prediction, key=key, meta=meta)
        except OSError as error:
            self._warn_disk(error)
            return False
        return True

    @contextmanager
    def claim(self, key: str, label: str, *, retry: bool = False) -> Iterator[Claim]:
        """Hold the right to compute `key` during the block; others who want it wait.

        When a prediction is there, or another process has made one meanwhile, ``Claim.stored``
        has it. Otherwise a start marker lies in the store during the block. It goes when the
        block ends in whatever way that runs Python code (a model that raises, Ctrl-C); what
        remains is the marker of a process that ended there, with who ended it as far as is known.

        Parameters
        ----------
        key
            What is about to be computed. Claims of one process must not be nested.
        label
            What messages call it, such as ``mymodel on her2st-lopo-A``.
        retry
            Run again a model that ended the process of an earlier run.

        Raises
        ------
        ModelEndedProcess
            When the marker of a dead process is found that tells against the model (see
            :meth:`StartMarker.refuse`) and `retry` is off.
        """
        stored = self.load(key)
        if stored is not None:
            yield Claim(stored=stored)
            return
        with ExitStack() as stack:
            if self._lock_into(stack, key):
                yield stack.enter_context(self._claimed(key, label, retry=retry))
            else:
                yield Claim(stored=None)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Hold the lock of `key` during the block, also inside of a claim; without locks nobody waits."""
        with ExitStack() as stack:
            self._lock_into(stack, key)
            yield

    def _lock_into(self, stack: ExitStack, key: str) -> bool:
        try:
            self._prepare()
            stack.enter_context(locked(self._lock(key)))
        except OSError as error:
            self._warn_lock(error)
            return False
        return True

    @contextmanager
    def _claimed(self, key: str, label: str, *, retry: bool) -> Iterator[Claim]:
        """Do what a claim does once the lock is held."""
        self._remove_temporaries(key)
        marker = StartMarker(self.root / "starts" / f"{key}.json", label=label, run_id=self.run_id)
        stored = self.load(key)
        if stored is not None:
            marker.remove()
            yield Claim(stored=stored)
            return
        left = marker.left_by_a_dead_process()
        if left is not None and not (retry and left.get("run") != self.run_id):
            marker.refuse(left)
        owner = os.getpid()
        try:
            try:
                marker.write("start")
            except OSError as error:
                self._warn_disk(error)
            with noted_exit(marker.ended_by), noted_signals(marker.ended_by):
                yield Claim(stored=None, marker=marker)
        finally:
            # A child that the model forked leaves this block too, and must not clear its parent's.
            if os.getpid() == owner:
                marker.remove()

    def remember(self, kind: str, key: str, value: Any) -> None:
        """Keep a small JSON-safe `value` under `kind` (a folder name) and `key` (any text)."""
        try:
            self._prepare()
            # What a loss of power leaves half-written does not match its digest: waiting for the disk
            # would make sure of nothing that is worth it.
            write_sealed(self._memo(kind, key), f"{kind} {key}", value, durable=False)
        except OSError as error:
            self._warn_disk(error)

    def recall(self, kind: str, key: str, read: Callable[[Any], T]) -> T | None:
        """Return what `read` makes of what was remembered under `kind` and `key`.

        None when there is nothing, when it was damaged, and when `read` cannot make anything of it: it is
        computed again.
        """
        path = self._memo(kind, key)
        try:
            found = read(unsealed(f"{kind} {key}", path.read_bytes()))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        _note_use(path)
        return found

    def _prediction(self, key: str, kind: str = PREDICTIONS) -> Path:
        return self.root / kind / key[:2] / f"{key}.npz"

    def _lock(self, key: str) -> Path:
        return self.root / "locks" / f"{key}.lock"

    def _memo(self, kind: str, key: str) -> Path:
        return self.root / "remember" / kind / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _prepare(self) -> None:
        """Before the first write: keep the folder out of git, clear what dead processes left."""
        if self._swept:
            return
        self._swept = True
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            write_atomically(ignore, lambda file: file.write(IGNORE))
        share = disk_share(self.root)
        if share >= FULL:
            self._warn(
                "full",
                f"the disk of {self.root} is {share:.0%} full: `stbench store list` says what is kept for "
                "which model, `stbench store prune --keep-days 30` removes what was not used for so long",
            )
        for temporary in self.root.glob("predictions/*/*.tmp"):
            with suppress(OSError), locked(self._lock(temporary.name.partition(".")[0]), wait=False) as had:
                if had:
                    temporary.unlink()
        for temporary in self._temporaries():
            with suppress(OSError):
                if time.time() - temporary.stat().st_mtime > DAY:
                    temporary.unlink()

    def _temporaries(self) -> Iterator[Path]:
        for folder in (*FOLDERS, "starts"):
            yield from self.root.glob(f"{folder}/*.tmp")

    def _remove_temporaries(self, key: str) -> None:
        """Remove half-written files of `key`; who holds its lock is the only one to write it."""
        for folder in (self._prediction(key).parent, self.root / "starts"):
            for temporary in folder.glob(f"{key}.*.tmp"):
                with suppress(OSError):
                    temporary.unlink()

    def _warn_lock(self, error: OSError) -> None:
        if not isinstance(error, LocksUnsupportedError) or error.errno not in NO_LOCKS:
            self._warn_disk(error)
            return
        self._warn(
            "locks",
            f"the file system of {self.root} has no file locks: two processes may compute the same "
            "prediction, and a model that ends the process is not recognised. A local folder "
            "(--stbench-store) has them",
        )

    def _warn_disk(self, error: OSError) -> None:
        self._warn(
            "disk",
            f"predictions cannot be kept in {self.root} ({error}): the run goes on in memory. Free space, or "
            "give another folder (--stbench-store)",
            NotKept,
        )

    def _warn(self, topic: str, message: str, kind: type[StoreWarning] = StoreWarning) -> None:
        if topic not in self._warned:
            self._warned.add(topic)
            warnings.warn(message, kind, stacklevel=3)


def is_store(folder: Path) -> bool:
    """Tell whether a folder is a store: no other one may be cleared."""
    with suppress(OSError):
        return (folder / ".gitignore").read_bytes() == IGNORE and any(
            (folder / name).is_dir() for name in ("predictions", "remember", "locks")
        )
    return False


def _note_use(path: Path) -> None:
    """Note, once a day, that a file was used: what is not used for long may go first."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > DAY:
            os.utime(path)
