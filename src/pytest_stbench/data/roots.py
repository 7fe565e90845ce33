"""Where the relative paths of a task file point to.

Paths are looked up below ``--stbench-data``, then ``$STBENCH_DATA``, then the task file's folder.
A task file never reaches outside of these: it may come from somebody else.
"""

from __future__ import annotations

import glob
import os
import posixpath
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError, DataMissing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VARIABLE = "STBENCH_DATA"


def data_roots(
    folder: Path, option: str | Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """Return the folders in which data is looked for, in their order.

    Last comes the folder that ``stbench data fetch`` writes to, where there is one.

    Parameters
    ----------
    folder
        The folder of the task file.
    option
        The value of ``--stbench-data``.
    environ
        The environment; by default that of the process.
    """
    environ = os.environ if environ is None else environ
    named = [str(value) for value in (option, environ.get(VARIABLE)) if value]
    roots = [Path(value).expanduser() for value in named]
    from pytest_stbench.data.catalog.entries import cache_dir

    cache = cache_dir(environ)
    return tuple(dict.fromkeys([*roots, folder, *([cache] if cache.is_dir() else [])]))


def relative(pattern: str, what: str = "path") -> str:
    """Return `pattern` in normal form, relative and with forward slashes.

    Raises ``DataError`` when it is empty, absolute, or climbs out of its folder.
    """
    windows = PureWindowsPath(pattern)
    if not pattern or "\0" in pattern:
        raise DataError(f"{what} {pattern!r}: empty or not a path; write a path relative to the data folder")
    if pattern.startswith("/") or windows.drive or windows.root:
        raise DataError(
            f"{what} {pattern!r}: absolute paths are refused; write it relative to --stbench-data, "
            f"${VARIABLE} or the task file's folder"
        )
    normal = posixpath.normpath(pattern)
    if normal == ".." or normal.startswith("../"):
        raise DataError(
            f"{what} {pattern!r}: climbs out of the data folder; point --stbench-data or ${VARIABLE} at a "
            "folder that holds all of the data"
        )
    return normal


def resolve(pattern: str, roots: Sequence[Path], *, get: str | None = None, what: str = "path") -> list[Path]:
    """Return what `pattern` names below the first of `roots` that has it, sorted.

    Parameters
    ----------
    pattern
        A relative path; ``*``, ``?``, ``[...]`` and ``**`` are patterns. Hidden files match only
        a pattern that starts with a dot.
    roots
        Folders, first choice first.
    get
        How to get the data, for the message when nothing is found.
    what
        What the path is, for messages.

    Raises
    ------
    DataError
        `pattern` is absolute or climbs out of the root, or a match is a link that leaves it.
    DataMissing
        No root has a match.
    """
    normal = relative(pattern, what)
    for root in roots:
        matches = _matches(normal, root, what)
        if matches:
            home = root.resolve()
            for match in matches:
                if not match.resolve().is_relative_to(home):
                    raise DataError(
                        f"{what} {pattern!r}: {match} is a link to {match.resolve()}, outside of {home}; "
                        f"point --stbench-data or ${VARIABLE} at the folder that really holds the data"
                    )
            return matches
    message = f"{what} {pattern!r}: nothing found below {listing(roots)}"
    advice = get or f"set --stbench-data or ${VARIABLE} to the folder that holds the data"
    raise DataMissing(f"{message}; {advice}")


def resolve_one(pattern: str, roots: Sequence[Path], *, get: str | None = None, what: str = "path") -> Path:
    """Return the one file that `pattern` names; like :func:`resolve` otherwise.

    Raises ``DataError`` when there are several, or when it is a folder.
    """
    matches = resolve(pattern, roots, get=get, what=what)
    if len(matches) > 1:
        raise DataError(f"{what} {pattern!r}: one file is needed, found {listing(m.name for m in matches)}")
    if not matches[0].is_file():
        raise DataError(f"{what} {pattern!r}: {matches[0]} is a folder, a file is needed")
    return matches[0]


def _matches(normal: str, root: Path, what: str) -> list[Path]:
    if not glob.has_magic(normal):
        path = root / normal
        return [path] if path.exists() else []
    hidden = posixpath.basename(normal).startswith(".")
    try:
        found = [path for path in root.glob(normal) if hidden or not path.name.startswith(".")]
    except ValueError as error:
        message = f"{what} {normal!r}: not a valid pattern ({error}); `**` stands alone between slashes"
        raise DataError(message) from error
    return sorted(path for path in set(found) if path.exists())
