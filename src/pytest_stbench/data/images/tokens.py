"""What stands for an image file in what models are given: a random word, which leads to the file here alone.

A model is given no path. The table of words is a global of the process: forked children have it, others
find it in a folder of this user that ends with the run, to which words are written when they are pickled.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.checksums import file_sha256
from pytest_stbench.data.images.looking import files_of, pyramid_of
from pytest_stbench.data.images.tile_cache import UsedLast
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from pytest_stbench.data.images.looking import Reader
    from pytest_stbench.data.images.pyramid import Pyramid

NAME = "image of a slide"
"""What errors that a model may see call the file."""

FOLDER = "STBENCH_IMAGE_TOKENS"
"""Environment variable that leads child processes to the folder of the run's words."""

MOST_OPEN = 16
_FILES: dict[str, tuple[Path, Reader | None]] = {}
_PYRAMIDS: UsedLast[Pyramid] = UsedLast(MOST_OPEN, lambda _: 1)


class Token:
    """Stands for the image of one slide; it can be pickled as long as the run lasts."""

    __slots__ = ("word",)

    def __init__(self, word: str) -> None:
        self.word = word

    def pyramid(self) -> Pyramid:
        """Return the image. Raises ``DataError`` where the run that made the token has ended."""
        return _PYRAMIDS.get(self.word, self._opened)

    def _opened(self) -> Pyramid:
        path, _, reader = _file_of(self.word)
        try:
            found = pyramid_of(path, NAME, reader)
            said = f"{NAME}: the file was changed after it was opened: start the run anew"
        except DataError as error:
            # Libraries quote the path in their own words.
            found, said = None, str(error).replace(str(path), "the file").replace(path.name, "the file")
        if found is None:
            raise DataError(said)
        return found

    def digest(self) -> str:
        """Return a digest of the content of the file, and of what reads it.

        Raises ``DataError`` where the file cannot be read.
        """
        path, _, reader = _file_of(self.word)
        try:
            contents = [file_sha256(file) for file in files_of(path)]
        except DataError:
            contents = []
        if not contents:
            raise DataError(f"{NAME}: the file cannot be read any more: start the run anew")
        return hashlib.sha256(repr((contents, reader)).encode()).hexdigest()

    def __deepcopy__(self, memo: dict[int, Any]) -> Token:
        return self

    def __reduce__(self) -> tuple[type[Token], tuple[str]]:
        _share(self.word)
        return Token, (self.word,)


def token_of(path: Path, reader: Reader | None) -> Token:
    """Return a new token of an image file."""
    word = secrets.token_hex(16)
    _FILES[word] = (path.absolute(), reader)
    return Token(word)


def _file_of(word: str) -> tuple[Path, str, Reader | None]:
    if word not in _FILES:
        shared = _shared() if word.isalnum() else None
        try:
            path, reader = json.loads((shared / word).read_text(encoding="utf-8")) if shared else (None, None)
        except (OSError, ValueError):
            path = reader = None
        if path is None:
            raise DataError(
                f"{NAME}: it was pickled by a run that has ended, or on another machine: only inputs of a "
                "run that goes on lead to their images"
            )
        _FILES[word] = (Path(path), reader)
    path, reader = _FILES[word]
    return path, NAME, reader


def _share(word: str) -> None:
    """Write a word where processes that are no forks of this one find it."""
    folder = _shared()
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="stbench-"))  # of this user alone
        os.environ[FOLDER] = str(folder)
        atexit.register(_end, folder, os.getpid())
    if word not in _FILES or (folder / word).exists():
        return
    path, reader = _FILES[word]
    part = folder / f"{word}.{os.getpid()}"
    part.write_text(json.dumps([str(path), reader]), encoding="utf-8")
    part.replace(folder / word)


def _shared() -> Path | None:
    known = os.environ.get(FOLDER)
    return Path(known) if known and Path(known).is_dir() else None


def _end(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
