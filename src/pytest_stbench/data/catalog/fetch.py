"""From an entry of the catalog to a folder of files: all of them, or nothing.

Everything is gathered in ``.partial/NAME`` beside the place where it belongs and moved there at
once. What was fetched whole stays in ``.partial`` when a later file fails, so that the same
command goes on from there.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING, TypeVar

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.data.catalog.download import download
from pytest_stbench.data.catalog.entries import cache_dir, note
from pytest_stbench.data.checksums import file_sha256
from pytest_stbench.data.untrusted import refuse_hollow_zip
from pytest_stbench.errors import DataError
from pytest_stbench.spec.catalog_entries import how_to_get
from pytest_stbench.spec.dataset_entry import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_stbench.spec.dataset_entry import DatasetEntry, FileSpec

PARTIAL = ".partial"


def fetch(
    entry: DatasetEntry, root: Path, progress: Callable[[str, int, int | None], None] = lambda *_: None
) -> Path:
    """Fetch all files of `entry` to ``root/NAME`` and return that folder.

    Parameters
    ----------
    entry
        What to fetch.
    root
        The folder to put it into; made if need be.
    progress
        Called with the name of a file, the bytes that are there and the number expected.

    Raises
    ------
    DataError
        The entry has no address to fetch from, the folder is there already, it cannot be written,
        or a file cannot be had whole, see :func:`~pytest_stbench.data.catalog.download.download`.
    """
    target = root / entry.name
    if not entry.fetchable:
        raise DataError(f"{entry.name}: no address to fetch it from is known; {how_to_get(entry)}")
    if target.exists():
        raise DataError(
            f"{target} is there already; `stbench data verify {entry.name}` compares it, or remove it first"
        )
    work = root / PARTIAL / entry.name
    try:
        work.mkdir(parents=True, exist_ok=True)
        seen = _gather(entry, work, progress)
        os.replace(work / "files", target)  # noqa: PTH105  # atomic: both are on one file system
        note(cache_dir(), entry.name, files=seen, verified=None, folder=str(target))
        shutil.rmtree(work)
    except OSError as error:
        raise DataError(f"{error.filename or root}: cannot be written ({error.strerror or error})") from None
    return target


def write_samples(entry: DatasetEntry, folder: Path) -> None:
    """Write the samples table of `entry` into `folder` if the entry has one and the folder none."""
    path = folder / SAMPLES
    if not entry.samples or path.exists():
        return
    keys = entry.dataset.keys
    names = {"slide": keys.slide, "patient": keys.patient, "site": keys.site, "disease": keys.disease}
    fields = [
        field
        for field in type(entry.samples[0]).model_fields
        if field in ("slide", "patient") or any(getattr(sample, field) for sample in entry.samples)
    ]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names.get(field) or field for field in fields)
    table.writerows([getattr(sample, field) or "" for field in fields] for sample in entry.samples)
    write_atomically(path, lambda file: file.write(text.getvalue().encode()), durable=False)


def _gather(
    entry: DatasetEntry, work: Path, progress: Callable[[str, int, int | None], None]
) -> dict[str, dict[str, str | int]]:
    """Make ``work/files`` whole; return sha256 and size of what was fetched, by address."""
    files = work / "files"
    if files.exists():
        shutil.rmtree(files)
    files.mkdir()
    seen: dict[str, dict[str, str | int]] = {}
    fetched: list[tuple[FileSpec, Path]] = []
    for index, file in enumerate(entry.files):
        name = f"{index:03d}"

        def report(done: int, total: int | None, path: str = file.path) -> None:
            progress(path, done, total)

        path = download(file, work, name, report)
        assert file.url is not None
        seen[file.url] = {"sha256": file_sha256(path), "size": path.stat().st_size}
        fetched.append((file, path))
    for file, path in fetched:
        place = files / file.path
        if file.unpack == "none":
            place.parent.mkdir(parents=True, exist_ok=True)
            path.rename(place)
        else:
            unpack(path, file.unpack, place)
    write_samples(entry, files)
    return seen


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
    _require_room(archive, folder, sum(member.file_size for member in files.values()))
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
    _require_room(archive, folder, sum(member.size for member in files.values()))
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


def _require_room(archive: Path, folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        message = f"{archive.name}: {needed / 1e9:.1f} GB unpacked, {free / 1e9:.1f} GB are free in {folder}"
        raise DataError(message)


def _write(stream: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as out:
        shutil.copyfileobj(stream, out, 1 << 20)
