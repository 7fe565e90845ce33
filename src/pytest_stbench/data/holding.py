"""Slides whose arrays lie in memory as far as there is room, and else in a file that has no name.

What leaves memory is written once, as it was read, and comes back bit by bit: the files of the data are read
once, whatever happens to them meanwhile.
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import fields
from threading import RLock
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet, finalize

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.data.slide import Slide
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Made = TypeVar("Made")

MOST_BYTES = 1 << 27
"""What the arrays of all slides of a data set may take in memory, beside the one asked for."""

_PARTS = ("data", "indices", "indptr")
_HELD = ("unit_names", "counts", "xy_um", "xy_px", "array_index", "embedding", "libsize", "n_detected")
"""What is as long as the units are many; labels and measures are few and shared."""


class HeldSlide(Slide):
    """A slide that asks for its arrays when they are looked at; what is changed of it is held by itself."""

    def __init__(self, **known: Any) -> None:
        vars(self).update(known)

    def __getattribute__(self, name: str) -> Any:
        """Return a field, an array from where it lies."""
        own = object.__getattribute__(self, "__dict__")
        if name in _HELD and name not in own:
            return own["_holding"].get(own["_number"], name)
        return object.__getattribute__(self, name)

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Slide], tuple[dict[str, Any]]]:
        """Let a copy, or a pickle, have arrays of its own: they may outlive those that are held."""
        return _whole, ({field.name: getattr(self, field.name) for field in fields(Slide)},)

    @property
    def n_units(self) -> int:
        """Number of units (rows)."""
        known: int | None = vars(self).get("_n_units")
        return len(self.unit_names) if known is None else known


class Holding:
    """Holds slides as long as somebody has them.

    Parameters
    ----------
    folder
        Where the file lies; where there is none, in the folder of temporary files. Where it cannot be
        written, or the disk is full, everything stays in memory.
    most_bytes
        What may lie in memory, by default ``MOST_BYTES``; what was asked for last stays, however large.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int | None = None) -> None:
        self._folder = folder
        self._most = MOST_BYTES if most_bytes is None else most_bytes
        self._slides = 0
        self._lock = RLock()
        self._here: OrderedDict[tuple[int, Hashable], Any] = OrderedDict()
        self._away: dict[tuple[int, Hashable], _Away] = {}
        self._file: IO[bytes] | None = None
        self._full = False
        self._owner = os.getpid()
        self._gone: list[int] = []
        self._at_work = False
        self._end = 0
        _ALL.add(self)

    def renew_lock(self) -> None:
        """In a forked child: a thread that the child does not have may hold it."""
        self._lock = RLock()
        self._at_work = False

    def hold(self, slide: Slide) -> Slide:
        """Return a slide that stands for `slide`, which is used up."""
        with self._working():
            self._slides += 1
            known: dict[str, Any] = {"_holding": self, "_number": self._slides, "_n_units": slide.n_units}
            for name in (field.name for field in fields(Slide)):
                value = getattr(slide, name)
                # Names from another package's reader may be Python objects, which no file holds.
                if name in _HELD and value is not None and not value.dtype.hasobject:
                    self._here[self._slides, name] = value
                else:
                    known[name] = value
            self._make_room()
        held = HeldSlide(**known)
        # At exit the file goes first.
        finalize(held, self._forget, known["_number"]).atexit = False
        return held

    def get(self, number: int, name: Hashable, make: Callable[[], Any] | None = None) -> Any:
        """Return an array of a slide, made where it is not known.

        Raises ``DataError`` where it cannot be read again.
        """
        key = (number, name)
        with self._working():
            if key in self._here:
                self._here.move_to_end(key)
                return self._here[key]
            value = make() if make is not None and key not in self._away else self._read(self._away[key])
            self._here[key] = value
            self._make_room()
        return value

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            outer, self._at_work = self._at_work, True
            try:
                yield
            finally:
                self._at_work = outer
                self._drop()

    def _forget(self, number: int) -> None:
        """Let the arrays of a slide go that nobody has any more."""
        self._gone.append(number)
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        """Drop what is gone; later, where the garbage collector comes in the middle of something."""
        if self._at_work or not self._gone:
            return
        # What goes meanwhile waits: the tables must not change while they are gone through.
        self._at_work = True
        try:
            gone = {self._gone.pop() for _ in range(len(self._gone))}
            for known in (self._here, self._away):
                for key in [key for key in known if key[0] in gone]:
                    del known[key]
        finally:
            self._at_work = False
        if self._file is not None and not self._away:
            # Not used anew: a forked child may still read what lay there.
            self._file.close()
            self._file = None

    def _make_room(self) -> None:
        """Let those go that were asked for longest ago, but for the last."""
        held = sum(map(_size, self._here.values()))
        # A forked child has the file of its parent: it reads what lies there, and writes nothing.
        room = not self._full and os.getpid() == self._owner
        while held > self._most and len(self._here) > 1 and room:
            key, value = next(iter(self._here.items()))
            if key not in self._away:
                try:
                    self._away[key] = self._written(value)
                except OSError:
                    self._full = True
                    return
            del self._here[key]
            held -= _size(value)

    def _written(self, value: Any) -> _Away:
        if self._file is None:
            there = self._folder is not None and self._folder.is_dir()
            folder = self._folder if there else None
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # as long as this
            finalize(self, self._file.close)
            self._end = 0
        start, parts = self._end, _parts(value)
        for part in parts:
            self._end = _all_of(_writer(self._file), part, self._end)
        return _Away(value, start, parts)

    def _read(self, away: _Away) -> Any:
        assert self._file is not None  # something was written
        try:
            parts = [np.empty(shape, dtype) for shape, dtype in away.parts]
            place = away.start
            for part in parts:
                place = _all_of(_reader(self._file), part, place)
        except OSError as error:
            raise DataError(
                f"what was put aside of a slide cannot be read again ({error.strerror or error}): "
                "check the disk of the store"
            ) from error
        return away.whole(parts)


