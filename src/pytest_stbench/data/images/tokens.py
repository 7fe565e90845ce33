"""What stands for an image file in what models are given: a random word, which leads to the file here alone.

A model is given no path. The table of words is a global of the process: forked children have it, others
find it in a folder of this user that ends with the run, in its store, to which words are written when they
are pickled. A word carries a seal of its file, so that no process reads another one under it.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import pickle
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.checksums import file_sha256, state_of
from pytest_stbench.data.images.looking import pyramid_of
from pytest_stbench.data.images.pyramid import Stored, files_of
from pytest_stbench.data.images.tile_cache import UsedLast
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from pytest_stbench.data.images.looking import Reader
    from pytest_stbench.data.images.pyramid import Pyramid

    Entry = tuple[Path | Stored, Reader | None]
    States = tuple[tuple[int, ...], ...]

NAME = "image of a slide"
"""What errors that a model may see call the file."""

FOLDER = "STBENCH_IMAGE_TOKENS"
"""Environment variable that leads child processes to the folder of the run's words."""

OF_RUNS = "images"
"""Folder of a store in which each run has one of its own."""

LEFT_S = 30 * 86_400
"""Age at which what a run left that was ended by force goes."""

MOST_OPEN = 16
_CHANGED = f"{NAME}: the file was changed after it was opened: start the run anew"
_GONE = f"{NAME}: the file cannot be read any more: start the run anew"
_FILES: dict[str, Entry] = {}
_STORE: list[Path] = []
_NAMED: dict[int, Path] = {}
"""The folder of words of this process, by its id: forks of it make one of their own."""
_PYRAMIDS: UsedLast[tuple[Pyramid, States]] = UsedLast(MOST_OPEN, lambda _: 1)


class Token:
    """Stands for the image of one slide; it can be pickled as long as the run lasts."""

    __slots__ = ("seal", "word")

    def __init__(self, word: str, seal: str) -> None:
        self.word = word
        self.seal = seal

    def pyramid(self) -> Pyramid:
        """Return the image.

        Raises ``DataError`` where the run that made the token has ended, or the file is another one.
        """
        found, states = _PYRAMIDS.get(self.word, self._opened)
        if _outer_states(_file_of(self.word)[0]) != states:
            raise DataError(_CHANGED)
        return found

    def _opened(self) -> tuple[Pyramid, States]:
        source, reader = _file_of(self.word)
        states = _outer_states(source)
        if _seal_of(source) != self.seal:
            raise DataError(_CHANGED)
        path = source.path if isinstance(source, Stored) else source
        try:
            found = source.make(path, NAME) if isinstance(source, Stored) else pyramid_of(path, NAME, reader)
            said = _CHANGED
        except DataError as error:
            # Libraries quote the path in their own words.
            found, said = None, str(error).replace(str(path), "the file").replace(path.name, "the file")
        if found is None:
            raise DataError(said)
        return found, states

    def digest(self) -> str:
        """Return a digest of the content of the file, and of what reads it.

        Raises ``DataError`` where the file cannot be read, or is another one.
        """
        source, reader = _file_of(self.word)
        try:
            contents = [file_sha256(file) for file in _files(source)]
        except DataError:
            contents = []
        if not contents:
            raise DataError(_GONE)
        if _seal_of(source) != self.seal:  # pixels that were read before are those of another content
            raise DataError(_CHANGED)
        # Damaged tiles that are shown white are another image than the file, which is an error without that.
        damaged = getattr(self.pyramid(), "damaged", int)()
        shown = (contents, reader, damaged) if damaged else (contents, reader)
        return hashlib.sha256(repr(shown).encode()).hexdigest()

    def __deepcopy__(self, memo: dict[int, Any]) -> Token:
        return self

    def __reduce__(self) -> tuple[type[Token], tuple[str, str]]:
        _share(self.word)
        return Token, (self.word, self.seal)


def token_of(source: Path | Stored, reader: Reader | None) -> Token:
    """Return a new token of an image file, or of a part of one. Raises ``DataError`` where it is gone."""
    _ready()  # a pool may start before anything is pickled for it
    word = secrets.token_hex(16)
    own = replace(source, path=source.path.absolute()) if isinstance(source, Stored) else source.absolute()
    _FILES[word] = (own, reader)
    return Token(word, _seal_of(own))


def _files(source: Path | Stored) -> tuple[Path, ...]:
    return source.files if isinstance(source, Stored) else files_of(source)


def keep_in(store: Path) -> None:
    """Let words of this process be written into a store from now on, where it can be written.

    The folder is named at once: a server of forks that starts before the first image has the name as well.
    """
    _STORE[:] = [store]
    if _shared() is None:
        folder = _NAMED[os.getpid()] = store.absolute() / OF_RUNS / secrets.token_hex(8)
        os.environ[FOLDER] = str(folder)


def _seal_of(source: Path | Stored) -> str:
    """Return a digest of what changes when the files of an image are written."""
    try:
        states = [state_of(file.stat()) for file in _files(source)]
    except OSError:
        states = []
    if not states:
        raise DataError(_GONE)  # without the path that the system quotes
    return hashlib.sha256(repr(states).encode()).hexdigest()


def _outer_states(source: Path | Stored) -> States:
    """Return what changes when an image is written anew; of a store, which has many files, the outermost."""
    store = source.path if isinstance(source, Stored) and source.path.is_dir() else None
    try:
        files = _files(source) if store is None else (store, *sorted(store.iterdir()))
        states = [file.stat() for file in files]
    except OSError:
        states = []
    if not states:
        raise DataError(_GONE)
    return tuple((state.st_ino, state.st_size, state.st_mtime_ns) for state in states)


def _file_of(word: str) -> Entry:
    if word not in _FILES:
        shared = _shared() if word.isalnum() else None
        try:
            found = pickle.loads((shared / word).read_bytes()) if shared else None  # of this user alone
        except (OSError, ValueError, EOFError, pickle.UnpicklingError):
            found = None
        if found is None:
            raise DataError(
                f"{NAME}: it was pickled by a run that has ended, or on another machine: only inputs of a "
                "run that goes on lead to their images"
            )
        _FILES[word] = found
    return _FILES[word]


def _ready() -> Path:
    """Return the folder of the run's words; made before children start that are to know of it."""
    folder = _shared()
    if folder is None:
        folder = _new_folder()
        os.environ[FOLDER] = str(folder)
        atexit.register(_end, folder, os.getpid())
    return folder


def _share(word: str) -> None:
    """Write a word where processes that are no forks of this one find it."""
    folder = _ready()
    if word not in _FILES or (folder / word).exists():
        return
    part = folder / f"{word}.{os.getpid()}"
    part.write_bytes(pickle.dumps(_FILES[word]))
    part.replace(folder / word)


def _new_folder() -> Path:
    """Return a new folder of this user alone: in the store, else among temporary files."""
    if _STORE:
        place = _STORE[0] / OF_RUNS
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            for left in place.iterdir():
                if left.stat().st_mtime < time.time() - LEFT_S:
                    shutil.rmtree(left, ignore_errors=True)
            folder = _NAMED.get(os.getpid(), place.absolute() / secrets.token_hex(8))
            folder.mkdir(mode=0o700, exist_ok=True)
            return folder
    return Path(tempfile.mkdtemp(prefix="stbench-"))


def _shared() -> Path | None:
    known = os.environ.get(FOLDER)
    return Path(known) if known and Path(known).is_dir() else None


def _end(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
