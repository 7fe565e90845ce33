"""Archives from elsewhere: only plain files and folders, only below the folder they belong to."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING, TypeVar

from pytest_stbench.data.declared import refuse_hollow_zip
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

MAX_MEMBERS = 1_000_000
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def unpack(archive: Path, kind: str, folder: Path) -> None:
    """Unpack the `kind` (``zip`` or ``tar``, compressed in any way) `archive` into `folder`.

    Every member is looked at before the first is written.

    Raises
    ------
    DataError
        Not an archive, damaged, encrypted; a member with an absolute path or one that climbs out,
        a link, a device; two members of one name; a file that is there already; more than fits.
    """
    try:
        if kind == "zip":
            refuse_hollow_zip(archive)
            with zipfile.ZipFile(archive) as opened:
                _unpack_zip(archive, opened, folder)
        else:
            with tarfile.open(archive) as opened_tar:
                _unpack_tar(archive, opened_tar, folder)
    except _BROKEN as error:
        message = f"{archive.name}: cannot be unpacked ({error}): not a {kind} archive, or damaged"
        raise DataError(message) from None
    except OSError as error:
        message = f"{error.filename or archive}: cannot be unpacked ({error.strerror or error})"
        raise DataError(message) from None


def _unpack_zip(archive: Path, opened: zipfile.ZipFile, folder: Path) -> None:
    files: dict[Path, zipfile.ZipInfo] = {}
    for member in opened.infolist():
        if member.flag_bits & 0x1:
            raise DataError(f"{archive.name}: {member.filename} is encrypted; unpack it by hand")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            _refuse(archive, member.filename, "a link or a device")
        if not member.is_dir():
            _add(files, _target(archive, member.filename, folder), member, archive)
    _require_space(archive, folder, sum(member.file_size for member in files.values()))
    for path, member in files.items():
        with opened.open(member) as stream:
            _write(stream, path)


def _unpack_tar(archive: Path, opened: tarfile.TarFile, folder: Path) -> None:
    files: dict[Path, tarfile.TarInfo] = {}
    for member in _members(opened):
        if not (member.isreg() or member.isdir()):
            _refuse(archive, member.name, "a link or a device")
        if member.isreg():
            _add(files, _target(archive, member.name, folder), member, archive)
        else:
            _target(archive, member.name, folder)
    _require_space(archive, folder, sum(member.size for member in files.values()))
    for path, member in files.items():
        stream = opened.extractfile(member)
        assert stream is not None
        with stream:
            _write(stream, path)


def _members(opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for number, member in enumerate(opened):
        if number >= MAX_MEMBERS:
            raise DataError(f"{opened.name!s}: more than {MAX_MEMBERS:,} members; unpack it by hand")
        yield member


def _add(files: dict[Path, T], path: Path, member: T, archive: Path) -> None:
    if path in files or path.exists():
        _refuse(archive, path.name, "there already")
    files[path] = member


def _target(archive: Path, name: str, folder: Path) -> Path:
    plain = name.replace("\\", "/")
    windows = PureWindowsPath(name)
    if not plain.strip() or "\0" in name or PurePosixPath(plain).is_absolute() or windows.drive:
        _refuse(archive, name, "no relative path")
    if ".." in PurePosixPath(plain).parts:
        _refuse(archive, name, "a path that climbs out with '..'")
    return folder / PurePosixPath(plain)


def _refuse(archive: Path, name: str, what: str) -> None:
    message = f"{archive.name}: member {name!r} is {what}: the archive is refused, nothing was unpacked"
    raise DataError(message)


def _require_space(archive: Path, folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        message = f"{archive.name}: {needed / 1e9:.1f} GB unpacked, {free / 1e9:.1f} GB are free in {folder}"
        raise DataError(message)


def _write(stream: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as out:
        shutil.copyfileobj(stream, out, 1 << 20)
