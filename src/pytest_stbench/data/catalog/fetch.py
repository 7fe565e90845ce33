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
from typing import TYPE_CHECKING

from pytest_stbench.data.atomic import write_atomically
from pytest_stbench.data.catalog.download import download
from pytest_stbench.data.catalog.entries import cache_dir
from pytest_stbench.data.catalog.lock import note
from pytest_stbench.data.catalog.unpack import unpack
from pytest_stbench.data.checksums import file_sha256
from pytest_stbench.errors import DataError
from pytest_stbench.spec.catalog_entries import how_to_get
from pytest_stbench.spec.dataset_entry import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