def _whole(known: dict[str, Any]) -> Slide:
    return Slide(**known)


def is_held(slide: Slide) -> bool:
    """Tell whether what is made of a slide leaves memory where there is no room."""
    return "_holding" in vars(slide)


def once(slide: Slide, name: Hashable, make: Callable[[], Made]) -> Made:
    """Return the array or matrix that `make` makes of a slide, made once: it is to be read, not changed."""
    if is_held(slide):
        own = vars(slide)
        found: Made = own["_holding"].get(own["_number"], name, make)
        return found
    known = _MADE.setdefault(slide, {})
    if name not in known:
        known[name] = make()
    return cast("Made", known[name])


_MADE: WeakKeyDictionary[Slide, dict[Hashable, Any]] = WeakKeyDictionary()


class _Away:
    """Where an array or a matrix lies, and all of it but its values."""

    def __init__(self, value: Any, start: int, parts: list[NDArray[Any]]) -> None:
        self.start = start
        self.parts = [(part.shape, part.dtype) for part in parts]
        self._matrix: csr_matrix | None = None
        if isinstance(value, csr_matrix):
            self._matrix = copy.copy(value)
            vars(self._matrix).update(dict.fromkeys(_PARTS))

    def whole(self, parts: list[NDArray[Any]]) -> Any:
        """Return what was put away, of the arrays that it is made of."""
        if self._matrix is None:
            return parts[0]
        found = copy.copy(self._matrix)
        vars(found).update(zip(_PARTS, parts, strict=True))
        return found


def _parts(value: Any) -> list[NDArray[Any]]:
    if not isinstance(value, csr_matrix):
        return [np.ascontiguousarray(value)]
    _ = value.has_canonical_format  # looked for once, and known of every copy
    return [np.ascontiguousarray(getattr(value, name)) for name in _PARTS]


def _size(value: Any) -> int:
    parts = [getattr(value, name) for name in _PARTS] if isinstance(value, csr_matrix) else [value]
    return sum(part.nbytes for part in parts)


def _reader(file: IO[bytes]) -> Callable[[memoryview, int], int]:
    """Return what fills memory from a place of a file: not from where it stands, which forks share."""
    if hasattr(os, "preadv"):
        return lambda into, place: os.preadv(file.fileno(), [into], place)
    return lambda into, place: file.readinto(into) if file.seek(place) == place else 0  # type: ignore[attr-defined]


def _writer(file: IO[bytes]) -> Callable[[memoryview, int], int]:
    """Return what writes memory to a place of a file."""
    if hasattr(os, "pwrite"):
        return lambda part, place: os.pwrite(file.fileno(), part, place)
    return lambda part, place: file.write(part) if file.seek(place) == place else 0


def _all_of(move: Callable[[memoryview, int], int], part: NDArray[Any], place: int) -> int:
    """Write or read a whole array; return where it ends. A call may move less, 2 GiB at most."""
    left = memoryview(part.reshape(-1).view(np.uint8))
    while left:
        moved = move(left, place)
        if not moved:
            raise OSError("it ends too early")
        left, place = left[moved:], place + moved
    return place


_ALL: WeakSet[Holding] = WeakSet()


def _in_child() -> None:
    for holding in _ALL:
        holding.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
