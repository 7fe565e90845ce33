"""The code of other packages whose records are used: what it computed is not served once it was edited."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.extend import record_of
from pytest_stbench.index import external_entries, of_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

_TARGET = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.]*")
_OWN = "pytest_stbench"
WHOLE = 1 << 24
"""Larger files (weights, tables) count by size and time: their content would be read at every start."""


@cache
def foreign_code(kinds: frozenset[str]) -> str:
    """Return 16 hex digits over the packages that add a record of one of `kinds`; empty without any.

    Parameters
    ----------
    kinds
        Names of record classes in lower case (``metric``, ``baseline`` ...).

    Of each such package all files of its distribution count, and all files of the packages in which its
    entry point and the targets of its records are: an editable installation lists no sources. Of a project
    the files count in which it declares something.
    """
    digest = hashlib.sha256()
    used = False
    for entry, records in sorted(external_entries(), key=lambda found: (found[0].name, found[0].value)):
        if not kinds.isdisjoint(type(record).__name__.lower() for record in records):
            used = True
            digest.update(f"\n{entry.name}\0{entry.value}".encode())
            for name, path in sorted({*_of_distribution(entry), *_of_targets(entry, records)}):
                digest.update(f"\n{name}\0{_content(path)}".encode())
    for made in of_project():
        if type(record_of(made)).__name__.lower() in kinds:
            used = True
            digest.update(f"\n{record_of(made).target}\0{_content(Path(inspect.getfile(made)))}".encode())
    return digest.hexdigest()[:16] if used else ""


def _of_distribution(entry: EntryPoint) -> Iterator[tuple[str, Path]]:
    """Yield the files that are installed with an entry point, by name."""
    for file in (entry.dist.files if entry.dist is not None else None) or ():
        if ".." not in file.parts and not file.parts[0].endswith(".dist-info") and _counts(Path(file)):
            yield file.as_posix(), Path(str(file.locate()))


def _of_targets(entry: EntryPoint, records: tuple[Any, ...]) -> Iterator[tuple[str, Path]]:
    """Yield the files of the packages that an entry point and its records name."""
    modules = {entry.module}
    for record in records:
        texts = [value for field in fields(record) if isinstance(value := getattr(record, field.name), str)]
        modules.update(found[1] for text in texts if (found := _TARGET.fullmatch(text)))
    for place in sorted({place for module in modules if (place := _place(module)) is not None}):
        if place.is_dir():
            for path in place.rglob("*"):
                name = path.relative_to(place.parent)
                if path.is_file() and _counts(name):
                    yield name.as_posix(), path
        else:
            yield place.name, place


def _place(module: str) -> Path | None:
    """Return the folder of the outermost package of a module that is one, or the file of the module."""
    name = ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        if name == _OWN or spec is None:
            return None
        if spec.origin is not None and spec.has_location:
            # A package without `__init__` is shared between distributions: one inside of it is meant.
            origin = Path(spec.origin)
            return origin.parent if spec.submodule_search_locations is not None else origin
    return None


def _counts(name: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
    return not hidden and name.suffix != ".pyc"


def _content(path: Path) -> str:
    try:
        stat = path.stat()
        if stat.st_size > WHOLE:
            return f"{stat.st_size} {stat.st_mtime_ns}"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
